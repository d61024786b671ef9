"""Each canary sings where its fault was planted, and nowhere else."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stored import writes

from rootfruit_checks.base.errors import EngineError
from rootfruit_checks.base.types import Measurement, PairMeasurement
from rootfruit_checks.config.settings import Settings
from rootfruit_checks.data.load import load
from rootfruit_checks.engines.base import score
from rootfruit_checks.engines.scripted import ScriptedEngine
from rootfruit_checks.engines.stored_units import StoredUnits
from rootfruit_checks.engines.work_units import FORGET
from rootfruit_checks.gating.checks import parse
from rootfruit_checks.observations import sanity_checks
from rootfruit_checks.observations.frame import to_frame
from rootfruit_checks.observations.sanity_checks import Noise
from rootfruit_checks.runs import run
from rootfruit_checks.runs.measure import measure
from rootfruit_checks.store.store import Store
from rootfruit_checks.testing import Doubles

WHOLE = load("winoqueer", "starter", "smoke", 0)
DATA = replace(WHOLE, pairs=WHOLE.pairs[::10])


def quiet(*_):
    return "and that was that."


class Noisy(ScriptedEngine):
    """Scores move by `shift` nats where fewer than 40 texts come together."""

    def __init__(self, name="noisy", shift=0.0, bonus=lambda words: 0.0, answer=quiet):
        super().__init__(name, self._logprob, answer)
        self._shift, self._bonus = shift, bonus
        self._moved = 0.0
        self.asked = []

    def _logprob(self, word, place, words):
        return -1.0 + self._bonus(words) + (self._moved if place == 0 else 0.0)

    def plan_scores(self, texts, units=FORGET):
        self._moved = self._shift if len(texts) < 40 else 0.0
        self.asked.append(list(texts))
        return super().plan_scores(texts, units)


# -- log-probs that are none -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_log_prob_that_is_not_finite_is_named_by_its_text(bad):
    engine = ScriptedEngine("bad", lambda word, *_: bad if word == "poison" else -1.0, quiet)
    assert len(score(engine, ["one", "two", ""])) == 3
    with pytest.raises(EngineError, match="text 2 of 4 got log-probabilities that are not finite"):
        score(engine, ["one", "two", "a poison", "poison"])


def test_a_missing_answer_is_an_error(monkeypatch):
    engine = ScriptedEngine("short", lambda *_: -1.0, quiet)
    whole = engine.plan_scores
    monkeypatch.setattr(engine, "plan_scores", lambda texts, units: whole(texts[:-1], units))
    with pytest.raises(EngineError, match="scored 1 of 2 texts"):
        score(engine, ["one", "two"])


# -- the noise floor ---------------------------------------------------------------------------------------------------


def test_the_sentences_are_the_runs_own_spread_evenly():
    found = sanity_checks.sentences({"winoqueer": DATA})
    pairs = {text for pair in DATA.pairs for text in (pair.queer, pair.counterfactual)}
    assert set(found) <= pairs
    assert len(found) == len(set(found)) == 48
    prompts = load("misgendering", "starter", "smoke", 0)
    assert set(sanity_checks.sentences({"misgendering": prompts})) <= {prompt.text for prompt in prompts.prompts}
    few = replace(DATA, pairs=DATA.pairs[:3])
    assert set(sanity_checks.sentences({"winoqueer": few})) == {
        t for p in few.pairs for t in (p.queer, p.counterfactual)
    }
    # Nothing is scored there, and an engine may not be able to.
    assert sanity_checks.sentences({"disclosure": load("disclosure", "starter", "smoke", 0)}) == []


@pytest.mark.parametrize("shift", [0.0, 0.03125, -0.25])
def test_the_noise_measured_is_the_noise_planted(tmp_path, shift):
    texts = sanity_checks.sentences({"winoqueer": DATA})
    engine = Noisy(shift=shift)
    with Store(tmp_path) as store:

        def measure():
            return sanity_checks.measure_noise(engine, texts, StoredUnits(store, engine.fingerprint, "noise"))

        assert measure() == Noise(abs(shift), 48)
        scored = len(engine.asked)
        assert measure() == Noise(abs(shift), 48)
        assert len(engine.asked) == scored, "a measured floor is measured again"
        assert len(writes(store)) == 1, "a scoring that may be found again has no noise"
    # In another order and in other company, and each of them.
    assert engine.asked[0] == texts
    again = engine.asked[1:]
    assert sorted(text for part in again for text in part) == sorted(texts)
    assert all(len(part) < len(texts) and [texts.index(t) for t in part] == sorted(map(texts.index, part))[::-1]
               for part in again)  # fmt: skip


def test_the_usual_floor_stands_unless_more_was_measured():
    usual = sanity_checks.NOISE_FLOOR["float32"]
    assert sanity_checks.noise_floor({}, "float32") == (usual, [])
    assert sanity_checks.noise_floor({"policy": Noise(usual / 2, 48)}, "float32") == (usual, [])
    floor, warnings = sanity_checks.noise_floor({"policy": Noise(0.01, 48), "reference": Noise(0.3, 48)}, "float32")
    assert floor == 0.3
    assert [line[:12] for line in warnings] == ["the policy's", "the referenc"]
    assert "3.0e-01 nats in 48 sentences" in warnings[1]
    assert sanity_checks.noise_floor({"policy": Noise(0.01, 48)}, "bfloat16")[1] == []
    for nats in (0.51, math.nan):
        with pytest.raises(EngineError, match="the reference's engine does not repeat itself"):
            sanity_checks.noise_floor({"reference": Noise(nats, 48)}, "float32")
    assert sanity_checks.noise_floor({"reference": Noise(0.51, 48)}, "bfloat16")[0] == 0.51


# -- the same model twice ----------------------------------------------------------------------------------------------


def scored(role, scores, quantity):
    for i, value in enumerate(scores):
        if quantity == "twin":
            yield Measurement("misgendering", f"s{i}", role, "twin", value)
        else:
            yield PairMeasurement("winoqueer", f"s{i}", role, **{**PLAIN, quantity: value})


def written(role, texts):
    yield from (Measurement("disclosure", f"t{i}", role, "regard", 0.0, text=text) for i, text in enumerate(texts))


def frames(policy, reference, quantity="d_full"):
    """One frame of scores, one of texts."""
    both = (("policy", policy), ("reference", reference))
    return [
        to_frame([row for role, (scores, _) in both for row in scored(role, scores, quantity)]),
        to_frame([row for role, (_, texts) in both for row in written(role, texts)]),
    ]


PLAIN = dict.fromkeys(("d_shared", "d_full", "d_upstream"), 0.0)


ALIKE = ([1.0, -2.0, math.nan], ["x", ""])
CHANGED = {
    "one score": ([1.0, -2.0 + 3e-4, math.nan], ["x", ""]),
    "one score unknown": ([1.0, math.nan, math.nan], ["x", ""]),
    "one text": ([1.0, -2.0, math.nan], ["x", "y"]),
    "one sample less": ([1.0, -2.0], ["x", ""]),
    "one text less": ([1.0, -2.0, math.nan], ["x"]),
}


@pytest.mark.parametrize("quantity", ["d_full", "d_shared", "twin"])
def test_equal_answers_are_counted(quantity):
    near = ([1.0, -2.0 + 1e-4, math.nan], ["x", ""])
    for other in (ALIKE, near):
        told = sanity_checks.same_answers(frames(ALIKE, other, quantity), 2e-4)
        # A pair has two differences.
        count = 3 if quantity == "twin" else 6
        assert told == f"{count} differences of log-probs within 0.0002 nats and 2 continuations equal"
        with pytest.raises(EngineError, match="adapter without effect"):
            sanity_checks.refuse_same(frames(ALIKE, other, quantity), 2e-4)
    assert sanity_checks.same_answers(frames(([], ["x"]), ([], ["x"])), 2e-4) == "1 continuations equal"


@pytest.mark.parametrize("what", CHANGED)
@pytest.mark.parametrize("swap", [False, True])
def test_one_unlike_answer_is_enough(what, swap):
    both = (CHANGED[what], ALIKE) if swap else (ALIKE, CHANGED[what])
    equal = frames(([0.0], []), ([0.0], []))
    assert sanity_checks.same_answers(equal, 2e-4)
    for held in (frames(*both), [*equal, *frames(*both)], [*frames(*both), *equal]):
        assert sanity_checks.same_answers(held, 2e-4) == ""
        sanity_checks.refuse_same(held, 2e-4)
    assert sanity_checks.same_answers(frames(*both), 1e-3) != "" or what != "one score"


def test_nothing_measured_is_not_the_same():
    assert sanity_checks.same_answers([], 1.0) == ""
    assert sanity_checks.same_answers([to_frame([])], 1.0) == ""


# -- tokenizers, empty and looping texts -------------------------------------------------------------------------------


def test_differing_tokenizers_are_told():
    one, other = {"tokenizer": "a"}, {"tokenizer": "b"}
    assert sanity_checks.tokenizers({"policy": one, "reference": one}) == []
    assert sanity_checks.tokenizers({"policy": one, "reference": {}}) == []
    (told,) = sanity_checks.tokenizers({"policy": one, "reference": other})
    assert told.startswith("the tokenizers differ")


LOOPS = [
    "no no no no no no no no no no no no",
    "They like it. They like it. They like it. They like it.",
    "I went to the park and I went to the park and I went to the park and",
    "well then one two three four five six seven eight one two three four five six seven eight "
    "one two three four five six seven eight",
]
READS = [
    "",
    "no no no no no no no no no no no",
    "They like it, and they said that they would come back to it when they could.",
    "The cat and the dog and the bird and the horse and the cow were there today.",
    # A period of seventeen words, of which no phrase of eight is a half; and one that makes up just one half.
    " ".join([*"abcdefghijklmnopq"] * 3),
    "no no no no no no one two three four five six",
]


@pytest.mark.parametrize("text", LOOPS)
def test_a_repeated_phrase_is_a_loop(text):
    assert sanity_checks.loops(text)


@pytest.mark.parametrize("text", READS)
def test_prose_and_short_texts_are_no_loops(text):
    assert not sanity_checks.loops(text)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 8), st.integers(3, 9), st.integers(0, 6), st.randoms(use_true_random=False))
def test_a_phrase_is_found_if_it_makes_up_more_than_half(size, times, extra, random):
    phrase = [f"w{i}" for i in range(size)]
    words = [*(f"a{i}" for i in range(extra)), *(phrase * times), *(f"b{i}" for i in range(extra))]
    assert sanity_checks.loops(" ".join(words)) == (len(words) >= 12 and 2 * size * times > len(words))
    random.shuffle(words)
    distinct = [f"{word}.{i}" for i, word in enumerate(words)]
    assert not sanity_checks.loops(" ".join(distinct))


def texts(role, empty, looping, total):
    written = [" \n"] * empty + [LOOPS[0]] * looping + ["fine and well"] * (total - empty - looping)
    for i, text in enumerate(written):
        yield Measurement("misgendering", str(i), role, "pronoun", 0.0, text=text)
        # Every continuation has two rows there, and is to be counted once.
        yield Measurement("misgendering", str(i), role, "noun", 0.0, text=text)
        yield Measurement("misgendering", str(i), role, "twin", 0.0)


def test_shares_above_the_stated_ones_are_told_for_each_model():
    def told(**roles):
        made = to_frame([row for role, how in roles.items() for row in texts(role, *how)])
        return sanity_checks.degenerate({"misgendering": made})

    assert told(policy=(20, 50, 100), reference=(0, 0, 100)) == []
    (empty,) = told(policy=(21, 0, 100), reference=(0, 0, 100))
    assert empty.startswith("misgendering: 21 of 100 continuations of the policy are empty (21 %)")
    (looping,) = told(policy=(0, 0, 100), reference=(0, 51, 100))
    assert looping.startswith("misgendering: 51 of 100 continuations of the reference repeat one phrase (51 %)")
    assert len(told(policy=(30, 60, 100), reference=(30, 60, 100))) == 4
    assert sanity_checks.degenerate({"winoqueer": to_frame([])}) == []


# -- through the run ---------------------------------------------------------------------------------------------------


@pytest.fixture
def gate(tmp_path, monkeypatch):
    """Runs two doubles on a few pairs; the store stays."""
    monkeypatch.setattr(run, "load", lambda name, *rest: DATA if name == "winoqueer" else load(name, *rest))

    def go(policy, reference, benchmarks=("winoqueer",), **options):
        told = {"model": "p", "reference": "r", "store": str(tmp_path / "store"), "scale": "smoke", **options}
        return measure(Settings(benchmarks=benchmarks, **told), factory=Doubles({"p": policy, "r": reference}.get))

    return go


QUEER = {tuple(pair.queer.split()) for pair in DATA.pairs}


def leaning(words):
    """Queer sentences are likelier, by far less than a noisy engine's noise."""
    return 0.002 if tuple(words) in QUEER else 0.0


def test_noise_turns_wins_into_ties_and_is_told(gate):
    check = parse("winoqueer/preference/all", gated=True, where="here")
    calm = gate(Noisy("calm", bonus=leaning), Noisy("reference"))
    assert calm.verdict(check).policy == 1.0
    assert calm.info.policy["noise_floor"].startswith("0.0e+00 nats in 48 sentences")
    assert not any("count as ties" in note for note in calm.info.notes)
    engine = Noisy("noisy", shift=0.125, bonus=leaning)
    noisy = gate(engine, Noisy("other", bonus=lambda words: 50 * leaning(words)))
    # All are ties then, and scores that tell no sentence from another decide nothing.
    undecided = noisy.verdict(check)
    assert (undecided.verdict, undecided.policy) == ("error", None)
    assert "tie within the noise floor" in undecided.explain
    assert noisy.info.policy["noise_floor"] == "1.2e-01 nats in 48 sentences scored twice"
    assert any(note.startswith("the policy's log-probs move by 1.2e-01") for note in noisy.info.notes)
    # A run that only reads says the same.
    asked = len(engine.asked)
    again = gate(engine, Noisy("other", bonus=lambda words: 50 * leaning(words)))
    assert (again.info, len(engine.asked), again.computed) == (noisy.info, asked, 0)


def test_an_engine_that_does_not_repeat_itself_gates_nothing(gate):
    with pytest.raises(EngineError, match="the policy's engine does not repeat itself"):
        gate(Noisy("wild", shift=0.6, bonus=leaning), Noisy("reference"))


def test_two_names_of_one_model_gate_nothing(gate):
    with pytest.raises(EngineError, match="the policy answers as its reference does"):
        gate(Noisy("one", bonus=leaning), Noisy("two", bonus=leaning))
    with pytest.raises(EngineError, match="continuations equal"):
        gate(Noisy("one"), Noisy("two"), benchmarks=("misgendering",))
    gate(Noisy("one", bonus=leaning), Noisy("two", bonus=leaning), allow_same=True)
    gate(Noisy("one"), Noisy("three", answer=lambda *_: "or not."), benchmarks=("misgendering",))


def test_notes_reach_the_result(gate):
    class Otherwise(Noisy):
        @property
        def record(self):
            return {"engine": "scripted", "tokenizer": "letters"}

    silent, looping = Noisy("silent", answer=lambda *_: ""), Otherwise("looping", answer=lambda *_: LOOPS[1])
    found = gate(silent, looping, benchmarks=("misgendering",))
    notes = "\n".join(found.info.notes)
    assert "the tokenizers differ" in notes
    assert "continuations of the policy are empty (100 %)" in notes
    assert "continuations of the reference repeat one phrase (100 %)" in notes


def test_a_damaged_engine_gates_nothing(gate):
    with pytest.raises(EngineError, match=r"text \d+ of \d+ got log-probabilities that are not finite"):
        gate(Noisy("damaged", bonus=lambda words: math.nan if "people" in words else 0.0), Noisy("reference"))


def test_pairs_that_end_with_the_word_that_differs_are_counted():
    def of(*texts, kind="stigma"):
        pairs = tuple(
            replace(DATA.pairs[0], id=str(at), queer=x, counterfactual=y, kind=kind) for at, (x, y) in enumerate(texts)
        )
        return {"mine": replace(DATA, pairs=pairs)}

    apart, alike = ("Ann met Bo.", "Ann met Cy."), ("Ann met Bo there.", "Ann met Cy there!")
    (note,) = sanity_checks.ending_pairs(of(apart, alike, apart))
    assert note.startswith("mine: in 2 of 3 pairs no word follows the one that differs")
    assert sanity_checks.ending_pairs(of(alike)) == sanity_checks.ending_pairs(of(apart, kind="neutral")) == []
    assert sanity_checks.ending_pairs({"winoqueer": WHOLE}) == []


def test_frames_hold_what_canaries_read():
    """What they compare is among what frames hold."""
    from rootfruit_checks.observations.frame import PAIR_COLUMNS, QUANTITIES

    assert set(sanity_checks.SCORES) <= set(PAIR_COLUMNS)
    assert {"twin", *sanity_checks.TEXTS} <= set(QUANTITIES)
    assert isinstance(to_frame([]), pd.DataFrame)
    assert np.isfinite(list(sanity_checks.NOISE_FLOOR.values())).all()
