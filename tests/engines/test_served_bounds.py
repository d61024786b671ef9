"""Whatever a server does, a request ends: within its time, and before its reply fills the memory."""

from __future__ import annotations

import gzip
import json
import time
import tracemalloc
import zlib

import numpy as np
import pytest
from served_double import Double

from rootfruit_checks.base.errors import EngineError
from rootfruit_checks.base.types import Prompt, Sampling
from rootfruit_checks.engines.base import generate, score
from rootfruit_checks.engines.served import client
from rootfruit_checks.engines.served.client import MalformedError, unpacked
from rootfruit_checks.engines.served.engine import ServedEngine

GREEDY = Sampling(temperature=0.0, max_new_tokens=6)
PROMPTS = [Prompt("p0", "Person 0 says", "misgendering", "they", "f", "s")]
TEXTS = ["They went home.", "Kai bakes bread!"]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.fixture
def double():
    made = Double()
    yield made
    if not made.gone:
        made.stop()


def engine_of(double, **options):
    return ServedEngine(double.url, **{"pause": 0.005, "timeout": 20.0, "concurrency": 2, **options})


def one_line(told):
    text = str(told.value)
    assert text.isprintable()
    assert len(text) < 700
    return text


# -- time --------------------------------------------------------------------------------------------------------------


def drip(start, piece):
    """Write something, and then a piece of it every twentieth of a second for ten seconds."""

    def fault(write):
        write(start)
        for _ in range(200):
            time.sleep(0.05)
            write(piece)

    return fault


DRIPS = {
    "nothing": lambda write: time.sleep(3),
    "a header": drip(HEAD + b"X-Slow: ", b"x"),
    "headers": drip(HEAD, b"X-Slow: x\r\n"),
    "its status": drip(b"", b"H"),
    "a body": drip(HEAD + b"Content-Length: 100000\r\n\r\n", b" "),
    "a body without a length": drip(HEAD + b"Connection: close\r\n\r\n", b"["),
    "chunks": drip(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "the size of a chunk": drip(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"0"),
    "promises": drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "an error": drip(b"HTTP/1.1 500 No\r\nContent-Length: 100000\r\n\r\n", b" "),
    "gzip": drip(HEAD + b"Content-Encoding: gzip\r\nContent-Length: 100000\r\n\r\n" + gzip.compress(b"x")[:10], b"\0"),
}


def gave_up(engine, ask, timeout):
    began = time.monotonic()
    with pytest.raises(
        EngineError, match=rf"gave no answer in {timeout} s \(--rootfruit-timeout\), after 2 tries"
    ) as told:
        ask(engine)
    assert time.monotonic() - began < 2 * timeout + 1.5
    one_line(told)


@pytest.mark.parametrize("fault", DRIPS.values(), ids=DRIPS)
def test_a_reply_that_comes_in_drips_is_given_up(double, fault):
    engine = engine_of(double, timeout=0.3)
    generate(engine, PROMPTS, GREEDY)
    double.fault = lambda number, body: fault
    gave_up(engine, lambda engine: generate(engine, PROMPTS, Sampling(temperature=0.0, max_new_tokens=5)), 0.3)


@pytest.mark.parametrize("kind", ["models", "version", "probe", "score"])
def test_every_kind_of_request_is_given_up(double, kind):
    engine = engine_of(double, timeout=0.3)
    fault = DRIPS["a body"]
    if kind == "models":
        double.get_fault = lambda path: fault if path.endswith("/models") else None
    elif kind == "version":
        double.get_fault = lambda path: fault if path == "/version" else None
    else:
        wanted = "The sky is" if kind == "probe" else TEXTS[1]
        double.fault = lambda number, body: fault if body["prompt"] == wanted else None
    gave_up(engine, (lambda e: e.fingerprint) if kind in {"models", "version"} else lambda e: score(e, TEXTS), 0.3)


def test_a_slow_answer_within_the_time_is_taken(double):
    def slowly(write):
        data = json.dumps({"choices": [{"text": "so", "finish_reason": "stop"}]}).encode()
        write(HEAD + b"Content-Length: %d\r\n\r\n" % len(data))
        for place in range(0, len(data), 8):
            time.sleep(0.02)
            write(data[place : place + 8])

    engine = engine_of(double, timeout=5)
    double.fault = lambda number, body: slowly if body["prompt"].startswith("Person") else None
    assert generate(engine, PROMPTS, GREEDY)[0].text == "so"


def test_a_connection_can_be_closed_and_opened_again(double):
    engine = engine_of(double)
    first = score(engine, TEXTS)
    engine.close()
    engine.close()
    np.testing.assert_array_equal(score(engine, TEXTS)[1].logprobs, first[1].logprobs)
    engine.close()


# -- size --------------------------------------------------------------------------------------------------------------


def refused(double, fault, told):
    engine = engine_of(double)
    generate(engine, PROMPTS, GREEDY)
    double.fault = lambda number, body: fault
    tracemalloc.start()
    try:
        with pytest.raises(EngineError, match=told) as error:
            generate(engine, PROMPTS, Sampling(temperature=0.0, max_new_tokens=5))
        assert tracemalloc.get_traced_memory()[1] < 150 * 2**20
    finally:
        tracemalloc.stop()
    assert "after 2 tries" in one_line(error)


BOMB = gzip.compress(bytes(300 * 2**20), 1)
PACKED = {
    "gzip": ("gzip", BOMB, "longer than 16 MiB"),
    "gzip by its old name": ("X-GZIP", BOMB, "longer than 16 MiB"),
    "deflate": ("deflate", zlib.compress(bytes(40 * 2**20)), "longer than 16 MiB"),
    "cut off": ("gzip", gzip.compress(b"{}" * 1000)[:-9], "compressed and truncated"),
    "two in one": ("gzip", gzip.compress(b"{") + gzip.compress(b"}"), "continues after its end"),
    "damaged": ("gzip", b"hello", "not compressed by gzip"),
    "brotli": ("br", b"\x1b\xff", "compressed by 'br'"),
    "zstd": ("zstd", b"\x28\xb5\x2f\xfd", "compressed by 'zstd'"),
    "twice": ("gzip, gzip", gzip.compress(BOMB), "compressed by 'gzip, gzip'"),
    "not compressed": ("identity", b" " * (17 * 2**20), "longer than 16 MiB"),
}


@pytest.mark.parametrize(("encoding", "data", "told"), PACKED.values(), ids=PACKED)
def test_a_reply_that_is_too_long_is_not_read(double, encoding, data, told):
    refused(double, (200, [("Content-Encoding", encoding)], data), told)


def test_a_reply_without_an_end_is_not_read_on(double):
    def endless(write):
        write(HEAD + b"Connection: close\r\n\r\n")
        while True:
            write(b" " * 2**20)

    refused(double, endless, "longer than 16 MiB")


@pytest.mark.parametrize("status", [200, 400, 503])
def test_headers_without_an_end_are_not_read_on(double, status):
    def endless(write):
        write(b"HTTP/1.1 %d X\r\n" % status)
        while True:
            write(b"X-%d: y\r\n" % time.monotonic_ns() * 1000)

    engine = engine_of(double)
    generate(engine, PROMPTS, GREEDY)
    double.fault = lambda number, body: endless
    with pytest.raises(EngineError, match="cannot be reached or closed the connection") as told:
        generate(engine, PROMPTS, Sampling(temperature=0.0, max_new_tokens=5))
    one_line(told)


def test_many_small_objects_are_no_reply(double):
    """They take 25 times their size to read, so no two are read at once."""
    refused(double, (200, (), b"[" + b"{}," * 10_000 + b"{}]"), "not a JSON object")


@pytest.mark.parametrize("charset", ["zlib_codec", "base64", "utf-16", "idna", "no such"])
def test_a_charset_is_not_obeyed(double, charset):
    data = json.dumps({"choices": [{"text": "naïve", "finish_reason": "stop"}]}, ensure_ascii=False).encode()

    def fault(write):
        write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=%s\r\n" % charset.encode())
        write(b"Content-Length: %d\r\n\r\n" % len(data) + data)

    double.fault = lambda number, body: fault
    assert generate(engine_of(double), PROMPTS, GREEDY)[0].text == "naïve"


@pytest.mark.parametrize("pack", ["gzip", "deflate", "raw deflate"])
def test_a_compressed_reply_of_honest_size_is_read(double, pack):
    """A proxy may compress though it was asked not to."""

    def fault(number, body):
        data = json.dumps(double.answer(body)[1]).encode()
        if pack == "gzip":
            return 200, [("Content-Encoding", "gzip")], gzip.compress(data)
        made = zlib.compressobj(wbits=-15 if pack == "raw deflate" else 15)
        return 200, [("Content-Encoding", "deflate")], made.compress(data) + made.flush()

    plain = score(engine_of(double), TEXTS)
    double.fault = fault
    for one, other in zip(score(engine_of(double), TEXTS), plain, strict=True):
        np.testing.assert_array_equal(one.logprobs, other.logprobs)
    assert all(headers.get("Accept-Encoding", "identity") == "identity" for headers in double.headers)


def test_the_limit_is_exact(monkeypatch):
    monkeypatch.setattr(client, "LONGEST_REPLY", 1000)
    assert unpacked(gzip.compress(b"x" * 1000), "gzip") == b"x" * 1000
    with pytest.raises(MalformedError, match="longer"):
        unpacked(gzip.compress(b"x" * 1001), "gzip")


def test_log_probs_of_a_long_text_fit(double):
    double.longest = double.entries[0]["max_model_len"] = 10**6
    text = " ".join(f"word{number}" for number in range(20_000))
    assert len(score(engine_of(double), [text])[0].logprobs) == 20_000


# -- numbers -----------------------------------------------------------------------------------------------------------


HUGE = "1" + "0" * 400


@pytest.mark.parametrize("usage", [f'{{"completion_tokens": {n}}}' for n in (HUGE, "true", "1e999", "-1")] + [HUGE])
def test_a_count_that_is_none_is_not_told_on(double, usage):
    reply = '{"choices": [{"text": "a", "finish_reason": "stop"}], "usage": ' + usage + "}"
    double.fault = lambda number, body: (200, (), reply.encode())
    assert generate(engine_of(double), PROMPTS, GREEDY)[0].tokens == 0


@pytest.mark.parametrize("value", [HUGE, "1" * 5000, "-" + HUGE, "1e999", "-1e999", "NaN", "[]"])
def test_a_number_that_no_float_holds_is_no_log_probability(double, value):
    double.fault = lambda number, body: (
        200,
        (),
        json.dumps(double.answer(body)[1]).replace('"logprob": -', f'"logprob": {value}, "x": -', 1).encode(),
    )
    with pytest.raises(EngineError, match="malformed reply") as told:
        score(engine_of(double), TEXTS)
    one_line(told)


@pytest.mark.parametrize("longest", [True, 10**400, -1, "512", 0])
def test_a_length_that_is_none_is_not_believed(double, longest):
    double.entries[0]["max_model_len"] = longest
    assert len(score(engine_of(double), TEXTS)) == 2
