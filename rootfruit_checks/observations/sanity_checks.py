"""Before any gate: signs that the instrument is broken, where its verdict would be about nothing.

What makes every verdict void is an EngineError; what a reader must know of is a line, with its figure, that the
terminal and the JSON show among the notes. A warning states what was found and never changes a verdict but through the
noise floor.

==========================  ==========================================================================================
policy answers as reference  error (unless `--rootfruit-allow-same`): an adapter without effect, weights saved twice
log-probs not finite         error, raised where any engine's scores come in (`engines.base.score`)
noise floor                  in the record; above what is usual for the dtype a warning, and ties are judged by it;
                             above ABSURD an error
tokenizers differ            warning
empty continuations          warning from a share of EMPTY in one model and benchmark
looping continuations        warning from a share of LOOPING in one model and benchmark
pairs that end apart         note with their number
==========================  ==========================================================================================
"""

from __future__ import annotations

import hashlib
import json
import string
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from rootfruit_checks.base import untrusted
from rootfruit_checks.base.errors import EngineError, StoreError
from rootfruit_checks.base.types import ROLES, Role
from rootfruit_checks.catalog.registry import BENCHMARKS
from rootfruit_checks.data.data_set import DataSet
from rootfruit_checks.engines.base import Scorer, score
from rootfruit_checks.engines.work_units import Units
from rootfruit_checks.observations.frame import SCORES, TEXTS, is_of_pairs
from rootfruit_checks.observations.pair_scores import pair_texts

# Log-probs of equal text differ by about this much between batches, in nats: below it, a difference of two is a tie.
NOISE_FLOOR = {"float32": 2e-4, "bfloat16": 5e-2, "float16": 5e-3}
# Beyond this, equal texts get unlike scores: nothing that is measured with them means anything.
ABSURD = {"float32": 0.5, "bfloat16": 5.0, "float16": 5.0}
SENTENCES = 48
_PARTS = 3
EMPTY = 0.2
LOOPING = 0.5
# A continuation loops if it has at least so many words and one phrase, said so often, makes up more than half of them.
LOOP_WORDS, LOOP_TIMES, LOOP_PHRASE = 12, 3, 8


@dataclass(frozen=True, slots=True)
class Noise:
    """The largest difference, in nats, of a sentence's log-prob between two scorings, and of how many sentences."""

    nats: float
    sentences: int

    def __str__(self) -> str:
        return f"{self.nats:.1e} nats in {self.sentences} sentences scored twice"


# -- the noise floor ---------------------------------------------------------------------------------------------------


def sentences(data: Mapping[str, DataSet]) -> list[str]:
    """Return some dozens of the run's own sentences, spread evenly; none where the run scores nothing."""
    texts = [text for held in data.values() for text in pair_texts(held.pairs)]
    if not texts:
        texts = [prompt.text for name, held in data.items() if BENCHMARKS[name].twins for prompt in held.prompts]
    distinct = list(dict.fromkeys(texts))
    return (
        [distinct[i * len(distinct) // SENTENCES] for i in range(SENTENCES)] if len(distinct) > SENTENCES else distinct
    )


def measure_noise(engine: Scorer, texts: Sequence[str], units: Units, before: str = "") -> Noise:
    """Score the texts twice, at once and then backwards in parts; the difference found is kept with the units."""
    key = "noise-floor/1:" + hashlib.sha256(json.dumps([before, *texts]).encode()).hexdigest()
    units.begin("score twice", 1)
    held = units.get(key)
    if held is None:
        # Nothing of either scoring is kept or found: a stored answer has no noise.
        first = score(engine, texts, before=before)
        backwards = range(len(texts))[::-1]
        worst = 0.0
        for part in (backwards[start::_PARTS] for start in range(_PARTS)):
            again = score(engine, [texts[place] for place in part], before=before)
            worst = max([worst, *(abs(first[i].total - s.total) for i, s in zip(part, again, strict=True))])
        held = json.dumps({"nats": worst, "sentences": len(texts)}).encode()
        units.put(key, held)
    found = untrusted.parse_json(held, "the noise floor in the store", StoreError)
    untrusted.check(found, Noise, "the noise floor in the store", StoreError)
    return Noise(**found)


def noise_floor(measured: Mapping[Role, Noise], dtype: str) -> tuple[float, list[str]]:
    """Return the floor under which a difference is a tie, and warnings.

    Raises:
        EngineError: an engine gives equal texts unlike scores.

    """
    usual = NOISE_FLOOR[dtype]
    warnings = []
    for role, noise in measured.items():
        if not noise.nats <= ABSURD[dtype]:
            raise EngineError(
                f"the {role}'s engine does not repeat itself: the log-prob of one sentence moves by {noise}; "
                "no difference of two models could be told from that (is a dropout on, or the server under load?)"
            )
        if noise.nats > usual:
            warnings.append(
                f"the {role}'s log-probs move by {noise}, above the {usual:g} usual in {dtype}: "
                "differences below that count as ties"
            )
    return max([usual, *(noise.nats for noise in measured.values())]), warnings


# -- the same model twice ----------------------------------------------------------------------------------------------


def same_answers(frames: Iterable[pd.DataFrame], floor: float) -> str:
    """Return how much was compared where policy and reference answer alike everywhere; "" where they ever differ."""
    scores = texts = 0
    for frame in frames:
        policy, reference = (_scores(frame, role) for role in ROLES)
        said, other = (_texts(frame, role) for role in ROLES)
        if not (policy.index.equals(reference.index) and said.index.equals(other.index)):
            return ""
        change = (policy - reference).to_numpy(dtype=np.float64)
        unknown = (policy.isna() & reference.isna()).to_numpy()
        if not ((np.abs(change) <= floor) | unknown).all() or (said != other).any():
            return ""
        scores, texts = scores + len(change), texts + len(said)
    counted = [f"{scores} differences of log-probs within {floor:.1g} nats"] if scores else []
    return " and ".join([*counted, f"{texts} continuations equal"] if texts else counted)


def refuse_same(frames: Iterable[pd.DataFrame], floor: float) -> None:
    """Raise an EngineError where policy and reference answer alike everywhere (their weights were found to differ)."""
    compared = same_answers(frames, floor)
    if compared:
        raise EngineError(
            f"the policy answers as its reference does, though their files differ ({compared}): an adapter without "
            "effect, or the same weights saved twice? --rootfruit-allow-same accepts it"
        )


def _scores(frame: pd.DataFrame, role: Role) -> pd.Series[float]:
    """One model's differences of log-probs, in an order that depends on the samples alone."""
    mine = frame[frame["role"] == role]
    if is_of_pairs(frame):
        held: list[pd.Series[float]] = [mine.set_index("sample")[name] for name in SCORES]
        return pd.concat(held, keys=SCORES).sort_index()
    return mine[mine["quantity"] == "twin"].set_index(["quantity", "sample"])["value"].sort_index()


def _texts(frame: pd.DataFrame, role: Role) -> pd.Series[str]:
    """One model's continuations, in the same order; none of pairs."""
    if is_of_pairs(frame):
        return pd.Series(dtype="str")
    mine = frame[(frame["role"] == role) & frame["quantity"].isin(TEXTS)]
    return mine.set_index(["sample", "draw"])["text"].sort_index()


# -- what the reader must know -----------------------------------------------------------------------------------------


def tokenizers(records: Mapping[Role, Mapping[str, str]]) -> list[str]:
    """Return a warning where the two models' tokenizers differ."""
    policy, reference = (records.get(role) or {} for role in ROLES)
    if reference and policy.get("tokenizer") != reference.get("tokenizer"):
        return ["the tokenizers differ: full-sentence sums are comparable, per-token and shared-token ones less so"]
    return []


def ending_pairs(data: Mapping[str, DataSet]) -> list[str]:
    """Return a note for each benchmark with pairs in which no word follows the last one that differs.

    Shared tokens before the difference have the same log-probs in both sentences, so that there the shared tokens are
    worth little more than the closing punctuation.
    """
    notes = []
    for benchmark, held in data.items():
        stigma = [pair for pair in held.pairs if pair.kind == "stigma"]
        count = sum(_ends_apart(pair.queer, pair.counterfactual) for pair in stigma)
        if count:
            notes.append(
                f"{benchmark}: in {count} of {len(stigma)} pairs no word follows the one that differs, so that "
                "preference and amplification compare little but the closing punctuation there"
            )
    return notes


def _ends_apart(one: str, other: str) -> bool:
    last, also = ((text.split() or [""])[-1].strip(string.punctuation) for text in (one, other))
    return last != also


def degenerate(frames: Mapping[str, pd.DataFrame]) -> list[str]:
    """Return a warning for each model and benchmark with many empty or looping continuations."""
    warnings = []
    for benchmark, frame in frames.items():
        if is_of_pairs(frame):
            continue
        written = frame[frame["quantity"].isin(TEXTS)]
        for role in ROLES:
            texts = Counter(map(str, written.loc[written["role"] == role, "text"]))
            total = sum(texts.values())
            empty = sum(count for text, count in texts.items() if not text.strip())
            looping = sum(count for text, count in texts.items() if loops(text))
            for found, limit, what in ((empty, EMPTY, "are empty"), (looping, LOOPING, "repeat one phrase")):
                if total and found / total > limit:
                    warnings.append(
                        f"{benchmark}: {found} of {total} continuations of the {role} {what} "
                        f"({100 * found / total:.0f} %): its rates say little of what it would write"
                    )
    return warnings


def loops(text: str) -> bool:
    """Whether a continuation loops.

    It does if it has at least 12 words, and one phrase of one to eight words, said at least three times (overlaps do
    not count), makes up more than half of them.
    """
    words = [word.strip(string.punctuation).casefold() for word in text.split()]
    if len(words) < LOOP_WORDS or max(Counter(words).values()) < LOOP_TIMES:
        return False
    for size in range(1, LOOP_PHRASE + 1):
        said: Counter[tuple[str, ...]] = Counter()
        ends: dict[tuple[str, ...], int] = {}
        for start in range(len(words) - size + 1):
            phrase = tuple(words[start : start + size])
            if start >= ends.get(phrase, 0):
                said[phrase] += 1
                ends[phrase] = start + size
        times = max(said.values())
        if times >= LOOP_TIMES and times * size > len(words) / 2:
            return True
    return False
