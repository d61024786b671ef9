"""Chat templates in the shapes of well-known families: what the model sees, or why a template is refused.

What is expected is written out by hand (`template_zoo.py`). Beside it, jinja2 and plain transformers render the same
template, with the clocks and switches that the table states.
"""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import jinja2
import jinja2.ext
import pytest
import transformers
import transformers.utils.chat_template_utils as hf_templates
from jinja2.sandbox import ImmutableSandboxedEnvironment
from template_zoo import BOS, DATED, EOS, SPECIAL, ZOO

from rootfruit_checks.base.errors import EngineError
from rootfruit_checks.base.types import Chat, Prompt
from rootfruit_checks.benchmarks.disclosure.starter import starter_disclosure
from rootfruit_checks.benchmarks.misgendering.starter import starter_misgendering
from rootfruit_checks.config.options import INSTRUCTION
from rootfruit_checks.engines.chat.template import settle
from rootfruit_checks.engines.hf.engine import HFEngine

BASE = Path(__file__).resolve().parents[2] / "fixtures" / "models" / "base"
DAY = dt.datetime(2024, 7, 26, 12, tzinfo=dt.UTC)
PROMPTS = [*starter_disclosure()[::211][:4], *starter_misgendering()[::397][:4]]
PROMPTS.append(
    Prompt("hard", 'Is Ada\'s "friend" <here> & {{ now }} \u2014 caf\u00e9? {% raw %} \\n', "disclosure", "x", "f", "s")
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One model directory with every special token of the zoo."""
    folder = tmp_path_factory.mktemp("zoo") / "model"
    shutil.copytree(BASE, folder)
    words = transformers.AutoTokenizer.from_pretrained(BASE)
    words.add_special_tokens({"additional_special_tokens": SPECIAL})
    words.save_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(BASE)
    model.resize_token_embeddings(len(words), mean_resizing=False)
    model.save_pretrained(folder)
    return folder


def engine_of(shared, template):
    engine = HFEngine(shared)
    engine.tokenizer.chat_template = template
    return engine


def by_jinja(family, chat, text):
    """The rendering by jinja2 alone, with pinned values stated in the table."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols]
    )
    environment.globals["strftime_now"] = DAY.strftime

    def refuse(message):
        raise jinja2.TemplateError(message)

    environment.globals["raise_exception"] = refuse
    source = family.template["default"] if isinstance(family.template, dict) else family.template

    def content(role, text):
        return [{"type": "text", "text": text}] if role in family.parts.split() else text

    turns = [{"role": "system", "content": content("system", chat.system)}] if chat.system else []
    turns.append({"role": "user", "content": content("user", chat.instruction.replace("{prompt}", text))})
    return environment.from_string(source).render(
        messages=turns, add_generation_prompt=True, bos_token=BOS, eos_token=EOS, **family.more
    )


ACCEPTED = [name for name, family in ZOO.items() if family.shown]
REFUSED = [name for name, family in ZOO.items() if family.refused and family.refused != "-"]


def test_the_zoo_is_large_enough():
    assert len(ZOO) >= 40
    assert len(ACCEPTED) >= 20


@pytest.mark.parametrize("name", ACCEPTED)
def test_the_model_sees_the_whole_prompt_as_its_template_puts_it(name, shared):
    family, engine = ZOO[name], engine_of(shared, ZOO[name].template)
    assert engine.render(Chat("{prompt}"), "X") == family.shown
    for chat in (Chat("{prompt}"), Chat(INSTRUCTION), Chat(INSTRUCTION, "Answer kindly; it's <b>short</b>.")):
        if chat.system and family.system is None:
            continue
        used, told = settle("auto", chat, {"policy": engine, "reference": engine})
        assert used == chat
        if not chat.system:
            assert all(note in told for note in family.told), told
            assert not family.more or any(word in told for word in ("pinned", "switched off"))
        seen = set()
        for prompt in PROMPTS:
            found = engine.render(chat, prompt.text)
            assert found == by_jinja(family, chat, prompt.text)
            assert found.count(chat.instruction.replace("{prompt}", prompt.text)) == 1
            seen.add(found)
        assert len(seen) == len(PROMPTS), "two prompts are one to the model"
        rows = engine.encode_prompts(PROMPTS, None, chat)
        for prompt, row in zip(PROMPTS, rows, strict=True):
            want = engine.tokenizer(by_jinja(family, chat, prompt.text), add_special_tokens=False)["input_ids"]
            assert row == want
            assert row.count(engine.tokenizer.bos_token_id) == family.shown.count(BOS)
    if family.system is not None:
        assert engine.render(Chat("{prompt}", "S"), "X") == family.system
    if family.end:
        assert engine.token_of(family.end) in engine.stops
        assert f"an answer ends with {family.end}" in settle("auto", Chat(INSTRUCTION), {"policy": engine})[1]


class Clock(dt.datetime):
    """What transformers' own `strftime_now` reads."""

    day = DAY

    @classmethod
    def now(cls, tz=None):
        return cls.day


@pytest.mark.parametrize("name", ACCEPTED)
def test_it_is_plain_transformers_rendering_of_one_day_and_the_same_on_any(name, shared, monkeypatch):
    family, engine = ZOO[name], engine_of(shared, ZOO[name].template)
    monkeypatch.setattr(hf_templates, "datetime", Clock)
    turns = [{"role": "user", "content": [{"type": "text", "text": "X"}] if "user" in family.parts.split() else "X"}]
    plain = []
    for day in (DAY, dt.datetime(2019, 2, 3), dt.datetime(2031, 12, 24)):
        Clock.day = day
        assert engine_of(shared, family.template).render(Chat("{prompt}"), "X") == family.shown
        plain.append(
            engine.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True, **family.more)
        )
    assert plain[0] == family.shown
    # Left to itself, a dated template is another one each day; Llama 3.1's is pinned by its own variable.
    dated = DATED in family.told and "date_string" not in family.more
    assert len(set(plain)) == (3 if dated else 1)


def test_what_a_template_draws_at_random_is_pinned(shared):
    engine = engine_of(shared, ZOO["at random"].template)
    assert len({engine.render(Chat("{prompt}"), "X") for _ in range(20)}) == 1
    assert "random choices pinned" in settle("auto", Chat("{prompt}"), {"policy": engine})[1]


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_give_a_wrong_number_is_refused_in_one_line(name, shared):
    family, engine = ZOO[name], engine_of(shared, ZOO[name].template)
    chat = Chat(INSTRUCTION, "Be kind." if family.shown else "")
    with pytest.raises(EngineError) as caught:
        settle("auto", chat, {"policy": engine, "reference": engine})
    message = str(caught.value)
    assert any(part in message for part in family.refused.split("|"))
    assert "\n" not in message
    assert "--rootfruit-chat=never" in message
    # Plain text asks no template.
    assert settle("never", chat, {"policy": engine})[0] is None
    assert engine.stops
