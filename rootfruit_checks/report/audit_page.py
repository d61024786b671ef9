"""The audit page: one self-contained HTML file made from a result alone, and its digest.

The same result gives the same page but for the time stamp, whoever makes it: the run, `rootfruit report`, or a merge.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from functools import partial
from importlib import resources
from typing import Any

from rootfruit_checks.base.errors import ConfigError, DataError
from rootfruit_checks.base.text import breakable, figure, plain
from rootfruit_checks.catalog import informative_bounds
from rootfruit_checks.catalog.measures import LEVELS
from rootfruit_checks.catalog.pronoun_families import FAMILIES
from rootfruit_checks.catalog.registry import BENCHMARKS, MEASURES
from rootfruit_checks.gating.reservations import released
from rootfruit_checks.report import charts, intersections, narratives, side_by_side
from rootfruit_checks.report.findings import findings
from rootfruit_checks.report.redact import TOLD, redacted
from rootfruit_checks.report.reproduce import reproduce
from rootfruit_checks.report.terminal import WORDS, is_declared
from rootfruit_checks.results.json_result import SCHEMA

Row = Mapping[str, Any]
_MADE = re.compile(r'(<time id="made">)[^<]*(</time>)')
_DIGEST = re.compile(r'(<code id="digest">)[0-9a-f]{0,64}(</code>)')
_NONE = "\u2013"
# Letters that end a script element, or that a script or an old parser reads otherwise than JSON does.
_UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def page(value: Mapping[str, Any], made: str, redact: str = "none") -> str:
    """Return the page for a JSON result.

    Args:
        value: a result as `json_result.result` makes it, of schema rootfruit-result/1.
        made: the time stamp that is shown; it is no part of the digest.
        redact: `none`, `slurs` or `all`: what of the samples' texts is withheld, see `redact.py`.

    Raises:
        DataError: a result of another schema.
        ConfigError: Jinja2 or matplotlib is not installed.

    """
    if value.get("schema") != SCHEMA:
        raise DataError(f"the result's schema is {value.get('schema')!r}; this version reports {SCHEMA!r}")
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
        "bounds": informative_bounds.shown,
        "share": partial(informative_bounds.shown_within, span=(0.0, 1.0)),
        "change": partial(informative_bounds.shown_within, span=(-1.0, 1.0)),
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
    """Return the sha256 of a page without its time stamp and the digest that it carries."""
    bare = _DIGEST.sub(r"\1\2", _MADE.sub(r"\1\2", html))
    return hashlib.sha256(bare.encode("utf-8")).hexdigest()


def verify(html: str, outside: str | None = None) -> list[str]:
    """Return what is wrong with a page, in words; nothing where it is as it was made.

    Args:
        html: the page.
        outside: the digest from the run's log or JSON. Without it this is a check for damage only: who changes a page
            can change the digest in it as well.

    """
    found = _DIGEST.search(html)
    if not found:
        return ["it is no audit page of rootfruit: it carries no digest"]
    told = found[0][len(found[1]) : -len(found[2])]
    real = digest(html)
    wrong = [] if told == real else [f"its content has digest {real[:16]}…, and it says {told[:16] or 'nothing'}…"]
    if outside is not None and outside.strip().lower() != real:
        wrong.append(f"its content has digest {real[:16]}…, and the run's was {plain(outside, 80)[:16]}…")
    return wrong


def _block(value: Mapping[str, Any]) -> str:
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, sort_keys=True, separators=(",", ":"))
    return "".join(_UNSAFE.get(letter, letter) for letter in text)


def _view(value: Mapping[str, Any]) -> dict[str, Any]:
    """What the template shows, already chosen and ordered."""
    checks: Sequence[Row] = value["checks"]
    gated = [row for row in checks if row["gated"]]
    described = [row for row in checks if not row["gated"] and is_declared(row)]
    explored = [row for row in checks if not row["gated"] and not is_declared(row)]
    return {
        "value": value,
        "run": value["run"],
        "sentence": sentence(value),
        "asked": _asked(value["run"]["data"]),
        "words": WORDS,
        "gated": gated,
        "described": described,
        "titles": {row["id"]: MEASURES[f"{row['benchmark']}/{row['metric']}"].title for row in checks},
        "signed": {row["id"]: MEASURES[f"{row['benchmark']}/{row['metric']}"].signed for row in checks},
        "forest": charts.forest(gated),
        "levels": charts.levels([*gated, *described]),
        "heat": _heat([*gated, *described, *explored]),
        "regard": _bars(gated, "regard"),
        "pronoun": _bars(gated, "pronoun"),
        "flips": [row for row in described if row["metric"] == "preservation" and "flips" in row["details"]],
        "scatter": charts.scatter(described),
        "pronoun_forms": sorted({form for family in FAMILIES.values() for form in family.forms}),
        "combined": side_by_side.table(value) if "combined" in value else "",
        "intersections": intersections.folded(value) if "intersections" in value else "",
        "narratives": narratives.section(value),
        "found": findings(value),
        "command": reproduce(value["run"]),
    }


def _asked(data: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return what was asked by benchmark, in one entry where it is the same for several."""
    found: dict[str, list[str]] = {}
    for name, text in data.items():
        if name not in ("scale", "prompts"):
            found.setdefault(str(text), []).append(name)
    return [(", ".join(names), text) for text, names in found.items()]


def sentence(value: Mapping[str, Any]) -> str:
    """Return the verdict in one sentence."""
    gated = [row for row in value["checks"] if row["gated"]]
    counts = {word: sum(row["verdict"] == word for row in gated) for word in ("fail", "inconclusive", "error", "pass")}
    if not value["complete"]:
        return f"No release gate: {len(value['missing'])} declared checks have no verdict."
    if value["released"]:
        head = released(value.get("reservations", ()))
        return f"{head}: {counts['pass']} of {len(gated)} gated checks pass and none blocks."
    told = [f"{number} {word}" for word, number in counts.items() if number and word != "pass"]
    return f"Blocked: of {len(gated)} gated checks {', '.join(told)}; {counts['pass']} pass."


def _heat(rows: Sequence[Row]) -> dict[str, Any]:
    """Groups by measure: the estimates, for the table that is its own figure."""
    measures = list(dict.fromkeys(f"{row['benchmark']}/{row['metric']}" for row in rows))
    held = {(f"{row['benchmark']}/{row['metric']}", row["group"]): row for row in rows}
    groups = sorted({row["group"] for row in rows})
    lines = []
    for group in groups:
        cells: list[dict[str, Any] | None] = []
        for measure in measures:
            row = held.get((measure, group))
            if row is None or row["estimate"] is None:
                cells.append(None)
                continue
            found = MEASURES[measure]
            middle = 0.0 if found.signed else 0.5
            reach = 0.3 if found.signed else 0.5
            strength = max(-1.0, min(1.0, (row["estimate"] - middle) / reach))
            cells.append({"row": row, "strength": round(strength, 2), "signed": found.signed})
        lines.append((group, cells))
    return {"measures": measures, "lines": lines}


def _bars(rows: Sequence[Row], quantity: str) -> dict[str, Any]:
    """Label shares of the gated groups that one judge labels: policy beside reference, each beside its control."""
    bars: list[tuple[str, Mapping[str, float]]] = []
    for row in rows:
        labels = row["details"].get("labels") if _labelled_by(row) == quantity else None
        if not labels:
            continue
        for side in ("group", "control"):
            for role, held in labels.items():
                name = row["group"] if side == "group" else f"{row['group']}: control"
                bars.append((f"{name}, {role}", held[side]))
    used = [label for label in charts.SHARES[quantity] if any(held.get(label) for _, held in bars)]
    return {"svg": charts.shares(bars, quantity), "labels": used, "bars": bars}


def _labelled_by(row: Row) -> str:
    """The judge of a disparity's continuations; "" of any other row."""
    is_level = row["metric"] == LEVELS["prompts"]
    return BENCHMARKS[row["benchmark"]].quantity if is_level and row["benchmark"] in BENCHMARKS else ""


def _percent(value: float | None) -> str:
    return _NONE if value is None else f"{100 * value:.1f} %"
