"""Probe a chat template by rendering it: the text around a user turn, and the token that ends an answer.

Templates are programs. A usable template renders the whole prompt, once and unchanged, gives the same text on any day
and in any process, and leaves no thinking block open. Any other template is rejected with a one-line error.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rootfruit_checks.base.errors import EngineError
from rootfruit_checks.base.types import Chat
from rootfruit_checks.engines.chat.clock import TooLongError, cpu_seconds
from rootfruit_checks.engines.chat.template_cost import excessive
from rootfruit_checks.engines.chat.thinking import is_open, mentioned, switches

# Templates may print today's date, which would change the prompts from day to day. This is Llama 3.1's own default.
_DAY = dt.datetime(2024, 7, 26, 12, tzinfo=dt.UTC)
_OTHER_DAY = dt.datetime(2019, 2, 3, 4, tzinfo=dt.UTC)
_DATE = "%d %b %Y"
# Quotes, symbols and letters that a template might escape, and capitals that it might change to lower case.
_SAMPLES = ('Robin\'s "way" home: 1 < 2 & é.', "The kettle — it SANG.")
_ANSWER = "Because the lake was calm."
_SECONDS, _LONGEST = 10.0, 1_000_000
# How content is passed: as text, as a list of parts, or as parts for the user only. The first form that works is used.
_FORMS = {
    (False, False): "",
    (True, True): "the content given as a list of parts",
    (False, True): "the user's content given as a list of parts",
}


class _RenderError(Exception):
    """The reason why one form of content does not work."""


class _EndlessError(_RenderError):
    """Rendering takes too long. It would in any other form too, so no other form is tried."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A user turn rendered by one template for one `Chat`.

    Attributes:
        before: the text that the template writes before the prompt.
        after: the text that it writes after the prompt, up to where the answer begins.
        notes: how rendering differs from the template's defaults, for the report.

    """

    before: str
    after: str
    notes: tuple[str, ...]
    _template: _Template
    _chat: Chat

    def put(self, text: str, where: str) -> str:
        """Return the rendering of a prompt.

        Raises:
            EngineError: the template changes this text.

        """
        try:
            shown = self._template.user(self._chat, text)
        except _RenderError as error:
            raise EngineError(f"{where}: the chat template cannot be rendered ({error})") from error
        turn = _turn(self._chat, text)
        # Many templates strip a turn, so leading and trailing white space does not count as part of the prompt.
        if shown not in {self.before + turn + self.after, self.before + turn.strip() + self.after}:
            raise EngineError(
                f"{where}: the chat template changes this text; change the text, or use --rootfruit-chat=never"
            )
        return shown


class _Template:
    """A tokenizer's template, rendered with clock and random choices fixed and with thinking switched off."""

    def __init__(self, tokenizer: Any, source: str) -> None:
        self._tokenizer, self.source = tokenizer, source
        self.off: dict[str, object] = switches(source, on=False)
        self._excess = excessive(source)
        self._form = (False, False)

    def render(
        self,
        turns: list[dict[str, Any]],
        *,
        answer: bool = True,
        day: dt.datetime = _DAY,
        seed: int = 0,
        **more: object,
    ) -> str:
        """Return a rendering.

        Raises:
            _RenderError: the template raised an error, took too long or wrote too much.

        """
        if self._excess:
            raise _EndlessError(self._excess)
        variables = {"strftime_now": day.strftime, "date_string": day.strftime(_DATE), **self.off, **more}
        state = random.getstate()
        random.seed(seed)
        try:
            with cpu_seconds(_SECONDS):
                shown = str(
                    self._tokenizer.apply_chat_template(
                        turns, tokenize=False, add_generation_prompt=answer, **variables
                    )
                )
        except TooLongError:
            raise _EndlessError(f"it takes more than {_SECONDS:g} seconds") from None
        except Exception as error:
            # Templates can raise any error, and jinja2 raises its own types.
            raise _RenderError(" ".join(str(error).split())[:300] or type(error).__name__) from error
        finally:
            random.setstate(state)
        if len(shown) > _LONGEST:
            raise _RenderError(f"it writes {len(shown)} characters")
        return shown

    def turns(self, chat: Chat, *texts: str) -> list[dict[str, Any]]:
        """Return a conversation that alternates user and assistant, after the system prompt if there is one."""
        system, user = self._form
        found = [{"role": "system", "content": _content(chat.system, system)}] if chat.system else []
        for place, text in enumerate(texts):
            found.append({"role": ("user", "assistant")[place % 2], "content": _content(text, user)})
        return found

    def user(self, chat: Chat, text: str, **more: Any) -> str:
        """Return the rendering of a user turn."""
        return self.render(self.turns(chat, _turn(chat, text)), **more)

    def settle_form(self, chat: Chat) -> tuple[str, str]:
        """Find the form in which content must be passed; return the text before and after a turn.

        Raises:
            _RenderError: no form renders the whole turn.

        """
        reasons = []
        for form in _FORMS:
            self._form = form
            try:
                return self._around(chat)
            except _EndlessError:
                raise
            except _RenderError as error:
                reasons.append(error)
        raise reasons[0]

    def _around(self, chat: Chat) -> tuple[str, str]:
        found = []
        for sample in _SAMPLES:
            turn, shown = _turn(chat, sample), self.user(chat, sample)
            times = shown.count(turn)
            if times != 1:
                raise _RenderError(
                    "it leaves out the prompt or changes it" if not times else f"it writes the prompt {times} times"
                )
            before, _, after = shown.partition(turn)
            if "'type': 'text'" in shown or '"type": "text"' in shown:
                raise _RenderError("it prints a list of parts verbatim")
            if chat.system and (before + after).count(chat.system.strip()) == 0:
                raise _RenderError("it leaves out the system prompt or changes it")
            found.append((before, after))
        if found[0] != found[1]:
            raise _RenderError("the text around a prompt depends on the prompt")
        if chat.system and self._same(found[0], chat):
            raise _RenderError("it leaves out the system prompt")
        return found[0]

    def _same(self, around: tuple[str, str], chat: Chat) -> bool:
        without = self.user(Chat(chat.instruction), _SAMPLES[0])
        return without == _turn(chat, _SAMPLES[0]).join(around)

    @property
    def form(self) -> str:
        """How content is passed, for the report; "" for plain text, the usual form."""
        return _FORMS[self._form]


def turn_of(tokenizer: Any, name: object, chat: Chat) -> Turn | None:
    """Return the user turn of the tokenizer's template, or None if it has no template.

    Raises:
        EngineError: the template cannot be rendered, changes the prompt, or makes the model think aloud.

    """
    template = _template(tokenizer, name)
    if template is None:
        return None
    try:
        before, after = _settled(template, chat)
    except _RenderError as error:
        hint = "leave out --rootfruit-chat-system, or use --rootfruit-chat=never"
        hint = hint if chat.system else "use --rootfruit-chat=never"
        raise EngineError(f"{name}: the chat template cannot be rendered ({error}); {hint}") from error
    shown = before + _turn(chat, _SAMPLES[0]) + after
    thinking = _thinking(template, chat, shown, after, name)
    notes = [template.form, thinking, _clock(template, chat, shown), _random(template, chat, shown)]
    notes.append(_opening(template, chat, shown))
    return Turn(before, after, tuple(filter(None, notes)), template, chat)


def turn_end(tokenizer: Any, name: object) -> str:
    """Return the special token that a template writes after an answer; "" if there is none."""
    chat = Chat("{prompt}")
    try:
        template = _template(tokenizer, name)
        if template is None:
            return ""
        _settled(template, chat)
        shown = template.render(template.turns(chat, _SAMPLES[0], _ANSWER, _SAMPLES[1]), answer=False)
    except (EngineError, _RenderError):
        # A template that cannot be rendered is rejected where prompts use it; plain text needs no template.
        return ""
    _, _, rest = shown.partition(_ANSWER)
    rest = rest.lstrip()
    names = {str(token) for token in tokenizer.added_tokens_decoder.values()} | set(tokenizer.all_special_tokens)
    return max((token for token in names if token and rest.startswith(token)), key=len, default="")


def _template(tokenizer: Any, name: object) -> _Template | None:
    if not getattr(tokenizer, "chat_template", None):
        return None
    try:
        return _Template(tokenizer, str(tokenizer.get_chat_template()))
    except ValueError as error:
        raise EngineError(
            f"{name}: has several chat templates and none of them is named default; name one of them default, "
            "or use --rootfruit-chat=never"
        ) from error


def _settled(template: _Template, chat: Chat) -> tuple[str, str]:
    try:
        return template.settle_form(chat)
    except _RenderError as error:
        if not template.off or isinstance(error, _EndlessError):
            raise
        # The template has the switch but rejects this value: the model always thinks.
        template.off = {}
        return template.settle_form(chat)


def _thinking(template: _Template, chat: Chat, shown: str, after: str, name: object) -> str:
    """Describe how thinking was switched off; "" if the template does not mention thinking."""
    hint = (
        "some templates accept a word in the system prompt, such as --rootfruit-chat-system=/no_think; "
        "otherwise use --rootfruit-chat=never"
    )
    if is_open(after):
        raise EngineError(
            f"{name}: the chat template opens a thinking block and cannot switch it off, so thoughts would be "
            f"judged as the answer; {hint}"
        )
    working = []
    for key, on in switches(template.source, on=True).items():
        try:
            changed = key in template.off and template.user(chat, _SAMPLES[0], **{key: on}) != shown
        except _RenderError:
            changed = False
        working += [f"{key}={template.off[key]}"] if changed else []
    if working:
        return f"thinking switched off ({', '.join(working)})"
    if mentioned(after):
        return "a thinking block that the template opens and closes at once"
    if tag := mentioned(template.source):
        raise EngineError(
            f"{name}: the chat template mentions thinking ({tag}) and cannot switch it off, so thoughts could be "
            f"judged as the answer; {hint}"
        )
    return ""


def _clock(template: _Template, chat: Chat, shown: str) -> str:
    other = template.user(chat, _SAMPLES[0], day=_OTHER_DAY)
    return "" if other == shown else f"its date pinned to {_DAY.strftime(_DATE)}"


def _random(template: _Template, chat: Chat, shown: str) -> str:
    same = all(template.user(chat, _SAMPLES[0], seed=seed) == shown for seed in range(1, 5))
    return "" if same else "its random choices pinned"


def _opening(template: _Template, chat: Chat, shown: str) -> str:
    """Note templates that leave it to the model to open its answer."""
    if template.user(chat, _SAMPLES[0], answer=False) != shown:
        return ""
    try:
        whole = template.render(template.turns(chat, _turn(chat, _SAMPLES[0]), _ANSWER), answer=False)
    except _RenderError:
        return ""
    # In Llama 2's and Mistral's templates, the answer follows immediately.
    if whole.startswith(shown) and whole[len(shown) :].lstrip().startswith(_ANSWER):
        return ""
    return "the template does not open the answer, so that a model may go on with the user's turn"


def _turn(chat: Chat, text: str) -> str:
    return chat.instruction.replace("{prompt}", text)


def _content(text: str, parts: bool) -> str | list[Mapping[str, str]]:
    return [{"type": "text", "text": text}] if parts else text
