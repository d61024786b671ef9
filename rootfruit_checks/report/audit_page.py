"""The audit page: one self-contained HTML file made from a result alone, and its digest.

The same result gives the same page, except for the time stamp: from the run, from `rootfruit report` or from a merge.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import resources

import msgspec

from rootfruit_checks.base.errors import ConfigError
from rootfruit_checks.base.text import breakable, figure, plain
from rootfruit_checks.catalog.measures import LEVELS
from rootfruit_checks.catalog.pronoun_families import FAMILIES
from rootfruit_checks.catalog.registry import BENCHMARKS, MEASURES
from rootfruit_checks.gating.reservations import released
from rootfruit_checks.report import bounds, charts, intersections, narratives, side_by_side
from rootfruit_checks.report.findings import findings
from rootfruit_checks.report.redact import TOLD, redacted
from rootfruit_checks.report.reproduce import reproduce
from rootfruit_checks.report.terminal import WORDS, is_declared
from rootfruit_checks.results.check import Check
from rootfruit_checks.results.result import Result

_MADE = re.compile(r'(<time id="made">)[^<]*(</time>)')
_DIGEST = re.compile(r'(<code id="digest">)[0-9a-f]{0,64}(</code>)')
_SHA = re.compile(r"; sha256 [0-9a-f]{64}")
_NONE = "\u2013"
# Characters that end a script element, or that a script or an old parser reads differently from JSON.
_UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def page(value: Result, made: str, redact: str = "none") -> str:
    """Return the page for a JSON result.

    Args:
        value: the result.
        made: the time stamp to show; it is not part of the digest.
        redact: `none`, `slurs` or `all`: which sample texts are withheld, see `redact.py`.

    Raises:
        ConfigError: Jinja2 or matplotlib is not installed.

    """
    try:
        import jinja2
        import matplotlib as mpl  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"option --rootfruit-report: {error.name} is not installed; pip install 'rootfruit-checks[report]'"
        ) from error
    value = redacted(value, redact)
    folder = resources.files(__package__) / "page"
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "plain": plain,
        "breakable": breakable,
        "bounds": bounds.shown,
        "share": partial(bounds.shown_within, span=(0.0, 1.0)),
        "change": partial(bounds.shown_within, span=(-1.0, 1.0)),
        "number": partial(figure, none=_NONE),
        "percent": _percent,
    }
    block = _block(value)
    template = environment.from_string((folder / "audit.html.j2").read_text("utf-8"))
    html = template.render(
        **_view(value),
        redaction=TOLD[redact],
        made=plain(made),
        style=(folder / "audit.css").read_text("utf-8"),
        script=(folder / "audit.js").read_text("utf-8"),
        data=block,
        block=hashlib.sha256(block.encode("utf-8")).hexdigest(),
    )
    return _DIGEST.sub(rf"\g<1>{digest(html)}\g<2>", html)


def digest(html: str) -> str:
    """Return the SHA-256 of a page without its time stamp and its embedded digest."""
    bare = _DIGEST.sub(r"\1\2", _MADE.sub(r"\1\2", html))
    return hashlib.sha256(bare.encode("utf-8")).hexdigest()


def verify(html: str, outside: str | None = None) -> list[str]:
    """Return what is wrong with a page, in words; empty if it is unchanged.

    Args:
        html: the page.
        outside: the digest from the run's log or JSON. Without it, only accidental damage is detected: anyone who
            changes a page can also change the digest in it.

    """
    found = _DIGEST.search(html)
    if not found:
        return ["this is not a rootfruit audit page: it has no digest"]
    told = found[0][len(found[1]) : -len(found[2])]
    real = digest(html)
    wrong = (
        [] if told == real else [f"the content has digest {real[:16]}…, but the page states {told[:16] or 'nothing'}…"]
    )
    if outside is not None and outside.strip().lower() != real:
        wrong.append(f"the content has digest {real[:16]}…, but the run's was {plain(outside, 80)[:16]}…")
    return wrong


def _block(value: Result) -> str:
    text = json.dumps(
        msgspec.to_builtins(value), ensure_ascii=True, allow_nan=False, sort_keys=True, separators=(",", ":")
    )
    return "".join(_UNSAFE.get(letter, letter) for letter in text)


def _view(value: Result) -> dict[str, object]:
    """The template's variables, already selected and sorted."""
    checks, gated = value.checks, value.gated
    described = [row for row in checks if not row.gated and is_declared(row)]
    explored = [row for row in checks if not row.gated and not is_declared(row)]
    return {
        "value": value,
        "run": value.run,
        "sentence": sentence(value),
        "asked": _asked(value.run.data),
        "words": WORDS,
        "gated": gated,
        "described": described,
        "titles": {row.id: MEASURES[row.measure].title for row in checks},
        "signed": {row.id: MEASURES[row.measure].signed for row in checks},
        "forest": charts.forest(gated),
        "levels": charts.levels([*gated, *described]),
        "heat": _heat([*gated, *described, *explored]),
        "regard": _bars(gated, "regard"),
        "pronoun": _bars(gated, "pronoun"),
        "flips": [row for row in described if row.metric == "preservation" and row.known.flips],
        "scatter": charts.scatter(described),
        "pronoun_forms": sorted({form for family in FAMILIES.values() for form in family.forms}),
        "combined": side_by_side.table(value.combined) if value.combined else "",
        "intersections": intersections.folded(value.intersections) if value.intersections else "",
        "narratives": narratives.section(value.narratives),
        "found": findings(value),
        "command": reproduce(value.run),
    }


def _asked(data: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return whose data these are, without digests; benchmarks with the same source share one entry."""
    found: dict[str, list[str]] = {}
    for name, text in data.items():
        if name not in ("scale", "prompts"):
            found.setdefault(_SHA.sub("", text), []).append(name)
    return [(", ".join(names), text) for text, names in found.items()]


def sentence(value: Result) -> str:
    """Return the verdict in one sentence."""
    gated = value.gated
    counts = {word: sum(row.verdict == word for row in gated) for word in ("fail", "inconclusive", "error", "pass")}
    if not value.complete:
        return f"Not a release gate: {len(value.missing)} declared checks have no verdict."
    if value.released:
        head = released(value.reservations)
        return f"{head}: {counts['pass']} of {len(gated)} gated checks pass and none block."
    told = [f"{number} {word}" for word, number in counts.items() if number and word != "pass"]
    return f"Blocked: of {len(gated)} gated checks {', '.join(told)}; {counts['pass']} pass."


@dataclass(frozen=True, slots=True)
class _Cell:
    """An estimate and the strength of its color: above 0 means harm."""

    row: Check
    strength: float
    signed: bool


@dataclass(frozen=True, slots=True)
class _Heat:
    """The estimates by group and measure, for the heat table."""

    measures: Sequence[str]
    lines: Sequence[tuple[str, Sequence[_Cell | None]]]


def _heat(rows: Sequence[Check]) -> _Heat:
    measures = list(dict.fromkeys(row.measure for row in rows))
    held = {(row.measure, row.group): row for row in rows}
    groups = sorted({row.group for row in rows})
    return _Heat(measures, [(group, [_cell(held.get((one, group))) for one in measures]) for group in groups])


def _cell(row: Check | None) -> _Cell | None:
    if row is None or row.estimate is None:
        return None
    signed = MEASURES[row.measure].signed
    middle, reach = (0.0, 0.3) if signed else (0.5, 0.5)
    strength = max(-1.0, min(1.0, (row.estimate - middle) / reach))
    return _Cell(row, round(strength, 2), signed)


@dataclass(frozen=True, slots=True)
class _Bars:
    """Label shares of the gated groups for one judge: policy and reference, each with its control."""

    svg: str
    labels: Sequence[str]
    bars: Sequence[tuple[str, Mapping[str, float]]]


def _bars(rows: Sequence[Check], quantity: str) -> _Bars:
    bars: list[tuple[str, Mapping[str, float]]] = []
    for row in rows:
        labels = (row.known.labels or {}) if _labelled_by(row) == quantity else {}
        bars += [(f"{row.group}, {role}", held.group) for role, held in labels.items()]
        bars += [(f"{row.group}: control, {role}", held.control) for role, held in labels.items()]
    used = [label for label in charts.SHARES[quantity] if any(held.get(label) for _, held in bars)]
    return _Bars(charts.shares(bars, quantity), used, bars)


def _labelled_by(row: Check) -> str:
    """The judge of a disparity's continuations; "" for any other row."""
    is_level = row.metric == LEVELS["prompts"]
    return BENCHMARKS[row.benchmark].quantity if is_level and row.benchmark in BENCHMARKS else ""


def _percent(value: float | None) -> str:
    return _NONE if value is None else f"{100 * value:.1f} %"
