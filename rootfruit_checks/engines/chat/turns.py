"""A chat template, asked what it does: what it puts around a user's turn, and how a model's answer ends.

Templates are programs. This one must put the whole prompt into the rendering, once and unchanged, the same on any day
and in any process, and must leave no thinking block open. A template that does not is refused in one line.
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

# Templates may print today's date, and the same run would be another one tomorrow. This is Llama 3.1's own default.
_DAY = dt.datetime(2024, 7, 26, 12, tzinfo=dt.UTC)
_OTHER_DAY = dt.datetime(2019, 2, 3, 4, tzinfo=dt.UTC)
_DATE = "%d %b %Y"
# Quotes, signs and letters that a template might escape, and capitals that it might fold.
_SAMPLES = ('Robin\'s "way" home: 1 < 2 & é.', "The kettle — it SANG.")
_ANSWER = "Because the lake was calm."
_SECONDS, _LONGEST = 10.0, 1_000_000
# How content is given: as text, as a list of parts, or as parts for the user alone. The first that works is taken.
_FORMS = {
    (False, False): "",
    (True, True): "the content given as a list of parts",
    (False, True): "the user's content given as a list of parts",
}


class _RenderError(Exception):
    """Why one form of content does not work."""


class _EndlessError(_RenderError):
    """It takes too long, and would in any other form: none is tried."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A user's turn of one template and one `Chat`.

    Attributes:
        before: what the template puts before the turn's text.
        after: what it puts after it, up to where the answer begins.
        notes: how it is rendered beyond the template's defaults, for the report.

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
        # Many templates strip a turn: white space around it is no part of what the model is asked.
        if shown not in {self.before + turn + self.after, self.before + turn.strip() + self.after}:
            raise EngineError(
                f"{where}: the chat template does not pass this text on as it is; "
                "change the text, or use --rootfruit-chat=never"
            )
        return shown


class _Template:
    """A tokenizer's template, rendered with clocks and random choices pinned and with thinking switched off."""

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
            _RenderError: in words of the template's own, or because it takes too long or writes too much.

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
            # Templates raise what they like, jinja2 its own types.
            raise _RenderError(" ".join(str(error).split())[:300] or type(error).__name__) from error
        finally:
            random.setstate(state)
        if len(shown) > _LONGEST:
            raise _RenderError(f"it writes {len(shown)} characters")
        return shown

    def turns(self, chat: Chat, *texts: str) -> list[dict[str, Any]]:
        """Return a conversation: the user and the assistant in turn, after the system prompt, if there is one."""
        system, user = self._form
        found = [{"role": "system", "content": _content(chat.system, system)}] if chat.system else []
        for place, text in enumerate(texts):
            found.append({"role": ("user", "assistant")[place % 2], "content": _content(text, user)})
        return found

    def user(self, chat: Chat, text: str, **more: Any) -> str:
        """Return the rendering of a user's turn."""
        return self.render(self.turns(chat, _turn(chat, text)), **more)

    def settle_form(self, chat: Chat) -> tuple[str, str]:
        """Find out how content must be given; return what the template puts before and after a turn.

        Raises:
            _RenderError: no way of giving it puts the whole turn into the rendering.

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
                    "it leaves the prompt out, or changes it" if not times else f"it puts it {times} times"
                )
            before, _, after = shown.partition(turn)
            if "'type': 'text'" in shown or '"type": "text"' in shown:
                raise _RenderError("it prints a list of parts as it is")
            if chat.system and (before + after).count(chat.system.strip()) == 0:
                raise _RenderError("it leaves the system prompt out, or changes it")
            found.append((before, after))
        if found[0] != found[1]:
            raise _RenderError("what it puts around a prompt depends on the prompt")
        if chat.system and self._same(found[0], chat):
            raise _RenderError("it leaves the system prompt out")
        return found[0]

    def _same(self, around: tuple[str, str], chat: Chat) -> bool:
        without = self.user(Chat(chat.instruction), _SAMPLES[0])
        return without == _turn(chat, _SAMPLES[0]).join(around)

    @property
    def form(self) -> str:
        """How content is given, in words; "" where it is text, as usual."""
        return _FORMS[self._form]


def turn_of(tokenizer: Any, name: object, chat: Chat) -> Turn | None:
    """Return how the tokenizer's template puts a user's turn; None where it has no template.

    Raises:
        EngineError: the template cannot be rendered, does not put the whole prompt, or makes the model think aloud.

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
    """Return the special token that a template puts after an answer; "" where there is none."""
    chat = Chat("{prompt}")
    try:
        template = _template(tokenizer, name)
        if template is None:
            return ""
        _settled(template, chat)
        shown = template.render(template.turns(chat, _SAMPLES[0], _ANSWER, _SAMPLES[1]), answer=False)
    except (EngineError, _RenderError):
        # What cannot be rendered is refused where prompts are put so; plain text needs no template.
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
            f"{name}: has several chat templates and none of them is named default; name one so, "
            "or use --rootfruit-chat=never"
        ) from error


def _settled(template: _Template, chat: Chat) -> tuple[str, str]:
    try:
        return template.settle_form(chat)
    except _RenderError as error:
        if not template.off or isinstance(error, _EndlessError):
            raise
        # It knows the switch and takes no such value: a model that always thinks.
        template.off = {}
        return template.settle_form(chat)


def _thinking(template: _Template, chat: Chat, shown: str, after: str, name: object) -> str:
    """Say how thinking was switched off; "" where the template knows of none."""
    hint = (
        "some templates take a word in the system prompt, such as --rootfruit-chat-system=/no_think; "
        "else use --rootfruit-chat=never"
    )
    if is_open(after):
        raise EngineError(
            f"{name}: the chat template opens a thinking block and has no switch for it, so that thoughts would be "
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
            f"{name}: the chat template knows of thinking ({tag}) and has no switch for it, so that thoughts could be "
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
    """Say that the model must open its answer by itself, where a template does not do so."""
    if template.user(chat, _SAMPLES[0], answer=False) != shown:
        return ""
    try:
        whole = template.render(template.turns(chat, _turn(chat, _SAMPLES[0]), _ANSWER), answer=False)
    except _RenderError:
        return ""
    # In Llama 2's and Mistral's, an answer follows at once.
    if whole.startswith(shown) and whole[len(shown) :].lstrip().startswith(_ANSWER):
        return ""
    return "the template does not open the answer, so that a model may go on with the user's turn"


def _turn(chat: Chat, text: str) -> str:
    return chat.instruction.replace("{prompt}", text)


def _content(text: str, parts: bool) -> str | list[Mapping[str, str]]:
    return [{"type": "text", "text": text}] if parts else text
