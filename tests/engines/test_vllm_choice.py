"""Which engine a setting opens, and the pair of which one half scores and the other generates."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from rootfruit_checks.base.errors import EngineError
from rootfruit_checks.base.types import Sampling
from rootfruit_checks.benchmarks.misgendering.starter import starter_misgendering
from rootfruit_checks.config.settings import Settings
from rootfruit_checks.engines import factory
from rootfruit_checks.engines.base import generate, score
from rootfruit_checks.engines.hf.engine import HFEngine
from rootfruit_checks.engines.scripted import ScriptedEngine
from rootfruit_checks.engines.split_engine import PairEngine
from rootfruit_checks.engines.vllm import setup
from rootfruit_checks.engines.vllm.engine import VLLMEngine

BASE = str(Path(__file__).resolve().parents[2] / "fixtures" / "models" / "base")


@pytest.fixture
def machine(monkeypatch):
    def has(vllm, cuda):
        found = importlib.util.find_spec
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name, *rest: (vllm or None) if name == "vllm" else found(name, *rest)
        )
        monkeypatch.setattr(setup, "installed", lambda: ("vllm", "0"))
        monkeypatch.setattr(setup, "has_cuda", lambda: cuda)

    return has


@pytest.mark.parametrize(
    ("vllm", "cuda", "device", "kind"),
    [
        (True, True, "auto", PairEngine),
        (True, True, "cuda:0", PairEngine),
        (True, True, "cpu", HFEngine),
        (True, False, "auto", HFEngine),
        (False, True, "auto", HFEngine),
    ],
)
def test_auto_generates_with_vllm_where_it_can(machine, vllm, cuda, device, kind):
    machine(vllm, cuda)
    engine = factory.open_engine(BASE, Settings(device=device))
    assert type(engine) is kind
    if kind is PairEngine:
        assert type(engine._scorer) is HFEngine
        assert type(engine._generator) is VLLMEngine


def test_both_sides_get_the_same_kind(machine):
    machine(vllm=True, cuda=True)
    other = BASE.replace("base", "sft")
    settings = Settings(model=BASE, reference=other)
    first, second = factory.open_engine(BASE, settings), factory.open_engine(other, settings, option="--reference")
    assert first.fingerprint != second.fingerprint
    assert {k: v for k, v in first.record.items() if k != "weights"} == {
        k: v for k, v in second.record.items() if k != "weights"
    }


def test_a_pairs_record_tells_both_where_they_differ(machine):
    machine(vllm=True, cuda=True)
    pair, alone = factory.open_engine(BASE, Settings()), HFEngine(BASE)
    assert pair.record["engine"] == f"scores: {alone.record['engine']}; generates: vllm 0"
    for key in ("tokenizer", "weights", "bos", "dtype"):
        assert pair.record[key] == alone.record[key]


def test_an_option_that_nobody_would_read_is_refused(machine):
    machine(vllm=False, cuda=False)
    with pytest.raises(EngineError, match="option --rootfruit-max-model-len: works only with vLLM"):
        factory.open_engine(BASE, Settings(max_model_len=64))


def test_vllm_asked_for_and_not_installed(monkeypatch):
    monkeypatch.setattr(setup, "_DISTRIBUTIONS", ("no-such-distribution",))
    with pytest.raises(EngineError, match=r'pip install "rootfruit-checks\[vllm\]"') as caught:
        factory.open_engine(BASE, Settings(engine="vllm"))
    assert "\n" not in str(caught.value)


class Weighed(ScriptedEngine):
    """A scripted engine that says when it holds weights."""

    def __init__(self, name, held):
        super().__init__(name, lambda word, place, words: -1.0 - len(name), lambda prompt, draw: f"by {name}")
        self._mine, self._held = name, held

    def _take(self, work):
        def compute(units):
            self._held.add(self._mine)
            assert len(self._held) == 1, "two sets of weights at once"
            yield from inner(units)

        inner = work.compute
        object.__setattr__(work, "compute", compute)
        return work

    def plan_scores(self, texts, units=None):
        return self._take(super().plan_scores(texts))

    def plan_generation(self, prompts, sampling):
        return self._take(super().plan_generation(prompts, sampling))

    def close(self):
        self._held.discard(self._mine)


def test_a_pair_asks_the_right_half_and_holds_one_set_of_weights():
    held = set()
    pair = PairEngine(scorer=Weighed("tree", held), generator=Weighed("v", held))
    prompts = starter_misgendering()[:3]
    for _ in range(2):
        assert score(pair, ["a b"])[0].logprobs.tolist() == [-5.0, -5.0]
        assert held == {"tree"}
        assert {answer.text for answer in generate(pair, prompts, Sampling())} == {"by v"}
        assert held == {"v"}
    # Planned both before either is computed.
    scores, draws = pair.plan_scores(["a"]), pair.plan_generation(prompts, Sampling())
    list(scores.compute(scores.units))
    list(draws.compute(draws.units))
    pair.close()
    assert not held


def test_a_pairs_fingerprint_knows_both_and_who_does_what():
    one, two, three = (ScriptedEngine(name, lambda *_: -1.0, lambda *_: "") for name in "abc")
    prints = {PairEngine(*halves).fingerprint for halves in ((one, two), (two, one), (one, three), (one, one))}
    assert len(prints) == 4
    assert not prints & {one.fingerprint, two.fingerprint, three.fingerprint}
