"""How a prompt is put to a chat model: as a user's turn of its own template, the same for policy and reference.

Benchmarks of log-probabilities stay on plain text: they ask what the model thinks likely, not what it answers. Where it
is asked what it answers (`--rootfruit-chat-scores`), each sentence of a pair is scored as the answer to `REQUEST`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from rootfruit_checks.base.errors import EngineError
from rootfruit_checks.base.types import Chat, Role

_SAMPLE = "Robin went home."
# What the user asks where a sentence is scored as the answer: nothing that a pair's two sentences could fit unequally.
REQUEST = "Write one sentence."


class Renders(Protocol):
    """What knows a chat template."""

    def render(self, chat: Chat, text: str) -> str | None:
        """Return the prompt as the model is to see it, or None where it has no chat template."""


def notes_of(engines: Mapping[Role, Renders], chat: Chat) -> str:
    """Return what the engines' templates do beyond putting a turn, in words; an engine need not know of any."""
    found: dict[str, None] = {}
    for engine in engines.values():
        notes: Callable[[Chat], Sequence[str]] | None = getattr(engine, "chat_notes", None)
        found |= dict.fromkeys(notes(chat) if notes else ())
    return "".join(f"; {note}" for note in found)


def check_stops(stops: Sequence[str], engines: Mapping[Role, Renders]) -> None:
    """Refuse further stop tokens that no model has: they would stop nothing.

    Raises:
        EngineError: a text that is not a single token of any of the models.

    """
    for text in stops:
        known = [getattr(engine, "token_of", None) for engine in engines.values()]
        if all(token_of is not None and token_of(text) is None for token_of in known):
            raise EngineError(
                f"option --rootfruit-stop: {text!r} is not a token of the model{'s'[: len(known) - 1]}; "
                "give a token as the tokenizer writes it, such as <|im_end|>"
            )


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
    told = f", system prompt {system!r}" if system else ", no system prompt of ours"
    return (
        str(next(iter(shown.values()))),
        f"the models' chat template: each sentence as the answer to {REQUEST!r}{told}"
        f"{notes_of(engines, Chat(REQUEST, system))}",
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
    shown: dict[Role, str | None] = {}
    faults: list[EngineError] = []
    for role, engine in engines.items():
        try:
            shown[role] = engine.render(chat, _SAMPLE)
        except EngineError as error:
            faults.append(error)
            shown[role] = ""
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
    if faults:
        raise faults[0]
    if len(set(shown.values())) > 1:
        raise EngineError(
            "policy and reference have different chat templates and would answer different prompts; "
            "--rootfruit-chat=never puts plain text to both"
        )
    system = f", system prompt {chat.system!r}" if chat.system else ", no system prompt of ours"
    return (
        chat,
        f"a user's turn of the models' chat template: {chat.instruction!r}{system}{notes_of(engines, chat)}",
    )
