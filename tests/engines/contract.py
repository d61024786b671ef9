"""What every engine must do, whoever computes: one list of checks, each a function of a `Case`.

To hold an engine to it:

    from contract import CHECKS, Case

    @pytest.mark.parametrize("check", CHECKS)
    def test_contract(check, case):  # a Case of your engine
        check(case)

An expectation is taken from elsewhere where there is an elsewhere: from asking for one text alone, from the units that
were planned, from the model itself (`Case.after_bos`).
"""

from __future__ import annotations

import dataclasses
import json
import pickle
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from rootfruit_checks.base.errors import EngineError
from rootfruit_checks.base.types import Prompt, Sampling
from rootfruit_checks.engines.base import Engine, generate, score
from rootfruit_checks.engines.work_units import Unit, Work, fulfil

TEXTS = (
    "They are my friend.",
    "Kai went to the market and bought some bread.",
    "They are my neighbour.",
    "He is a doctor.",
    "She is a doctor.",
    "They",
    "The people who live here are kind.",
    "Kai went to the market.",
    "a",
    "The people who live here are kind. They are my friend.",
    "Ze said that the book was hirs.",
    "1, 2, 3 and 4",
)
UNICODE = (
    "🏳️‍⚧️🏳️‍🌈 👩🏽‍❤️‍💋‍👩🏿",  # joined emoji with modifiers
    "e\u0301 is not \u00e9",  # a combining mark beside its composed twin
    "Z\u0351\u0343\u0363\u033a\u0332o\u034c\u0366e\u0310",  # stacked marks
    "הם גרים כאן and هم يعيشون هنا",  # right to left, mixed
    "\u202ethey\u202c \u2066xe\u2069",  # explicit direction marks
    "th\u200bey\u200d \ufeffare\u00ad here",  # zero-width, byte order mark, soft hyphen
    "\u200b",
    "ﷺ Ǆ ﬁ İ ß",  # what case folding and normalization change
    "𐌰𐌹𐌽𐍃 \U0001d565\U0001d559\U0001d556\U0001d56a",  # beyond the basic plane
    "tab\tline\nreturn\r\nnul\x00bell\x07",
    " ",
    "  they  ",
)
GREEDY = Sampling(temperature=0.0, max_new_tokens=6, batch_size=4)
DRAWN = Sampling(temperature=1.0, top_p=0.9, max_new_tokens=6, batch_size=4, continuations=2, seed=3)


@dataclass
class Case:
    """One engine under the contract.

    Attributes:
        make: returns a new engine, always of the same weights, in the same way; small units make for sharper checks.
        other: returns a new engine of other weights.
        forbid_loading: a context in which loading weights (starting a server, a worker) fails; for checks of what must
            be known without.
        after_bos: what the model writes greedily, in six tokens, after nothing but its BOS; None where nobody knows.
        tolerance: how far a text's log-probs may lie apart in another company, in nats.
        same: share of greedily drawn continuations that must be equal in another company.
        many: how many requests are many.
        drawn_again: whether a draw is the same in another company (with a seed per request it is).

    """

    make: Callable[[], Engine]
    other: Callable[[], Engine]
    forbid_loading: Callable[[], AbstractContextManager[Any]] = nullcontext
    after_bos: str | None = None
    tolerance: float = 1e-3
    same: float = 1.0
    many: int = 10_000
    drawn_again: bool = True
    _engine: Engine | None = field(default=None, init=False)

    @property
    def engine(self) -> Engine:
        """One engine that the checks share: starting one may be dear."""
        if self._engine is None:
            self._engine = self.make()
        return self._engine

    def close(self) -> None:
        """Close the shared engine."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None


class Kept(dict[str, bytes]):
    """Units in memory. Keeping one twice is an error; `limit` puts are kept, and the next raises `fault` after it."""

    def __init__(self, limit: int | None = None, fault: type[BaseException] = RuntimeError) -> None:
        super().__init__()
        self.limit, self.fault = limit, fault
        self.put_keys: list[str] = []

    def begin(self, what: str, total: int) -> None:
        assert what
        assert total >= 0

    def put(self, key: str, value: bytes) -> None:
        assert key not in self, "a stored unit was computed again"
        assert isinstance(value, bytes)
        self[key] = value
        self.put_keys.append(key)
        if self.limit is not None and len(self.put_keys) >= self.limit:
            raise self.fault("stopped by the test")


def prompts(texts: Sequence[str], name: str = "p") -> list[Prompt]:
    """Prompts of some texts, with ids of their own."""
    return [Prompt(f"{name}{i}", text, "misgendering", "they", "frame", f"s{i}") for i, text in enumerate(texts)]


def counted(work: Work[Any], computed: list[str]) -> Work[Any]:
    """The same work; the keys that it is asked to compute are noted."""

    def compute(units: Sequence[Unit]) -> Iterator[tuple[str, bytes]]:
        computed.extend(unit.key for unit in units)
        yield from work.compute(units)

    return dataclasses.replace(work, compute=compute)


def works(case: Case, engine: Engine, kept: Any) -> list[Work[Any]]:
    """Work of both kinds, of several units each."""
    found = [engine.plan_scores(many_texts(40), kept), engine.plan_generation(prompts(many_texts(16)), GREEDY)]
    for work in found:
        assert len(work.units) >= 3, f"{work.what}: give the engine of this test smaller units"
    return found


def many_texts(count: int) -> list[str]:
    """Short texts, all different."""
    words = "they them he she xe ze kind here book tree bread rain".split()
    return [
        f"{words[i % 12]} {words[i // 12 % 12]} {words[i // 144 % 12]} {words[i // 1728 % 12]}" for i in range(count)
    ]


def assert_same_scores(case: Case, got: Sequence[Any], want: Sequence[Any]) -> None:
    assert len(got) == len(want)
    for one, other in zip(got, want, strict=True):
        np.testing.assert_array_equal(one.ids, other.ids)
        np.testing.assert_allclose(one.logprobs, other.logprobs, rtol=0, atol=case.tolerance)


def assert_same_texts(case: Case, got: Sequence[Any], want: Sequence[Any]) -> None:
    assert [(a.prompt_id, a.draw) for a in got] == [(a.prompt_id, a.draw) for a in want]
    equal = sum((a.text, a.tokens, a.finish) == (b.text, b.tokens, b.finish) for a, b in zip(got, want, strict=True))
    assert equal >= case.same * len(want), f"{equal} of {len(want)} continuations are the same"


# -- answers -----------------------------------------------------------------------------------------------------------


def scores_come_in_request_order(case: Case) -> None:
    """One answer per request, in order: each is what the text gets alone, whatever the order."""
    alone = {text: score(case.engine, [text])[0] for text in TEXTS}
    for seed in range(3):
        asked = random.Random(seed).sample(TEXTS, len(TEXTS))
        assert_same_scores(case, score(case.engine, asked), [alone[text] for text in asked])
    totals = [alone[text].total for text in TEXTS]
    assert len({round(total, 4) for total in totals}) > len(TEXTS) // 2, "all texts score alike: order is not seen"
    for answer in alone.values():
        assert answer.logprobs.dtype == np.float32
        assert answer.ids.dtype == np.int32
        assert (answer.logprobs <= 1e-6).all()


def completions_come_in_request_order(case: Case) -> None:
    """One answer per prompt and draw, in order; greedily it is what the prompt gets alone."""
    asked = prompts(TEXTS)
    alone = [generate(case.engine, [prompt], GREEDY)[0] for prompt in asked]
    backwards = generate(case.engine, asked[::-1], GREEDY)
    assert_same_texts(case, backwards[::-1], alone)
    assert len({answer.text for answer in alone}) > 1, "all answers are alike: order is not seen"
    drawn = generate(case.engine, asked, DRAWN)
    assert [(a.prompt_id, a.draw) for a in drawn] == [(p.id, draw) for p in asked for draw in (0, 1)]
    for answer in drawn:
        assert 0 <= answer.tokens <= DRAWN.max_new_tokens
        assert answer.finish in {"eos", "length"}
    if case.drawn_again:
        some = generate(case.engine, asked[7:3:-1], DRAWN)
        assert_same_texts(case, some, [a for p in asked[7:3:-1] for a in drawn if a.prompt_id == p.id])


def nothing_is_answered_with_nothing(case: Case) -> None:
    """No request, no answer, and no unit."""
    for work in (case.engine.plan_scores([], Kept()), case.engine.plan_generation([], GREEDY)):
        assert list(work.units) == []
        assert list(fulfil(work, Kept())) == []


def an_empty_text_has_no_tokens(case: Case) -> None:
    """An empty text scores 0 over no tokens, alone or among others."""
    for asked in ([""], ["", ""], [TEXTS[0], "", TEXTS[1]]):
        answers = score(case.engine, asked)
        assert len(answers) == len(asked)
        for text, answer in zip(asked, answers, strict=True):
            assert (len(answer.ids) == 0) == (text == "")
            assert len(answer.ids) == len(answer.logprobs)
            if not text:
                assert answer.total == 0.0


def an_empty_prompt_begins_from_bos(case: Case) -> None:
    """An empty prompt is continued from BOS, alone or among others."""
    alone = generate(case.engine, prompts([""]), GREEDY)
    among = generate(case.engine, prompts(["", *TEXTS[:5]]), GREEDY)
    assert_same_texts(case, among[:1], alone)
    if case.after_bos is not None:
        assert alone[0].text == case.after_bos


def unicode_is_scored_and_continued(case: Case) -> None:
    """No script, mark or control character is lost, confused or refused."""
    together = score(case.engine, [*UNICODE, *TEXTS[:3]])
    assert_same_scores(case, together[: len(UNICODE)], [score(case.engine, [text])[0] for text in UNICODE])
    for text, answer in zip(UNICODE, together, strict=False):
        assert np.isfinite(answer.logprobs).all(), ascii(text)
    seen = {tuple(answer.ids.tolist()) for answer in together[:2]}
    assert len(seen) == 2, "two texts that differ got the same tokens"
    asked = prompts(UNICODE)
    answers = generate(case.engine, asked, GREEDY)
    assert_same_texts(case, answers, [generate(case.engine, [prompt], GREEDY)[0] for prompt in asked])
    for answer in answers:
        answer.text.encode("utf-8")  # no half of a surrogate pair


def what_is_no_text_is_refused(case: Case) -> None:
    """Half a surrogate pair cannot be written as UTF-8: an EngineError, not a crash of the tokenizer."""
    broken = [TEXTS[0], "half a pair: \ud83c"]
    with pytest.raises(EngineError):
        score(case.engine, broken)
    with pytest.raises(EngineError):
        generate(case.engine, prompts(broken), GREEDY)


def an_over_long_text_is_never_cut(case: Case) -> None:
    """A longer text has more tokens until it is refused; and what was kept before is kept."""
    kept = Kept()
    score(case.engine, TEXTS, kept)
    before = dict(kept)
    longest = 0
    for words in (8, 64, 512, 4096, 32768, 262144):
        try:
            answer = score(case.engine, [TEXTS[0], "they " * words, TEXTS[1]], kept)[1]
        except EngineError as error:
            told = str(error)
            break
        assert len(answer.ids) >= max(words, longest + 1)
        longest = len(answer.ids)
    else:
        pytest.fail("a text of 262144 words was not refused")
    assert "\n" not in told
    assert before.items() <= kept.items()
    again: list[str] = []
    fulfil(counted(case.engine.plan_scores(TEXTS, kept), again), kept)
    assert again == []


def an_over_long_prompt_is_never_cut(case: Case) -> None:
    """A prompt that leaves no room is refused, and what was kept before is kept."""
    kept = Kept()
    first = generate(case.engine, prompts(TEXTS), GREEDY, kept)
    before = dict(kept)
    with pytest.raises(EngineError) as told:
        generate(case.engine, [*prompts(TEXTS), *prompts(["they " * 262144], "long")], GREEDY, kept)
    assert "\n" not in str(told.value)
    with pytest.raises(EngineError):  # room for the prompt, none for what it asks
        generate(case.engine, prompts(TEXTS), dataclasses.replace(GREEDY, max_new_tokens=4_000_000), kept)
    assert before.items() <= kept.items()
    again: list[str] = []
    got = fulfil(counted(case.engine.plan_generation(prompts(TEXTS), GREEDY), again), kept)
    assert again == []
    assert list(got) == list(first)


def duplicates_are_computed_once(case: Case) -> None:
    """Equal requests get equal answers, and are computed once."""
    thrice = [text for text in TEXTS for _ in range(3)]
    random.Random(0).shuffle(thrice)
    work, once = case.engine.plan_scores(thrice, Kept()), case.engine.plan_scores(TEXTS, Kept())
    assert sum(unit.cost for unit in work.units) == sum(unit.cost for unit in once.units)
    want = dict(zip(TEXTS, fulfil(once, Kept()), strict=True))
    answers = fulfil(work, Kept())
    assert_same_scores(case, answers, [want[text] for text in thrice])
    found: dict[str, bytes] = {}
    for text, answer in zip(thrice, answers, strict=True):
        assert found.setdefault(text, answer.logprobs.tobytes()) == answer.logprobs.tobytes()

    asked = prompts(TEXTS)
    doubled = [*asked, *asked[::-1]]
    for sampling in (GREEDY, DRAWN):
        work = case.engine.plan_generation(doubled, sampling)
        assert sum(unit.cost for unit in work.units) == sum(
            unit.cost for unit in case.engine.plan_generation(asked, sampling).units
        )
        answers = fulfil(work, Kept())
        assert [(a.prompt_id, a.draw) for a in answers] == [
            (prompt.id, draw) for prompt in doubled for draw in range(sampling.continuations)
        ]
        by_name: dict[tuple[str, int], Any] = {}
        for answer in answers:
            assert by_name.setdefault((answer.prompt_id, answer.draw), answer) == answer


def one_id_names_one_prompt(case: Case) -> None:
    """Two prompts of one id and different texts cannot both be answered: an EngineError, not the wrong answer."""
    with pytest.raises(EngineError):
        generate(case.engine, [*prompts(TEXTS[:2]), *prompts(TEXTS[3:5])], GREEDY)


def many_requests(case: Case) -> None:
    """Ten thousand requests are ten thousand answers, each to its own request."""
    texts = many_texts(case.many)
    answers = score(case.engine, texts)
    assert len(answers) == len(texts)
    some = [*range(0, len(texts), max(1, len(texts) // 11)), len(texts) - 1]
    for i in some:
        assert_same_scores(case, [answers[i]], score(case.engine, [texts[i]]))
    short = dataclasses.replace(GREEDY, max_new_tokens=1, batch_size=500)
    asked = prompts(texts)
    drawn = generate(case.engine, asked, short)
    assert [(a.prompt_id, a.draw) for a in drawn] == [(prompt.id, 0) for prompt in asked]
    alone = [generate(case.engine, [asked[i]], short)[0] for i in some]
    assert_same_texts(case, [drawn[i] for i in some], alone)


# -- units -------------------------------------------------------------------------------------------------------------


def stored_units_are_not_computed_again(case: Case) -> None:
    """What is kept is read, not computed; what is missing is computed alone."""
    kept = Kept()
    for work in works(case, case.engine, kept):
        first: list[str] = []
        want = fulfil(counted(work, first), kept)
        assert sorted(first) == sorted(unit.key for unit in work.units)
        again: list[str] = []
        assert repr(fulfil(counted(work, again), kept)) == repr(want)
        assert again == []
        lost = work.units[len(work.units) // 2].key
        del kept[lost]
        fulfil(counted(work, again), kept)
        assert again == [lost]


def keys_are_distinct_and_stable(case: Case) -> None:
    """Two engines of one fingerprint plan the same units; other work has other keys; tasks can be pickled."""
    one, two = case.make(), case.make()
    try:
        assert one.fingerprint == two.fingerprint == case.engine.fingerprint
        kept = Kept()  # a probe of the model is kept there, so that the second engine need not load it
        for first, second in zip(works(case, one, kept), works(case, two, kept), strict=True):
            assert [(unit.key, unit.cost) for unit in first.units] == [(unit.key, unit.cost) for unit in second.units]
            assert len({unit.key for unit in first.units}) == len(first.units)
            for unit in first.units:
                assert unit.cost >= 1
                assert isinstance(unit.key, str)
                pickle.loads(pickle.dumps(unit.task))
        plans = [
            one.plan_scores(TEXTS[:6], kept),
            one.plan_scores(TEXTS[6:], kept),
            *(
                one.plan_generation(prompts(TEXTS[:4]), sampling)
                for sampling in (
                    GREEDY,
                    DRAWN,
                    dataclasses.replace(DRAWN, seed=4),
                    dataclasses.replace(DRAWN, temperature=0.5),
                    dataclasses.replace(DRAWN, top_p=0.5),
                    dataclasses.replace(DRAWN, max_new_tokens=5),
                )
            ),
            one.plan_generation(prompts(TEXTS[4:8]), GREEDY),
            one.plan_generation(prompts(TEXTS[:4], "other"), DRAWN),
        ]
        keys = [unit.key for work in plans for unit in work.units]
        assert len(set(keys)) == len(keys), "different work shares a key"
    finally:
        one.close()
        two.close()


def a_unit_computed_alone_is_the_same(case: Case) -> None:
    """Shards and workers: each half of the units computed by an engine of its own makes the same answers."""
    kept = Kept()
    for place, work in enumerate(works(case, case.engine, kept)):
        want = fulfil(work, Kept())
        engine = case.make()
        try:
            same = works(case, engine, kept)[place]
            halves = [same.units[::2], same.units[1::2]]
            held = dict(same.compute(halves[1]))
            held |= dict(work.compute([u for u in work.units if u.key not in held]))
        finally:
            engine.close()
        check = assert_same_scores if place == 0 else assert_same_texts
        check(case, work.answers(held), want)


# -- cancellation ------------------------------------------------------------------------------------------------------


def what_was_put_stays_after_a_stop(case: Case) -> None:
    """An exception or Ctrl-C in mid-work loses nothing that was put, and the next run computes the rest alone."""
    for place in range(2):
        want = fulfil(works(case, case.engine, Kept())[place], Kept())
        for fault in (RuntimeError, KeyboardInterrupt, EngineError):
            kept = Kept()
            work = works(case, case.engine, kept)[place]
            kept.limit, kept.fault = len(kept.put_keys) + 2, fault
            with pytest.raises(fault, match="stopped by the test"):
                fulfil(work, kept)
            kept.limit = None
            done = [unit.key for unit in work.units if unit.key in kept]
            assert len(done) == 2
            rest: list[str] = []
            got = fulfil(counted(work, rest), kept)
            assert sorted([*rest, *done]) == sorted(unit.key for unit in work.units)
            check = assert_same_scores if place == 0 else assert_same_texts
            check(case, got, want)


def a_consumer_may_stop(case: Case) -> None:
    """Who asks for units may take one and go; the engine works on, and closes twice."""
    engine = case.make()
    try:
        for place in range(2):
            work = works(case, engine, Kept())[place]
            stream = iter(work.compute(work.units))
            key, value = next(stream)
            assert key in {unit.key for unit in work.units}
            if hasattr(stream, "close"):
                stream.close()
            del stream
            held = dict(work.compute(work.units))
            assert held.keys() == {unit.key for unit in work.units}
            if place == 0 and case.tolerance == 0:
                assert held[key] == value
            work.answers(held)
    finally:
        engine.close()
        engine.close()


def an_engine_that_never_worked_closes(case: Case) -> None:
    """Closing what was never started is no fault, and loads nothing."""
    with case.forbid_loading():
        engine = case.make()
        engine.close()
        engine.close()


# -- identity ----------------------------------------------------------------------------------------------------------


def the_fingerprint_names_the_weights(case: Case) -> None:
    """It is known without loading weights, the same for the same weights, another for others."""
    with case.forbid_loading():
        one, two, other = case.make(), case.make(), case.other()
        assert one.fingerprint == two.fingerprint
        assert one.fingerprint != other.fingerprint
        assert len(one.fingerprint) >= 32
    for engine in (one, two, other):
        engine.close()


def the_record_is_text(case: Case) -> None:
    """What ran is told in strings that JSON can hold, before work and after, and differs only by being fuller."""
    engine = case.make()
    try:
        with case.forbid_loading():
            before = dict(engine.record)
        score(engine, TEXTS[:2])
        after = dict(engine.record)
    finally:
        engine.close()
    for told in (before, after):
        assert told
        assert all(isinstance(key, str) and isinstance(value, str) for key, value in told.items())
        assert json.loads(json.dumps(told)) == told
        assert told["engine"]
    assert before.items() <= after.items()


CHECKS: tuple[Callable[[Case], None], ...] = (
    scores_come_in_request_order,
    completions_come_in_request_order,
    nothing_is_answered_with_nothing,
    an_empty_text_has_no_tokens,
    an_empty_prompt_begins_from_bos,
    unicode_is_scored_and_continued,
    what_is_no_text_is_refused,
    an_over_long_text_is_never_cut,
    an_over_long_prompt_is_never_cut,
    duplicates_are_computed_once,
    one_id_names_one_prompt,
    many_requests,
    stored_units_are_not_computed_again,
    keys_are_distinct_and_stable,
    a_unit_computed_alone_is_the_same,
    what_was_put_stays_after_a_stop,
    a_consumer_may_stop,
    an_engine_that_never_worked_closes,
    the_fingerprint_names_the_weights,
    the_record_is_text,
)
