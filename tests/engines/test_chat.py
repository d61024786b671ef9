"""Prompts as a user's turn: what the model sees is what its template says, and both models see the same."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from rootfruit_checks.base.errors import ConfigError, EngineError
from rootfruit_checks.base.types import Chat, Prompt, Sampling
from rootfruit_checks.config.build import build
from rootfruit_checks.engines.base import generate
from rootfruit_checks.engines.chat.template import settle
from rootfruit_checks.engines.hf.engine import HFEngine
from rootfruit_checks.runs.measure import measure

MODELS = Path(__file__).resolve().parents[2] / "fixtures" / "models"
TEMPLATE = (
    "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}"
)
CHAT = Chat("Go on: {prompt}", "Be brief.")
PROMPTS = [Prompt(f"p{i}", text, "disclosure", "x", "f", "s") for i, text in enumerate(("Sam is here.", "A cat sat."))]


class Shown:
    """Renders by rule."""

    def __init__(self, text):
        self.text = text

    def render(self, chat, text):
        return self.text


def with_template(tmp_path, name, template):
    folder = tmp_path / name
    shutil.copytree(MODELS / name, folder)
    if template is not None:
        (folder / "chat_template.jinja").write_text(template)
    return folder


def test_the_model_sees_its_template_and_no_second_bos(tmp_path):
    engine = HFEngine(with_template(tmp_path, "base", TEMPLATE))
    greedy = Sampling(temperature=0, max_new_tokens=8, chat=CHAT)
    model = engine.loaded().model
    for prompt, answer in zip(PROMPTS, generate(engine, PROMPTS, greedy), strict=True):
        seen = f"system: Be brief.\nuser: Go on: {prompt.text}\nassistant:"
        ids = torch.tensor([engine.tokenizer(seen, add_special_tokens=False)["input_ids"]])
        want = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=8, do_sample=False)
        assert answer.text == engine.tokenizer.decode(want[0, ids.shape[1] :], skip_special_tokens=True)
    plain = [a.text for a in generate(engine, PROMPTS, Sampling(temperature=0, max_new_tokens=8))]
    assert plain != [a.text for a in generate(engine, PROMPTS, greedy)]


def test_a_template_is_part_of_the_fingerprint(tmp_path):
    one = HFEngine(with_template(tmp_path / "a", "base", TEMPLATE)).fingerprint
    other = HFEngine(with_template(tmp_path / "b", "base", TEMPLATE + " ")).fingerprint
    assert len({one, other, HFEngine(MODELS / "base").fingerprint}) == 3


def test_a_template_that_prints_the_date_gives_the_same_prompt_every_day(tmp_path):
    template = (
        "{% if not date_string is defined %}{% set date_string = strftime_now('%d') %}{% endif %}{{ date_string }}"
        + TEMPLATE
    )
    engine = HFEngine(with_template(tmp_path, "base", template))
    assert engine.render(CHAT, "x") == "26 Jul 2024system: Be brief.\nuser: Go on: x\nassistant:"


def test_a_template_that_refuses_a_system_prompt_says_what_to_do(tmp_path):
    template = (
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
        + TEMPLATE
    )
    engine = HFEngine(with_template(tmp_path, "base", template))
    with pytest.raises(EngineError, match=r"System role not supported.*--rootfruit-chat-system"):
        engine.render(CHAT, "x")
    assert engine.render(Chat("{prompt}"), "x") == "user: x\nassistant:"


@pytest.mark.parametrize(
    ("how", "policy", "reference", "used"),
    [
        ("auto", "A", "A", True),
        ("always", "A", "A", True),
        ("never", "A", "A", False),
        ("auto", None, None, False),
        ("auto", "A", None, False),
        ("auto", None, "B", False),
    ],
)
def test_both_models_see_the_same(how, policy, reference, used):
    chat, told = settle(how, CHAT, {"policy": Shown(policy), "reference": Shown(reference)})
    assert (chat == CHAT) is used
    assert told.startswith("a user's turn" if used else "plain text")
    if how == "auto" and (policy is None) != (reference is None):
        assert f"the {'policy' if policy is None else 'reference'} has no chat template" in told


@pytest.mark.parametrize(
    ("how", "policy", "reference"), [("auto", "A", "B"), ("always", "A", "B"), ("always", "A", None)]
)
def test_different_renderings_are_refused(how, policy, reference):
    with pytest.raises(EngineError, match="--rootfruit-chat=never"):
        settle(how, CHAT, {"policy": Shown(policy), "reference": Shown(reference)})


def test_without_a_reference_the_policy_decides():
    assert settle("auto", CHAT, {"policy": Shown("A")})[0] == CHAT


@pytest.mark.parametrize("text", ["no place", "{prompt} and {prompt}"])
def test_an_instruction_without_its_place_is_refused(text):
    with pytest.raises(ConfigError, match=r"must contain \{prompt\} exactly once"):
        build({"chat_instruction": text})


def test_a_run_says_how_prompts_were_put_and_keeps_chat_apart(tmp_path):
    options = {
        "model": str(with_template(tmp_path, "dpo", TEMPLATE)),
        "reference": str(with_template(tmp_path, "base", TEMPLATE)),
        "benchmarks": "misgendering",
        "scale": "smoke",
        "store": str(tmp_path / "store"),
        "max_new_tokens": "6",
    }
    chat = measure(build(options))
    assert "user's turn" in chat.info.data["prompts"]
    assert "Continue this text" in chat.info.data["prompts"]
    plain = measure(build({**options, "chat": "never"}))
    assert plain.info.data["prompts"] == "plain text"
    assert plain.computed, "plain answers were taken from the chat's"
    again = measure(build(options))
    assert again.computed == 0
    assert json.dumps(dict(again.info.data)) == json.dumps(dict(chat.info.data))
