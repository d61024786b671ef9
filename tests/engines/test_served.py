"""The engine of served models, against a server that is known: what is asked, what is answered, what is kept."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest
from served_double import BOS, Double

from rootfruit_checks.base.errors import EngineError
from rootfruit_checks.base.types import Prompt, Sampling
from rootfruit_checks.engines.base import generate, score
from rootfruit_checks.engines.hf.engine import HFEngine
from rootfruit_checks.engines.served.engine import ServedEngine
from rootfruit_checks.engines.work_units import Forget, fulfil

BASE = Path(__file__).resolve().parents[2] / "fixtures" / "models" / "base"
GREEDY = Sampling(temperature=0.0, max_new_tokens=6)
DRAWN = Sampling(max_new_tokens=6, continuations=2, seed=5)
TEXTS = ["They went home.", "She is a doctor.", "", "Kai bakes bread!", "They went home."]


class Kept(dict):
    def begin(self, what, total):
        pass

    def put(self, key, value):
        assert key not in self
        self[key] = value


class HFModel:
    """A tiny model's own log-probs and greedy continuations, computed by the transformers engine."""

    def __init__(self):
        self.engine, self.mutex = HFEngine(BASE), threading.Lock()

    def cut(self, text):
        with self.mutex:
            scores = score(self.engine, [text])[0]
        ids = scores.ids.tolist()
        return ids, [self.engine.tokenizer.decode([i]) for i in ids], scores.logprobs.tolist()

    def write(self, text, tokens, temperature, seed):
        asked = [Prompt("p", text, "misgendering", "they", "f", "s")]
        with self.mutex:
            answer = generate(self.engine, asked, Sampling(temperature=0.0, max_new_tokens=tokens))[0]
        return answer.text, answer.tokens, "stop" if answer.finish == "eos" else "length"


@pytest.fixture
def serve():
    """Make servers, and stop them in the end."""
    made = []

    def make(*args, **options):
        made.append(Double(*args, **options))
        return made[-1]

    yield make
    for double in made:
        if not double.gone:
            double.stop()


@pytest.fixture
def double(serve):
    return serve()


def engine_of(double, **options):
    return ServedEngine(double.url, **{"pause": 0.01, "timeout": 20.0, **options})


def prompts(count, name="p"):
    return [Prompt(f"{name}{i}", f"Person {i} says", "misgendering", "they", "f", f"s{i}") for i in range(count)]


# -- scores ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny():
    return HFModel()


@pytest.mark.parametrize("way", ["prompt_logprobs", "echo"])
def test_scores_equal_those_of_the_model_itself(serve, tiny, way):
    texts = [*TEXTS, "naïve 🦊 Zé", "A", "The people who live here are kind."]
    engine = engine_of(serve(tiny, ways=(way,)))
    for text, mine, true in zip(texts, score(engine, texts), score(tiny.engine, texts), strict=True):
        np.testing.assert_allclose(mine.logprobs, true.logprobs, rtol=0, atol=1e-3)
        assert mine.logprobs.dtype == np.float32
        assert mine.ids.dtype == np.int32
        if way == "prompt_logprobs":
            np.testing.assert_array_equal(mine.ids, true.ids)
        elif text.isascii():  # tokens are told apart as by their ids
            assert len(set(mine.ids.tolist())) == len(set(true.ids.tolist()))
    assert engine.record["scoring"] == way
    assert engine.record["token ids"] == ("the server's" if way == "prompt_logprobs" else "hashes of the tokens' texts")


def test_greedy_continuations_equal_those_of_the_model_itself(serve, tiny):
    asked = prompts(6)
    assert list(generate(engine_of(serve(tiny)), asked, GREEDY)) == list(generate(tiny.engine, asked, GREEDY))


def test_a_bos_that_the_user_names_stands_before_each_text(serve, tiny):
    true = score(tiny.engine, TEXTS)
    double = serve(tiny, bos=False)
    engine = engine_of(double, server_bos="<s>")
    for mine, want in zip(score(engine, TEXTS), true, strict=True):
        np.testing.assert_allclose(mine.logprobs, want.logprobs, rtol=0, atol=1e-3)
    assert double.texts()[-1].startswith("<s>")
    assert "--rootfruit-server-bos" in engine.record["bos"]
    assert engine.fingerprint != engine_of(double).fingerprint


@pytest.mark.parametrize(
    ("server", "options", "told"),
    [
        ({"ways": ()}, {}, "gives no log-probs of a given text.*--rootfruit-benchmarks=disclosure"),
        ({"bos": False}, {}, "puts no BOS.*--rootfruit-server-bos="),
        ({}, {"server_bos": "<s>"}, "remove --rootfruit-server-bos"),
        ({"bos": False}, {"server_bos": "two words"}, "is not a single token"),
    ],
)
def test_a_server_that_cannot_score_rightly_is_refused(serve, server, options, told):
    with pytest.raises(EngineError, match=told):
        score(engine_of(serve(**server), **options), TEXTS)


@pytest.mark.parametrize(("flaw", "told"), [("two_bos", "after one BOS"), ("ends", "adds a token after each text")])
def test_tokens_that_the_server_adds_are_seen(double, flaw, told):
    setattr(double, flaw, True)
    with pytest.raises(EngineError, match=told):
        score(engine_of(double), TEXTS)


def test_a_reply_that_does_not_begin_as_the_probe_found_is_an_error(double):
    engine = engine_of(double)
    score(engine, TEXTS[:1])
    double.bos = False  # behind a balancer another server answers
    with pytest.raises(EngineError, match="does not start with the token that the probe found"):
        score(engine, TEXTS[1:])


@pytest.mark.parametrize("value", [float("nan"), float("-inf"), -9999.0, 0.7, "-1", None, True])
def test_what_is_no_log_probability_is_an_error(double, value):
    true = double.model.cut

    def cut(text):
        ids, names, values = true(text)
        return ids, names, [value if "bread" in text and place == 1 else v for place, v in enumerate(values)]

    double.model.cut = cut
    score(engine_of(double), ["They went home."])
    with pytest.raises(EngineError, match="malformed reply"):
        score(engine_of(double), TEXTS)


def test_a_server_that_keeps_to_the_standard_is_asked_in_its_words(serve):
    double = serve(ways=("echo",))
    double.strict = True
    engine = engine_of(double)
    assert len(score(engine, TEXTS)) == len(TEXTS)
    assert len(generate(engine, prompts(3), GREEDY)) == 3
    assert engine.record["scoring"] == "echo"
    assert "its defaults apply" in engine.record["sampling sent"]


# -- requests ----------------------------------------------------------------------------------------------------------


def test_one_answer_per_request_in_order(double):
    engine = engine_of(double)
    asked = prompts(40)
    answers = generate(engine, [*asked, asked[3]], DRAWN)
    assert [(a.prompt_id, a.draw) for a in answers] == [(p.id, d) for p in [*asked, asked[3]] for d in (0, 1)]
    for answer in answers:
        prompt = next(p for p in asked if p.id == answer.prompt_id)
        seed = next(b["seed"] for b in double.asked if b["prompt"] == prompt.text and double_says(double, b, answer))
        assert 0 <= seed < 2**31
    drawn = [body for body in double.asked if "seed" in body]
    assert len(drawn) == 80  # the repeated one was asked once
    assert len({body["seed"] for body in drawn}) == 80
    for text, scores in zip(TEXTS, score(engine, TEXTS), strict=True):
        np.testing.assert_allclose(scores.logprobs, double.model.cut(text)[2], rtol=0, atol=1e-6)


def double_says(double, body, answer):
    return "seed" in body and double.model.write(body["prompt"], 6, 1.0, body["seed"])[0] == answer.text


def test_a_draw_depends_on_its_name_and_the_seed_alone(double):
    asked = prompts(12)
    whole = generate(engine_of(double), asked, DRAWN)
    some = generate(engine_of(double, concurrency=1), asked[7:3:-1], DRAWN)
    assert {(a.prompt_id, a.draw): a.text for a in some}.items() <= {
        (a.prompt_id, a.draw): a.text for a in whole
    }.items()
    other = generate(engine_of(double), asked, Sampling(max_new_tokens=6, continuations=2, seed=6))
    assert sum(a.text != b.text for a, b in zip(whole, other, strict=True)) > 12


def test_no_seed_is_sent_where_none_is_wanted(double):
    engine = engine_of(double, server_seed="never")
    generate(engine, prompts(4), DRAWN)
    assert all("seed" not in body for body in double.asked)
    assert "none sent" in engine.record["seeds"]
    assert engine.fingerprint != engine_of(double).fingerprint


def test_the_servers_own_defaults_are_undone(double):
    generate(engine_of(double), prompts(3), DRAWN)
    assert sum("seed" in body for body in double.asked) == 6
    for body in double.asked[1:]:
        assert (body["top_k"], body["min_p"], body["repetition_penalty"]) == (-1, 0.0, 1.0)
        if "seed" in body:
            assert (body["temperature"], body["top_p"], body["max_tokens"]) == (1.0, 0.95, 6)
        else:  # the questions whether it is the same model
            assert body["temperature"] == 0.0


@pytest.mark.parametrize("bound", [1, 3, 8])
def test_no_more_requests_at_once_than_allowed(double, bound):
    double.at_least = bound
    generate(engine_of(double, concurrency=bound), prompts(30), GREEDY)
    assert double.most == bound


def test_answers_come_as_they_arrive(double):
    """The first is kept while the server still holds the last back."""
    double.fault = lambda number, body: "hang" if body["prompt"] == "Person 0 says" else None
    engine = engine_of(double, concurrency=2)
    work = engine.plan_generation(prompts(5), GREEDY)
    stream = iter(work.compute(work.units))
    assert {next(stream)[0] for _ in range(4)} == {unit.key for unit in work.units[1:]}
    double.released.set()


def test_an_empty_prompt_begins_with_bos(double):
    empty = [Prompt("e", "", "misgendering", "they", "f", "s")]
    generate(engine_of(double), empty, GREEDY)
    assert sum(body["prompt"] == [BOS] for body in double.asked) == 1


def test_an_empty_prompt_without_a_bos_that_is_known_is_refused(serve):
    empty = [Prompt("e", "", "misgendering", "they", "f", "s")]
    with pytest.raises(EngineError, match="an empty prompt cannot be sent"):
        generate(engine_of(serve(ways=("echo",))), empty, GREEDY)
    double = serve(bos=False)
    generate(engine_of(double, server_bos="<s>"), empty, GREEDY)
    assert double.texts().count("<s>") == 1


# -- what is kept ------------------------------------------------------------------------------------------------------


def test_a_resumed_run_asks_only_for_the_rest(double):
    kept, asked = Kept(), prompts(20)
    want = list(generate(engine_of(double), asked, DRAWN))
    double.texts()

    def fault(number, body):
        return (400, (), {"error": "enough"}) if body["prompt"] == "Person 17 says" else None

    double.fault = fault
    with pytest.raises(EngineError, match="enough"):
        generate(engine_of(double, concurrency=2), asked, DRAWN, kept)
    assert 4 <= len(kept) < 40
    double.fault = lambda number, body: None
    double.texts()
    assert list(generate(engine_of(double), asked, DRAWN, kept)) == want
    assert len(kept) == 40
    sent = [text for text in double.texts() if text.startswith("Person")]
    assert 1 <= len(sent) < 40


def test_a_score_is_asked_for_once(double):
    kept = Kept()
    first = score(engine_of(double), TEXTS, kept)
    double.texts()
    again = score(engine_of(double), [*TEXTS, "One more."], kept)
    # At the start and at the end the probe asks whether it is the same model.
    assert double.texts() == ["The sky is blue.", "One more.", "The sky is blue."]
    for one, other in zip(first, again, strict=False):
        np.testing.assert_array_equal(one.logprobs, other.logprobs)


def test_another_model_behind_the_same_name_does_not_continue_a_store(double):
    kept = Kept()
    score(engine_of(double), TEXTS, kept)
    true = double.model.cut

    def cut(text):
        ids, names, values = true(text)
        return ids, names, [value - 0.6 for value in values]

    double.model.cut = cut
    with pytest.raises(EngineError, match=r"not the model whose answers are in the store.*--rootfruit-store"):
        score(engine_of(double), TEXTS, kept)


def test_the_fingerprint_is_what_the_server_tells_of_the_weights(serve):
    double = serve()
    one = engine_of(double).fingerprint
    double.entries[0] |= {"created": 2, "permission": [{"id": "random"}]}
    assert engine_of(double, concurrency=1, timeout=3.0).fingerprint == one
    double.entries.append({**double.entries[0], "id": "alias"})
    assert ServedEngine(double.url, "alias").fingerprint == one, "two names of one root"
    double.entries[0]["root"] = "/models/other"
    assert ServedEngine(double.url, "tiny").fingerprint != one
    assert engine_of(serve()).fingerprint != one, "another server"


def test_the_record_says_that_weights_cannot_be_hashed(double):
    engine = engine_of(double)
    score(engine, TEXTS)
    record = engine.record
    assert record["weights"].startswith("not hashed")
    assert record["server version"] == "double/1"
    assert record["served root"] == "/models/tiny"
    assert record["endpoint"] == double.url
    assert all(isinstance(value, str) for value in record.values())
    json.dumps(dict(record))


def test_units_can_be_computed_elsewhere(double):
    here, there = engine_of(double), engine_of(double)
    for work, other in (
        (here.plan_scores(TEXTS), there.plan_scores(TEXTS)),
        (here.plan_generation(prompts(5), DRAWN), there.plan_generation(prompts(5), DRAWN)),
    ):
        held = {unit.key: there.run_task(unit.task) for unit in other.units}
        assert repr(work.answers(held)) == repr(fulfil(work, Forget()))
