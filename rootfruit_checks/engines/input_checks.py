"""What no engine can answer is refused before any work, in the same words by each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rootfruit_checks.base.errors import EngineError
from rootfruit_checks.base.types import Prompt


def check_texts(texts: Iterable[str]) -> None:
    """Refuse what is no text.

    Raises:
        EngineError: half of a surrogate pair, which no tokenizer, server or file takes.

    """
    for number, text in enumerate(texts):
        _check(text, f"text {number}")


def check_prompts(prompts: Sequence[Prompt]) -> None:
    """Refuse prompts that cannot each be answered.

    Raises:
        EngineError: two prompts share an id and differ in their text, or one is no text.

    """
    texts: dict[str, str] = {}
    for prompt in prompts:
        if texts.setdefault(prompt.id, prompt.text) != prompt.text:
            raise EngineError(f"two prompts have the id {prompt.id!a} and different texts; give each its own")
        _check(prompt.text, f"prompt {prompt.id!a}")


def _check(text: str, where: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise EngineError(
            f"{where}: character {error.start} is half of a surrogate pair, which is no text; fix the data"
        ) from None
