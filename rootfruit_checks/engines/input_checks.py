"""Reject input that no engine can process, with the same messages for all engines, before any work."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rootfruit_checks.base.errors import EngineError
from rootfruit_checks.base.types import Prompt


def check_texts(texts: Iterable[str]) -> None:
    """Reject invalid texts.

    Raises:
        EngineError: a text contains half of a surrogate pair, which no tokenizer, server or file accepts.

    """
    for number, text in enumerate(texts):
        _check(text, f"text {number}")


def check_prompts(prompts: Sequence[Prompt]) -> None:
    """Reject prompts that cannot each get their own answer.

    Raises:
        EngineError: two prompts share an id but have different texts, or a prompt is not valid text.

    """
    texts: dict[str, str] = {}
    for prompt in prompts:
        if texts.setdefault(prompt.id, prompt.text) != prompt.text:
            raise EngineError(f"two prompts have the id {prompt.id!a} and different texts; give each its own id")
        _check(prompt.text, f"prompt {prompt.id!a}")


def _check(text: str, where: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise EngineError(
            f"{where}: character {error.start} is half of a surrogate pair, which is not valid text; fix the data"
        ) from None
