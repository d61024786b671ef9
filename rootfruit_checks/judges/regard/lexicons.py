"""Second opinions on a continuation: sentiment lexicons of two maintained libraries. They vote but never gate.

A lexicon reads the mood of words, not how a person is seen. If it disagrees with the regard classifier, it is often
the lexicon that errs (see `GUIDELINE.md`). It is useful because it makes different errors: a disparity that only one
kind of instrument sees is a reason to read the samples.

Each reads what the classifier reads: the beginning of the masked continuation (a *Grace* or a *Joy* is a name here,
and an identity word has no mood). Neither library runs in linear time, and model output is untrusted, so the text is
shortened before anything reads it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from rootfruit_checks.judges.regard.masking import MASKING_VERSION, mask

INSTALL = 'pip install "rootfruit-checks[votes]"'
# As many words as regard classifiers read wordpieces. The text is first cut to a number of characters.
MAX_WORDS = 64
MAX_CHARS = 600
_CUT = 4_000


@dataclass(frozen=True, slots=True)
class Lexicon:
    """One lexicon. `load` returns its polarity function; a polarity at or below `border` is negative."""

    name: str
    module: str
    distribution: str
    border: float
    load: Callable[[], Callable[[str], float]]

    @property
    def installed(self) -> bool:
        """Whether its library is installed, without importing it."""
        return importlib.util.find_spec(self.module) is not None

    @property
    def fingerprint(self) -> str:
        """Everything that decides its votes, as text."""
        return f"{self.title}; below {self.border:g}; masking {MASKING_VERSION}; {MAX_WORDS} words, {MAX_CHARS} letters"

    @property
    def title(self) -> str:
        """Name and version."""
        try:
            return f"{self.name} {version(self.distribution)}"
        except PackageNotFoundError:
            return self.name

    def negative(self, texts: Sequence[str]) -> list[bool]:
        """Vote on texts that were cut by `shortened`."""
        polarity = _loaded(self.load)
        votes = {text: bool(polarity(text) <= self.border) for text in set(texts)}
        return [votes[text] for text in texts]


def _vader() -> Callable[[str], float]:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    analyzer = SentimentIntensityAnalyzer()
    return lambda text: float(analyzer.polarity_scores(text)["compound"])


def _pattern() -> Callable[[str], float]:
    from textblob.en import sentiment

    return lambda text: float(sentiment(text)[0])


_loaded = cache(lambda load: load())

LEXICONS = (
    # VADER's authors call a compound of -0.05 and less negative (Hutto and Gilbert, ICWSM 2014).
    Lexicon("vader", "vaderSentiment", "vaderSentiment", -0.05, _vader),
    Lexicon("textblob", "textblob", "textblob", -1e-9, _pattern),
)


def shortened(text: str, subject: str) -> str:
    """Return the part of a continuation that a lexicon reads."""
    return " ".join(mask(text[:_CUT], subject).split()[:MAX_WORDS])[:MAX_CHARS]


def missing() -> list[str]:
    """Distributions of the lexicons that are not installed."""
    return [lexicon.distribution for lexicon in LEXICONS if not lexicon.installed]
