"""Parsers that turn raw values of options, ini keys and TOML into typed ones; errors name the option.

Every parser takes `where` (option, ini key or table entry, for the message) and the raw value: text from the command
line and the ini file, or any TOML type from `[tool.rootfruit]`.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Mapping

from rootfruit_checks.base.errors import ConfigError
from rootfruit_checks.base.paths import expanded
from rootfruit_checks.catalog import registry
from rootfruit_checks.catalog.registry import MEASURES
from rootfruit_checks.config import endpoints

Parse = Callable[[str, object], object]


def text(where: str, raw: object) -> str:
    """Return a text that is not empty."""
    if isinstance(raw, (bool, list, tuple, Mapping)):
        raise ConfigError(f"{where}: {raw!r} is not a text")
    value = str(raw).strip()
    if not value:
        raise ConfigError(f"{where}: is empty; give a value or leave the option out")
    return value


def tokens(where: str, raw: object) -> tuple[str, ...]:
    """Return tokens, one per entry: a token may contain a comma."""
    entries = raw if isinstance(raw, (list, tuple)) else [raw]
    return tuple(dict.fromkeys(text(where, line) for entry in entries for line in _lines(where, entry)))


def _lines(where: str, entry: object) -> list[str]:
    return [line for line in text(where, entry).splitlines() if line.strip()]


def path(where: str, raw: object) -> str:
    """Return a path, with its `~` expanded."""
    return expanded(where, text(where, raw))


def instruction(where: str, raw: object) -> str:
    """Return a text with `{prompt}` in it, once."""
    value = text(where, raw)
    if value.count("{prompt}") != 1:
        raise ConfigError(f"{where}: {value!r} must contain {{prompt}} exactly once, where the benchmark's text goes")
    return value


def model(where: str, raw: object) -> str:
    """Return the name of a model; an address must not contain a user, password or query."""
    value = text(where, raw)
    if endpoints.is_served(value):
        endpoints.split(where, value)
        return value
    return expanded(where, value)


def switch(where: str, raw: object) -> bool:
    """Return true or false."""
    if isinstance(raw, bool):
        return raw
    word = str(raw).strip().lower()
    if word in {"1", "true", "yes", "on"}:
        return True
    if word in {"0", "false", "no", "off"}:
        return False
    raise ConfigError(f"{where}: {raw!r} is neither true nor false")


def number(low: float, high: float, *, open_low: bool = False, open_high: bool = False) -> Parse:
    """Return a parser for numbers in an interval, which may be open at either end."""

    def parse(where: str, raw: object) -> float:
        try:
            value = float(str(raw))
        except ValueError:
            raise ConfigError(f"{where}: {raw!r} is not a number") from None
        inside = math.isfinite(value) and low <= value <= high
        if not inside or (open_low and value == low) or (open_high and value == high):
            left, right = "[("[open_low], "])"[open_high]
            raise ConfigError(f"{where}: {raw!r} is outside {left}{low:g}, {high:g}{right}")
        return value

    return parse


def whole(low: int, high: int) -> Parse:
    """Return a reader of whole numbers from `low` to `high`."""

    def parse(where: str, raw: object) -> int:
        try:
            value = int(str(raw))
        except ValueError:
            raise ConfigError(f"{where}: {raw!r} is not a whole number") from None
        if not low <= value <= high:
            raise ConfigError(f"{where}: {value} is outside {low} to {high}")
        return value

    return parse


def one_of(*words: str) -> Parse:
    """Return a parser for one of several words."""

    def parse(where: str, raw: object) -> str:
        if str(raw) not in words:
            raise ConfigError(f"{where}: {raw!r} is not one of {', '.join(words)}")
        return str(raw)

    return parse


def _several(raw: object) -> list[str]:
    """Split at commas and lines, also inside the entries of a list: one ini line may name several."""
    entries = raw if isinstance(raw, (list, tuple)) else [raw]
    parts = [part for entry in entries for part in str(entry).replace("\n", ",").split(",")]
    return [part.strip() for part in parts if part.strip()]


def benchmarks(where: str, raw: object) -> tuple[str, ...]:
    """Return benchmarks, in their fixed order."""
    names = _several(raw)
    known = registry.benchmarks()
    listed = f"known: {', '.join(known)}"
    for name in names:
        if name not in known:
            raise ConfigError(f"{where}: {name!r} is not a benchmark; {listed}")
    if not names:
        raise ConfigError(f"{where}: names no benchmark; {listed}")
    return tuple(name for name in known if name in names)


def _gated_check(where: str, text: str, *, group: bool) -> tuple[str, str]:
    """Return (measure, check id) of a measure or check that can be gated; with `group`, only of a check."""
    text = text.lower()
    measure = text
    if measure not in MEASURES:
        measure = text.rpartition("/")[0]
    if measure not in MEASURES or (group and measure == text) or text.endswith("/"):
        close = difflib.get_close_matches(text, MEASURES, n=1, cutoff=0.4)
        hint = f"; did you mean {close[0]!r}?" if close and close[0] != text else ""
        what = "a check (benchmark/metric/group)" if group else "a check or measure"
        raise ConfigError(f"{where}: {text!r} is not {what}{hint}")
    if not MEASURES[measure].gated:
        raise ConfigError(f"{where}: {measure!r} is described and never gated; it takes no limit")
    return measure, text


def limit(where: str, measure: str, raw: object) -> float:
    """Return a limit on the measure's own scale: a share in [0, 1), a difference of shares in [-1, 1).

    A limit outside could never be exceeded, or never be met: it is a mistake, such as 5 for 5 %.
    """
    low = -1.0 if MEASURES[measure].signed else 0.0
    return float(str(number(low, 1.0, open_high=True)(where, str(raw).strip())))


def limits(where: str, raw: object) -> Mapping[str, float]:
    """Return check or measure -> limit, from a table or from CHECK=X texts."""
    items = raw.items() if isinstance(raw, Mapping) else (part.partition("=")[::2] for part in _several(raw))
    found: dict[str, float] = {}
    for name, value in items:
        measure, check = _gated_check(where, str(name).strip(), group=False)
        found[check] = limit(f"{where}: {check}", measure, value)
    return found


def gates(where: str, raw: object) -> tuple[str, ...]:
    """Return the ids of checks to gate in addition to the declared ones."""
    return tuple(dict.fromkeys(_gated_check(where, part, group=True)[1] for part in _several(raw)))


def regard(where: str, raw: object) -> str:
    """Return the regard classifier: the built-in one, a pinned one on the Hub, or a directory."""
    value = text(where, raw)
    if value.startswith("local:") and len(value) > len("local:"):
        return "local:" + expanded(where, value.removeprefix("local:").strip())
    if value == "mini":
        return value
    if re.fullmatch(r"hub:[^@\s]+@[^@\s]+", value):
        return value
    raise ConfigError(f"{where}: {value!r} is not mini, hub:ID@REVISION (pin the revision) or local:DIR")


def share(where: str, raw: object) -> tuple[int, int]:
    """Return (index, count) of a share written I/N."""
    found = re.fullmatch(r"([0-9]{1,4})/([0-9]{1,4})", str(raw).strip())
    index, count = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= index <= count:
        raise ConfigError(f"{where}: {raw!r} is not a share I/N with I from 1 to N, such as 3/8")
    return index, count


def device(where: str, raw: object) -> str:
    """Return where models run."""
    value = text(where, raw)
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", value):
        raise ConfigError(f"{where}: {value!r} is not one of auto, cpu, cuda, cuda:N")
    return value
