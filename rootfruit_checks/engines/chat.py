"""How a prompt is put to a chat model: as a user's turn of its own template, the same for policy and reference.

Benchmarks of log-probabilities stay on plain text: they ask what the model thinks likely, not what it answers. Where it
is asked what it answers (`--rootfruit-chat-scores`), each sentence of a pair is scored as the answer to `REQUEST`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from rootfruit_checks.errors import EngineError
from rootfruit_checks.types import Chat, Role

# Templates may print today's date, and the same run would be another one tomorrow. This is Llama 3.1's own default.
_DATE = "26 Jul 2024"
_SAMPLE = "Robin went home."
# What the user asks where a sentence is scored as the answer: nothing that a pair's two sentences could fit unequally.
REQUEST = "Write one sentence."


class Renders(Protocol):
    """What knows a chat template."""

    def render(self, chat: Chat, text: str) -> str | None:
        """Return the prompt as the model is to see it, or None where it has no chat template."""


def render(tokenizer: Any, name: object, chat: Chat, text: str) -> str | None:
    """Return `text` as a user's turn, up to where the model's answer begins; None without a template.

    Raises:
        EngineError: the template refuses such a conversation.

    """
    if not getattr(tokenizer, "chat_template", None):
        return None
    turns = [{"role": "system", "content": chat.system}] if chat.system else []
    turns.append({"role": "user", "content": chat.instruction.replace("{prompt}", text)})
    try:
        return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True, date_string=_DATE))
    except Exception as error:
        # Templates raise what they like, jinja2 its own types.
        hint = "; leave out --rootfruit-chat-system, or use --rootfruit-chat=never" if chat.system else ""
        told = " ".join(str(error).split())
        raise EngineError(f"{name}: the chat template cannot be rendered ({told}){hint}") from error


def settle_scores(system: str, engines: Mapping[Role, Renders]) -> tuple[str, str]:
    """Return what stands before each scored sentence, up to where the answer begins; and say so in words.

    Only a sentence's own tokens are summed. The turn is the same before both sentences of a pair and under both
    models, and what would end the answer is not scored, as no EOS is on plain text.

    Raises:
        EngineError: a model has no chat template, or the two models' renderings differ.

    """
    shown = {role: engine.render(Chat(REQUEST, system), "") for role, engine in engines.items()}
    for role, text in shown.items():
        if not text:
            raise EngineError(
                f"--rootfruit-chat-scores: the {role} has no chat template; save its tokenizer with one, or drop it"
            )
    if len(set(shown.values())) > 1:
        raise EngineError(
            "--rootfruit-chat-scores: policy and reference have different chat templates, and would be scored on "
            "different texts; drop it, and both are scored on plain text"
        )
    return str(next(iter(shown.values()))), f"the models' chat template: each sentence as the answer to {REQUEST!r}" + (
        f", system prompt {system!r}" if system else ", no system prompt of ours"
    )


def settle(how: str, chat: Chat, engines: Mapping[Role, Renders]) -> tuple[Chat | None, str]:
    """Decide how prompts are put to all the models: `chat`, or None for plain text; and say so in words.

    Args:
        how: `auto`, `never` or `always`.
        chat: system prompt and instruction.
        engines: role -> engine.

    Raises:
        EngineError: the models would see different renderings, or `always` and one has no template.

    """
    if how == "never":
        return None, "plain text"
    shown = {role: engine.render(chat, _SAMPLE) for role, engine in engines.items()}
    without = [role for role, text in shown.items() if text is None]
    if how == "always" and without:
        raise EngineError(
            f"--rootfruit-chat=always: the {without[0]} has no chat template; save its tokenizer with one, "
            "or use --rootfruit-chat=never"
        )
    if len(without) == len(shown):
        return None, "plain text (no model has a chat template)"
    if without:
        return None, f"plain text to all, for the {without[0]} has no chat template; the answers are not a chat's"
    if len(set(shown.values())) > 1:
        raise EngineError(
            "policy and reference have different chat templates and would answer different prompts; "
            "--rootfruit-chat=never puts plain text to both"
        )
    return chat, f"a user's turn of the models' chat template: {chat.instruction!r}" + (
        f", system prompt {chat.system!r}" if chat.system else ", no system prompt of ours"
    )
