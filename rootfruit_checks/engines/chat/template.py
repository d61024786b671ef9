"""How prompts are rendered for a chat model: as a user turn of its own template, the same for policy and reference.

Log-probability benchmarks use plain text by default: they measure what the model finds likely, not what it answers.
With `--rootfruit-chat-scores`, each sentence of a pair is scored as the answer to `REQUEST` instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from rootfruit_checks.base.errors import EngineError
from rootfruit_checks.base.types import Chat, Role

_SAMPLE = "Robin went home."
# The user turn before a scored sentence. It must fit both sentences of any pair equally well.
REQUEST = "Write one sentence."


class Renders(Protocol):
    """Anything with a chat template."""

    def render(self, chat: Chat, text: str) -> str | None:
        """Return the prompt as the model will see it, or None if there is no chat template."""


def notes_of(engines: Mapping[Role, Renders], chat: Chat) -> str:
    """Describe what the engines' templates do beyond rendering a turn; an engine may have no notes."""
    found: dict[str, None] = {}
    for engine in engines.values():
        notes: Callable[[Chat], Sequence[str]] | None = getattr(engine, "chat_notes", None)
        found |= dict.fromkeys(notes(chat) if notes else ())
    return "".join(f"; {note}" for note in found)


def check_stops(stops: Sequence[str], engines: Mapping[Role, Renders]) -> None:
    """Reject extra stop tokens that no model has, since they would never stop anything.

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
    """Return the text before each scored sentence, up to where the answer begins, and a description of it.

    Only a sentence's own tokens are summed. The turn before them is the same for both sentences of a pair and for both
    models. The token that would end the answer is not scored, just as EOS is not scored on plain text.

    Raises:
        EngineError: a model has no chat template, or the two models' renderings differ.

    """
    shown = {role: engine.render(Chat(REQUEST, system), "") for role, engine in engines.items()}
    for role, text in shown.items():
        if not text:
            raise EngineError(
                f"--rootfruit-chat-scores: the {role} has no chat template; save one with its tokenizer, or drop it"
            )
    if len(set(shown.values())) > 1:
        raise EngineError(
            "--rootfruit-chat-scores: policy and reference have different chat templates, so they would be scored on "
            "different texts; drop it to score both on plain text"
        )
    told = f", system prompt {system!r}" if system else ", no system prompt of ours"
    return (
        str(next(iter(shown.values()))),
        f"the models' chat template: each sentence as the answer to {REQUEST!r}{told}"
        f"{notes_of(engines, Chat(REQUEST, system))}",
    )


def settle(how: str, chat: Chat, engines: Mapping[Role, Renders]) -> tuple[Chat | None, str]:
    """Decide how prompts are rendered for all models: `chat`, or None for plain text. Also return a description.

    Args:
        how: `auto`, `never` or `always`.
        chat: system prompt and instruction.
        engines: role -> engine.

    Raises:
        EngineError: the models would see different renderings, or `always` is set and a model has no template.

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
            f"--rootfruit-chat=always: the {without[0]} has no chat template; save one with its tokenizer, "
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
            "use --rootfruit-chat=never to give both plain text"
        )
    system = f", system prompt {chat.system!r}" if chat.system else ", no system prompt of ours"
    return (
        chat,
        f"a user's turn of the models' chat template: {chat.instruction!r}{system}{notes_of(engines, chat)}",
    )
