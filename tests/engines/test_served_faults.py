"""A server may be gone, busy, broken or hostile: one line each, what arrived is kept, and the key is told nobody."""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from email.utils import formatdate

import pytest
from served_double import Double

from rootfruit_checks.base.errors import ConfigError, EngineError, RootfruitError
from rootfruit_checks.base.types import Prompt, Sampling
from rootfruit_checks.config.build import build
from rootfruit_checks.engines.base import generate, score
from rootfruit_checks.engines.factory import open_engine
from rootfruit_checks.engines.served import caller
from rootfruit_checks.engines.served.api_key import Secret
from rootfruit_checks.engines.served.engine import ServedEngine
from rootfruit_checks.runs.measure import measure

KEY = "sk-a.secret/that+nobody=sees-0123"
GREEDY = Sampling(temperature=0.0, max_new_tokens=6)
PROMPTS = [Prompt(f"p{i}", f"Person {i} says", "misgendering", "they", "f", f"s{i}") for i in range(12)]


class Kept(dict):
    def begin(self, what, total):
        pass

    put = dict.__setitem__


@pytest.fixture
def double():
    made = Double()
    yield made
    if not made.gone:
        made.stop()


@pytest.fixture(autouse=True)
def no_key(monkeypatch):
    for name in ("ROOTFRUIT_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def pauses(monkeypatch):
    """The seconds that were waited, without waiting."""
    waited = []

    class Halt(caller.threading.Event):
        def wait(self, timeout=None):
            if timeout is not None and timeout < 1000 and not self.is_set():
                waited.append(timeout)
                return False
            return super().wait(timeout)

    class Threading:
        Event = Halt
        Thread, Lock = caller.threading.Thread, caller.threading.Lock

    monkeypatch.setattr(caller, "threading", Threading)
    return waited


def engine_of(double, **options):
    return ServedEngine(double.url, **{"pause": 0.005, "timeout": 20.0, "concurrency": 4, **options})


def prepared(double, **options):
    """An engine that has found out what it needs, so that the next requests are those of the test."""
    engine = engine_of(double, **options)
    generate(engine, PROMPTS[:1], GREEDY)
    double.texts()
    return engine


def drawn(double):
    """The prompts that were asked for since the last look, without the questions whether it is the same model."""
    return [text for text in double.texts() if text.startswith("Person")]


def one_line(told):
    text = str(told.value)
    assert "\n" not in text
    assert "\x1b" not in text
    assert len(text) < 700
    return text


PASSING = {
    "busy": (503, (), {"error": {"message": "loading"}}),
    "too many": (429, (), b""),
    "broken": (500, (), b"<html>oops</html>"),
    "drop": "drop",
    "cut": "cut",
    "no JSON": (200, (), b"<html>hello</html>"),
    "half of JSON": (200, (), b'{"choices": [{"te'),
    "no object": (200, (), b"[]"),
    "no choices": (200, (), {"choices": []}),
    "choices of another kind": (200, (), {"choices": [7]}),
    "two choices": (200, (), {"choices": [{"text": "a"}, {"text": "b"}]}),
    "no text": (200, (), {"choices": [{"text": None, "finish_reason": "stop"}]}),
    "no end": (200, (), {"choices": [{"text": "a", "finish_reason": None}]}),
    "aborted": (200, (), {"choices": [{"text": "a", "finish_reason": "abort"}]}),
    "an error that is called a success": (200, (), {"error": {"message": "engine dead"}}),
    "a cut prompt": (200, (), {"choices": [{"text": "a", "finish_reason": "stop", "truncated": True}]}),
    "deep": (200, (), b"[" * 100_000),
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
def test_what_passes_is_asked_again(double, fault):
    engine = prepared(double, concurrency=1)
    double.fault = lambda number, body: fault if number % 2 == 0 and number < 4 else None
    want = [double.model.write(p.text, 6, 0, None)[0] for p in PROMPTS]
    assert [answer.text for answer in generate(engine, PROMPTS, GREEDY)] == want
    assert len(drawn(double)) == len(PROMPTS) + 2


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
def test_what_does_not_pass_is_one_line_and_keeps_what_arrived(double, fault):
    engine, kept = prepared(double), Kept()
    double.fault = lambda number, body: fault if body["prompt"] == "Person 7 says" else None
    with pytest.raises(EngineError) as told:
        generate(engine, PROMPTS, GREEDY, kept)
    assert double.url in one_line(told)
    assert "after" in one_line(told)
    assert 1 <= len(kept) < len(PROMPTS)
    assert double.texts().count("Person 7 says") in (caller._FEW_TRIES, caller._TRIES)
    double.fault = lambda number, body: None
    before = len(kept)
    assert len(generate(engine, PROMPTS, GREEDY, kept)) == len(PROMPTS)
    assert len(drawn(double)) == len(PROMPTS) - before


@pytest.mark.parametrize("status", [400, 404, 413, 422, 501, 307])
def test_what_the_server_refuses_is_not_asked_again(double, status):
    engine = prepared(double)
    told = {"error": {"message": "no\n\x1b[31m" + "way " * 500}}
    double.fault = lambda number, body: (status, (("Location", "http://127.0.0.1:9/v1"),), told)
    with pytest.raises(EngineError) as error:
        generate(engine, PROMPTS[:1], Sampling(temperature=0.0, max_new_tokens=5))
    assert str(status) in one_line(error)
    assert len(double.texts()) == 1


def test_a_server_that_is_gone_is_said_to_be_gone(double):
    engine, kept = prepared(double), Kept()

    def fault(number, body):
        if body["prompt"] == "Person 5 says":
            double.stop()
            return "drop"
        return None

    double.fault = fault
    with pytest.raises(EngineError, match=r"cannot be reached or closed the connection.*run again to continue") as told:
        generate(engine, PROMPTS, GREEDY, kept)
    one_line(told)
    assert 1 <= len(kept) < len(PROMPTS)
    double.fault = lambda number, body: None
    double.released.clear()
    double.start()
    before = len(kept)
    assert len(generate(engine, PROMPTS, GREEDY, kept)) == len(PROMPTS)
    sent = drawn(double)
    assert len(set(sent)) >= len(PROMPTS) - before


def test_a_server_that_was_never_there_is_said_to_be_missing():
    with pytest.raises(EngineError, match=r"http://127\.0\.0\.1:9/v1: cannot be reached"):
        _ = ServedEngine("http://127.0.0.1:9/v1", "x", pause=0.001).fingerprint


def test_a_server_that_hangs_is_given_up(double):
    engine = prepared(double, timeout=0.2)
    double.fault = lambda number, body: "hang"
    with pytest.raises(EngineError, match=r"gave no answer in 0.2 s \(--rootfruit-timeout\), after 2 tries"):
        generate(engine, PROMPTS[:1], Sampling(temperature=0.0, max_new_tokens=5))


@pytest.mark.parametrize(
    ("asked", "low", "high"),
    [("7", 7, 7), ("0.25", 0.25, 0.25), ("date", 50, 61), ("soon", 0, 1), ("-3", 0, 1), ("nan", 0, 1), ("inf", 0, 1)],
)
def test_retry_after_is_obeyed(double, pauses, asked, low, high):
    engine = prepared(double)
    header = formatdate(time.time() + 60, usegmt=True) if asked == "date" else asked
    double.fault = lambda number, body: (429, (("Retry-After", header),), b"") if number == 0 else None
    assert len(generate(engine, PROMPTS[:1], Sampling(temperature=0.0, max_new_tokens=5))) == 1
    assert len(pauses) == 1
    assert low <= pauses[0] <= high


def test_who_asks_to_wait_for_hours_is_not_waited_for(double, pauses):
    engine = prepared(double)
    double.fault = lambda number, body: (429, (("Retry-After", "86400"),), b"")
    with pytest.raises(EngineError, match="asks to wait 86400 s"):
        generate(engine, PROMPTS[:1], Sampling(temperature=0.0, max_new_tokens=5))
    assert pauses == []


def test_pauses_double_and_are_not_all_alike(double, pauses):
    engine = prepared(double, pause=1.0)
    double.fault = lambda number, body: (500, (), b"")
    with pytest.raises(EngineError, match="after 5 tries"):
        generate(engine, PROMPTS[:1], Sampling(temperature=0.0, max_new_tokens=5))
    assert len(pauses) == 4
    for place, pause in enumerate(pauses):
        assert 0.75 * 2**place <= pause <= 1.25 * 2**place
    assert len({pause / 2**place for place, pause in enumerate(pauses)}) == 4


# -- names and lengths -------------------------------------------------------------------------------------------------


def test_a_name_that_is_not_served_is_refused_with_those_that_are(double):
    with pytest.raises(EngineError, match="has no model 'big'; it serves tiny"):
        _ = ServedEngine(double.url, "big").fingerprint
    double.entries.append({"id": "second\n\x1b[1m"})
    with pytest.raises(EngineError, match=r"serves tiny, second.*; name one of them: http.*#NAME") as told:
        _ = engine_of(double).fingerprint
    one_line(told)
    double.entries.clear()
    with pytest.raises(EngineError, match="serves nothing"):
        _ = engine_of(double).fingerprint
    with pytest.raises(EngineError, match="does it end in /v1"):
        _ = ServedEngine(double.url.removesuffix("/v1"), "tiny").fingerprint


def test_an_over_long_input_is_refused_and_never_cut(double):
    engine = prepared(double)
    with pytest.raises(EngineError, match=r"maximum context length is 512 tokens.*never truncated") as told:
        score(engine, ["They went home.", "word " * 600])
    one_line(told)
    with pytest.raises(EngineError, match=r"maximum context length.*prompt p0"):
        generate(engine, [Prompt("p0", "word " * 600, "misgendering", "they", "f", "s")], GREEDY)
    with pytest.raises(EngineError, match=r"takes 512 tokens.*--rootfruit-max-new-tokens"):
        generate(engine, PROMPTS, Sampling(temperature=0.0, max_new_tokens=512))


def test_a_continuation_that_the_server_shortened_is_refused(double):
    """vLLM clamps max_tokens in silence to what is left."""
    long = Prompt("p0", "word " * 507, "misgendering", "they", "f", "s")
    double.model.write = lambda text, tokens, temperature, seed: (" a" * tokens, tokens, "length")
    with pytest.raises(EngineError, match="prompt p0 leaves room for 3 tokens of 6"):
        generate(engine_of(double), [long], GREEDY)


def test_half_a_surrogate_pair_in_an_answer_can_be_written(double):
    double.fault = lambda number, body: (
        200, (), b'{"choices": [{"text": "half \\ud83c", "finish_reason": "stop"}], "usage": {"completion_tokens": 2}}',
    )  # fmt: skip
    generate(engine_of(double), PROMPTS[:1], GREEDY)[0].text.encode("utf-8")


# -- the key -----------------------------------------------------------------------------------------------------------


def everything(double, tmp_path, settings):
    """Run once well and once ill; return all text that came out."""
    out = []
    try:
        run = measure(settings)
        out += [repr(run.info), run.frame("disclosure").to_csv()]
    except RootfruitError as error:
        out.append(repr(error))
    out += [path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file()]
    for path in tmp_path.rglob("*.sqlite"):
        with sqlite3.connect(path) as db:
            out += [str(row) for row in db.execute("SELECT * FROM units")]
    return "".join(out)


def faults(number, body):
    """A hostile server's replies, which repeat the key wherever they can."""
    leak = f"your key is {KEY}"
    return [
        (200, (), {"choices": [{"text": leak, "finish_reason": "stop"}], "usage": {"completion_tokens": 3}}),
        (500, (("Retry-After", "0"),), {"error": {"message": leak}}),
        (200, (), {"choices": [{"text": "a", "finish_reason": leak}]}),
        (400, (), {"error": {"message": leak}}),
        (401, (), {"error": {"message": leak}}),
        (307, (("Location", f"http://127.0.0.1:9/{KEY}"),), leak.encode()),
    ][number]


@pytest.mark.parametrize("number", range(6))
@pytest.mark.parametrize("name", ["ROOTFRUIT_API_KEY", "OPENAI_API_KEY"])
def test_the_key_is_told_nobody(double, tmp_path, monkeypatch, caplog, capfd, number, name):
    monkeypatch.setenv(name, KEY)
    caplog.set_level(logging.DEBUG)
    double.key = KEY
    double.entries[0] |= {"root": f"/models/{KEY}", "owned_by": KEY}
    double.fault = lambda count, body: faults(number, body) if count else None
    settings = build({
        "model": f"{double.url}#tiny", "absolute_only": True, "scale": "smoke", "store": str(tmp_path / "store"),
        "benchmarks": "disclosure",
    })  # fmt: skip
    monkeypatch.setattr(caller, "_TRIES", 2)
    told = everything(double, tmp_path, settings)
    assert {key.lower(): value for key, value in double.headers[-1].items()}["authorization"] == f"Bearer {KEY}"
    assert len(told) > 100
    for text in (told, caplog.text, *capfd.readouterr()):
        assert KEY not in text
        assert KEY[3:20] not in text
    assert KEY not in repr(open_engine(settings.model, settings).__dict__)


def test_a_key_of_another_purpose_stays_on_this_machine_or_under_tls():
    both = {"ROOTFRUIT_API_KEY": "ours", "OPENAI_API_KEY": "theirs"}
    assert Secret("http://127.0.0.1:8000/v1", both).reveal() == "ours"
    one = {"OPENAI_API_KEY": "theirs"}
    assert Secret("http://127.0.0.1:8000/v1", one).reveal() == "theirs"
    assert Secret("https://example.org/v1", one).reveal() == "theirs"
    assert "theirs" not in Secret("http://gpu-3.cluster:8000/v1", one).reveal()
    assert Secret("http://gpu-3.cluster:8000/v1", both).reveal() == "ours"


@pytest.mark.parametrize("key", ["sk-with\nline", "sk-ключ", "sk-\x7fdel"])
def test_a_key_that_no_header_takes_is_refused_unseen(monkeypatch, key):
    monkeypatch.setenv("ROOTFRUIT_API_KEY", key)
    with pytest.raises(EngineError, match="ROOTFRUIT_API_KEY: contains characters") as told:
        ServedEngine("http://127.0.0.1:9/v1")
    assert key not in str(told.value)


def test_the_key_is_trimmed_and_sent(double, monkeypatch):
    monkeypatch.setenv("ROOTFRUIT_API_KEY", f" {KEY}\n")
    double.key = KEY
    assert engine_of(double).fingerprint
    monkeypatch.delenv("ROOTFRUIT_API_KEY")
    with pytest.raises(EngineError, match=r"refuses access \(HTTP 401\); it was sent no key; set ROOTFRUIT_API_KEY"):
        _ = engine_of(double).fingerprint


# -- options -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"model": "http://me:hunter2@127.0.0.1/v1"}, "must not contain a user or password"),
        ({"model": "http://hunter2@127.0.0.1/v1"}, "must not contain a user or password"),
        ({"model": "https://example.org/v1?key=hunter2"}, "must not contain a query"),
        ({"model": "https://example.org/v1?key=hunter2#name"}, "must not contain a query"),
        ({"model": "http://:8000/v1"}, "is not an address of a server"),
        ({"model": "http://host:99999/v1"}, "is not an address of a server"),
        ({"model": "http://ho st/v1"}, "is not an address of a server"),
        ({"model": "http://h/v1", "engine": "hf"}, "hf runs no served model"),
        ({"model": "models/policy", "engine": "openai"}, "'models/policy' is not an address"),
        ({"model": "http://h/v1", "reference": "models/sft"}, "one is served and the other is not"),
        ({"model": "models/policy", "reference": "HTTPS://h/v1"}, "one is served and the other is not"),
        ({"model": "http://h/v1", "concurrency": "0"}, "outside 1 to"),
        ({"model": "http://h/v1", "timeout": "0"}, "outside"),
        ({"model": "http://h/v1", "server_seed": "maybe"}, "not one of auto, never"),
    ],
)
def test_wrong_options_are_refused_before_anything_runs(options, told):
    with pytest.raises(ConfigError, match=told) as error:
        build(options)
    assert "hunter2" not in str(error.value)


def test_how_fast_answers_come_is_no_part_of_what_was_run():
    one = build({"model": "http://h/v1"}).explain()
    assert build({"model": "http://h/v1", "concurrency": "3", "timeout": "9"}).explain() == one
    assert build({"model": "http://h/v1", "server_seed": "never"}).explain() != one


def test_a_directory_is_refused_by_the_engine_too(tmp_path):
    settings = build({"model": "http://h/v1", "engine": "openai"})
    with pytest.raises(EngineError, match="is not an address"):
        open_engine(str(tmp_path), settings)
    assert isinstance(open_engine("http://h/v1#n", settings), ServedEngine)


def test_the_same_served_model_on_both_sides_is_the_same_weights(double, tmp_path):
    double.entries.append({**double.entries[0], "id": "alias"})
    base = {"scale": "smoke", "benchmarks": "winoqueer", "store": str(tmp_path)}
    for other in ("tiny", "alias"):
        with pytest.raises(EngineError, match="are the same weights"):
            measure(build({"model": f"{double.url}#tiny", "reference": f"{double.url}#{other}", **base}))


def test_a_run_says_in_its_notes_what_a_server_cannot_prove(double, tmp_path):
    settings = {"model": double.url, "absolute_only": True, "scale": "smoke", "benchmarks": "winoqueer"}
    run = measure(build({**settings, "store": str(tmp_path)}))
    assert any("weights" in note and "not hashed" in note for note in run.info.notes)
    again = measure(build({**settings, "store": str(tmp_path), "concurrency": "1"}))
    assert again.computed == 0
    assert json.dumps(repr(again.info)) == json.dumps(repr(run.info))
