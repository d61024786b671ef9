"""The thinking tags that chat templates write, and the template variables that switch thinking off."""

from __future__ import annotations

import re

_WORD = r"(?:think(?:ing)?|thoughts?|reason(?:ing)?|analysis|reflection|scratchpad|cot|rationale)"
# DeepSeek writes its special tokens with full-width bars and low blocks, Kimi with triangles.
_LEFT, _RIGHT, _GAP = r"[<\[\u25c1][|\uff5c]?", r"[|\uff5c]?[>\]\u25b7]", r"[_\u2581\- ]"
_OPEN = re.compile(
    rf"{_LEFT}(?:\w+:)?(?:(?:begin|start){_GAP}(?:of{_GAP})?)?{_WORD}{_RIGHT}|<\|channel\|?>\s*(?:analysis|thought)",
    re.IGNORECASE,
)
_CLOSE = re.compile(
    rf"{_LEFT}/(?:\w+:)?{_WORD}{_RIGHT}|{_LEFT}end{_GAP}(?:of{_GAP})?{_WORD}{_RIGHT}|<channel\|>|<\|channel\|>\s*final",
    re.IGNORECASE,
)
# Variable name -> (off, on). A value that is a word must be one that the template itself uses.
_SWITCHES: dict[str, tuple[object, object]] = {
    "enable_thinking": (False, True),
    "thinking": (False, True),
    "enable_reasoning": (False, True),
    "reasoning": (False, True),
    "thinking_budget": (0, 1024),
}
_WORDED = ("reasoning_effort", "thinking_mode", "reasoning_mode")
_OFF = ("none", "off", "disabled", "no_think", "nothink")
_ON = ("high", "medium", "on", "enabled", "think")


def switches(source: str, *, on: bool) -> dict[str, object]:
    """Return the variables, with values, that may switch thinking on or off in a template with this source."""
    names = set(re.findall(r"\w+", source))
    found = {key: values[on] for key, values in _SWITCHES.items() if key in names}
    for key in _WORDED:
        # A variable that the template only prints is not a switch: the template must compare it with the word.
        off, word = (
            next((word for word in words if re.search(rf"\b{key}\b[^{{}}%\n]{{0,60}}['\"]{word}['\"]", source)), "")
            for words in (_OFF, _ON)
        )
        if off:
            found[key] = (word or "high") if on else off
    return found


def is_open(text: str) -> bool:
    """Whether a thinking block is open at the end of a text."""
    return _last(_OPEN, text) > _last(_CLOSE, text)


def mentioned(source: str) -> str:
    """Return the first sign of thinking in a text or a template's source; "" if there is none."""
    first = min(
        filter(None, (_OPEN.search(source), _CLOSE.search(source))), key=lambda sign: sign.start(), default=None
    )
    if first is not None:
        return first[0]
    effort = re.search(r"\breasoning_effort\b", source)
    return effort[0] if effort else ""


def _last(pattern: re.Pattern[str], text: str) -> int:
    return max((found.end() for found in pattern.finditer(text)), default=0)
