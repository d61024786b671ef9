"""Log-probs must be those of the text that was sent, of one model from the first to the last."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from served_double import Double, RuleModel

from rootfruit_checks.base.errors import EngineError, StoreError
from rootfruit_checks.base.types import Prompt, Sampling
from rootfruit_checks.engines.base import generate, score
from rootfruit_checks.engines.served.engine import ServedEngine
from rootfruit_checks.engines.served.token_names import spells
from rootfruit_checks.engines.stored_units import StoredUnits
from rootfruit_checks.store.store import Store

GREEDY = Sampling(temperature=0.0, max_new_tokens=6)
DRAWN = Sampling(max_new_tokens=6, continuations=2, seed=5)
TEXTS = ["They went home.", "She is a doctor.", "Kai bakes good bread!"]
PROMPTS = [Prompt(f"p{i}", f"Person {i} says", "misgendering", "they", "f", f"s{i}") for i in range(6)]


@pytest.fixture(params=["named", "unnamed", "echo"])
def double(request):
    """A server that tells real ids with the tokens' texts or without, or these texts alone."""
    made = Double(ways=("echo",) if request.param == "echo" else ("prompt_logprobs",))
    made.named = request.param != "unnamed"
    yield made
    made.stop()


@pytest.fixture
def plain():
    made = Double()
    yield made
    made.stop()


def engine_of(double, **options):
    return ServedEngine(double.url, **{"pause": 0.005, "timeout": 20.0, "concurrency": 2, **options})


def one_line(told):
    text = str(told.value)
    assert text.isprintable()
    assert len(text) < 700
    return text


def changed(double, change):
    """Let the server tell what `change` makes of (names, ids, values) of the texts of the run, not of the probe."""
    true = double.model.cut

    def cut(text):
        ids, names, values = true(text)
        return change(ids, names, values) if text in TEXTS else (ids, names, values)

    double.model.cut = cut


def of_another_text(double):
    other = RuleModel().cut("He was here before, and gone.")
    return lambda ids, names, values: other


CHANGES = {
    "of another text": of_another_text,
    "doubled": lambda double: lambda ids, names, values: (ids * 2, names * 2, values * 2),
    "the tokens' order": lambda double: lambda ids, names, values: (ids[::-1], names[::-1], values[::-1]),
    "the last is missing": lambda double: lambda ids, names, values: (ids[:-1], names[:-1], values[:-1]),
    "the first is missing": lambda double: lambda ids, names, values: (ids[1:], names[1:], values[1:]),
    "all zero": lambda double: lambda ids, names, values: (ids, names, [0.0] * len(ids)),
    "all minus zero": lambda double: lambda ids, names, values: (ids, names, [-0.0] * len(ids)),
    "all the same": lambda double: lambda ids, names, values: (ids, names, [-1.25] * len(ids)),
    "positive": lambda double: lambda ids, names, values: (ids, names, [-v for v in values]),
    "one a little positive": lambda double: lambda ids, names, values: (ids, names, [0.0005, *values[1:]]),
    "not a number": lambda double: lambda ids, names, values: (ids, names, [float("nan"), *values[1:]]),
}
UNSEEN = {"doubled", "the tokens' order", "the last is missing", "the first is missing"}


@pytest.mark.parametrize("change", CHANGES)
def test_log_probs_that_are_not_the_texts_own_are_refused(double, change):
    if change in UNSEEN and not double.named:
        pytest.skip("a server that does not name its tokens can tell others of the same number")
    changed(double, CHANGES[change](double))
    with pytest.raises(EngineError, match=r"malformed reply.*after 2 tries") as told:
        score(engine_of(double), TEXTS)
    one_line(told)


def test_more_tokens_than_a_text_has_bytes_are_refused(double):
    changed(double, lambda ids, names, values: (ids * 20, names * 20, values * 20))
    with pytest.raises(EngineError, match="malformed reply"):
        score(engine_of(double), TEXTS)


@pytest.mark.parametrize("kind", ["cached", "swapped"])
def test_replies_that_answer_other_requests_are_refused(double, kind):
    """A cache that looks at too little, or a server that mixes up what it is asked at once."""
    true, asked = double.model.cut, []

    def cut(text):
        asked.append(text)
        own = [one for one in asked if one in TEXTS]
        if text not in TEXTS or len(own) < 2:
            return true(text)
        return true({"cached": own[0], "swapped": TEXTS[TEXTS.index(text) - 1]}[kind])

    double.model.cut = cut
    with pytest.raises(EngineError, match="malformed reply"):
        score(engine_of(double, concurrency=1), TEXTS)


def shifted_left(values):
    return [None, *values[2:], -0.5]


def shifted_right(values):
    return [None, -0.5, *values[1:-1]]


def turned(values):
    return [None, *values[2:], values[1]]


def with_one_for_the_first(values):
    return [*values[1:], -0.5]


@pytest.mark.parametrize("shift", [shifted_left, shifted_right, turned, with_one_for_the_first])
def test_log_probs_beside_other_tokens_than_their_own_are_refused(double, shift):
    true = double.answer

    def answer(body):
        status, reply = true(body)
        choice = reply["choices"][0] if status == 200 else {}
        if "prompt_logprobs" in choice:
            entries = choice["prompt_logprobs"]
            values = shift([entry and next(iter(entry.values()))["logprob"] for entry in entries])
            ids = choice["prompt_token_ids"]
            choice["prompt_logprobs"] = [
                None if v is None else {str(i): {"logprob": v}} for i, v in zip(ids, values, strict=True)
            ]
        elif body.get("echo"):
            values = choice["logprobs"]["token_logprobs"]
            choice["logprobs"]["token_logprobs"] = [*shift(values[:-1]), values[-1]]
        return status, reply

    double.answer = answer
    with pytest.raises(EngineError, match=r"belong to other tokens|malformed") as told:
        score(engine_of(double), TEXTS)
    one_line(told)


def test_one_answer_to_all_is_seen_by_the_probe(double):
    double.model.cut = lambda text: RuleModel().cut("The sky is blue.")
    with pytest.raises(EngineError, match=r"same tokens for different texts|wrong answer to a probe"):
        score(engine_of(double), TEXTS)


def test_a_number_of_tokens_that_is_not_that_of_the_log_probs_is_refused(plain):
    plain.tells = {"usage": {"prompt_tokens": 4, "completion_tokens": 1}}
    with pytest.raises(EngineError, match="lists 6 tokens of the prompt but counts 4"):
        score(engine_of(plain), TEXTS)


# -- spelling ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["The", " sky"], "The sky"),
        (["▁The", "▁sky", "▁"], "The sky "),
        (["the", "sky"], "The Sky"),
        (["na", "i", "ve"], "naïve"),
        (["na", "\ufffd", "\ufffd", "ve"], "naïve"),
        (["na", "<0xC3>", "<0xAF>", "ve"], "naïve"),
        (["na", r"bytes:\xc3\xaf", "ve"], "naïve"),
        (["nai", "\u0308", "ve"], "naïve"),
        ([" \ufffd", "", "🦊", "!"], "Zé🦊!"[1:]),
        (["I", " saw", " <unk>", "."], "I saw fae."),
        (["\ufffd" * 3, "\ufffd" * 3], "彼女"),
        (["A", "\n", "\n", "B"], "A\n\nB"),
        (["ﬁ", "ne"], "fine"),
    ],
)
def test_names_that_spell_a_text(names, text):
    assert spells(names, text)


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["The", " sky"], "The sea"),
        (["The"], "The sky"),
        (["The", " sky", " is"], "The sky"),
        (["He", " is"], "She is"),
        (["na", "\ufffd", "ve"], "naive"),
        (["\ufffd"] * 6, "abc"),
        ([" sky", "The"], "The sky"),
        ([], "a"),
        (["I", " saw", " <unk>", "!"], "I saw fae."),
    ],
)
def test_names_that_spell_another_text(names, text):
    assert not spells(names, text)


@given(st.text(max_size=40), st.lists(st.integers(0, 40), max_size=5))
def test_any_text_is_spelled_by_its_own_pieces(text, cuts):
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    assert spells([text[a:b] for a, b in pairwise(places)], text)


@given(st.text(st.characters(min_codepoint=33, max_codepoint=1500), min_size=1, max_size=30), st.data())
def test_any_bytes_of_a_text_spell_it(text, data):
    """A byte-level tokenizer cuts anywhere; what is no whole character is shown as U+FFFD."""
    raw = text.encode()
    places = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=4)))
    names = [raw[a:b].decode(errors="replace") for a, b in pairwise([0, *places, len(raw)])]
    assert spells(names, text)


# -- one model from the first to the last ------------------------------------------------------------------------------


class Other(RuleModel):
    def cut(self, text):
        ids, names, values = super().cut(text)
        return ids, names, [value - 0.6 for value in values]

    def write(self, text, tokens, temperature, seed):
        return super().write(f"{text}?", tokens, temperature, seed)


@pytest.mark.parametrize("field", ["model", "system_fingerprint"])
@pytest.mark.parametrize(
    "ask", [lambda e: score(e, TEXTS), lambda e: generate(e, PROMPTS, DRAWN)], ids=["score", "draw"]
)
def test_a_reply_that_names_another_model_is_an_error(double, field, ask):
    double.tells = {field: "first"}

    def fault(number, body):
        if body["prompt"] in {TEXTS[1], "Person 3 says"}:
            double.tells = {field: "\x1b[31msecond\n::error::x"}

    double.fault = fault
    with pytest.raises(
        EngineError, match=rf"the model behind the address has changed.*{field} is .*second.* was 'first'"
    ) as told:
        ask(engine_of(double))
    one_line(told)
    double.tells, double.fault = {}, lambda number, body: None
    ask(engine_of(double))


def exchanged(double, last):
    """Put another model in place when the last text has arrived."""

    def fault(number, body):
        if body["prompt"] == last:
            double.model = Other()

    double.fault = fault


def test_a_model_that_is_exchanged_while_scoring_is_noticed_and_its_store_is_not_continued(double, tmp_path):
    with Store(tmp_path) as store:
        exchanged(double, TEXTS[1])
        engine = engine_of(double, concurrency=1)
        with pytest.raises(
            EngineError, match=r"the model behind the address has changed.*0\.6 nats.*--rootfruit-store"
        ) as told:
            score(engine, TEXTS, StoredUnits(store, "n", "policy"))
        one_line(told)
        double.fault = lambda number, body: None
        double.model = RuleModel()  # as the store's probe has it
        with pytest.raises(StoreError, match=r"contains answers of two models.*use another --rootfruit-store") as told:
            score(engine_of(double), TEXTS, StoredUnits(store, "n", "policy"))
        one_line(told)
        assert len(score(engine_of(double), TEXTS, StoredUnits(store, "of another model", "policy"))) == 3


def test_a_model_that_is_exchanged_while_drawing_is_noticed_and_its_store_is_not_continued(double, tmp_path):
    with Store(tmp_path) as store:
        exchanged(double, "Person 4 says")
        with pytest.raises(
            EngineError, match=r"the model behind the address has changed.*greedy answers differ"
        ) as told:
            generate(engine_of(double), PROMPTS, DRAWN, StoredUnits(store, "n", "policy"))
        one_line(told)
        with pytest.raises(StoreError, match="contains answers of two models"):
            generate(engine_of(double), PROMPTS, DRAWN, StoredUnits(store, "n", "policy"))


def test_a_long_run_is_looked_at_in_between(plain):
    """Long before the end, and the rest is not asked for."""
    exchanged(plain, "Text 10.")
    with pytest.raises(EngineError, match="the model behind the address has changed"):
        score(engine_of(plain), [f"Text {number}." for number in range(1000)])
    assert len(plain.asked) < 600


def test_greedy_answers_that_vary_are_recorded_and_no_error(plain):
    true = plain.model.write
    plain.model.write = lambda text, *options: true(f"{text}{len(plain.asked)}", *options)
    engine = engine_of(plain)
    assert len(generate(engine, PROMPTS, DRAWN)) == 12
    assert engine.record["another model while drawing"].startswith("not noticed")
    steady = engine_of(plain)
    plain.model.write = true
    generate(steady, PROMPTS, DRAWN)
    assert steady.record["another model while drawing"] == "noticed by greedy answers"


def test_one_greedy_answer_that_flips_is_no_other_model(plain):
    """Where two tokens are almost as likely, batching decides between them."""
    true = plain.model.write
    generate(engine := engine_of(plain), PROMPTS, DRAWN)
    plain.model.write = lambda text, *options: (" so", 1, "stop") if text == "The sky is" else true(text, *options)
    assert len(generate(engine, PROMPTS, GREEDY)) == 6


def test_values_within_rounding_are_taken(plain):
    true = plain.model.cut
    plain.model.cut = lambda text: (*true(text)[:2], [0.000001, *true(text)[2][1:]] if text in TEXTS else true(text)[2])
    assert np.isfinite(score(engine_of(plain), TEXTS)[0].logprobs).all()
