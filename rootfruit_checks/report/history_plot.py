"""Each check over releases as one SVG: one small panel per check, a bar from bound to bound, the limit as a line.

Written by hand: a few lines and rectangles are simpler than a plotting library. Shape and letter show a verdict as
well as color.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from rootfruit_checks.base.text import markup
from rootfruit_checks.report import bounds
from rootfruit_checks.results.check import Check

_COLUMNS, _WIDE, _HIGH, _GAP = 3, 300, 150, 24
_LEFT, _TOP, _BOTTOM = 46, 26, 34
# Okabe and Ito's colors, which most people can distinguish.
_COLORS = {"pass": "#009e73", "fail": "#d55e00", "inconclusive": "#b58900", "error": "#7b2d8b", "none": "#666666"}
_LETTERS = {"pass": "", "fail": "F", "inconclusive": "?", "error": "E", "none": ""}


class Shown(Protocol):
    """The part of a release that is drawn."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def checks(self) -> Mapping[str, Check]:
        """The checks by id."""


def svg(releases: Sequence[Shown], checks: Sequence[str]) -> str:
    """Return the plot: releases from left to right in the order given."""
    rows = -(-len(checks) // _COLUMNS)
    width = _COLUMNS * (_WIDE + _GAP) + _GAP
    names = [f"{number}: {release.name}" for number, release in enumerate(releases, 1)]
    top = 60 + 14 * len(names)
    height = top + rows * (_HIGH + _GAP) + _GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'role="img" font-family="sans-serif" font-size="11" fill="#222222">',
        f"<title>{len(checks)} checks over {len(releases)} releases</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="{_GAP}" y="28" font-size="15" font-weight="bold">Checks over releases</text>',
        *_legend(width),
    ]
    parts += [f'<text x="{_GAP}" y="{50 + 14 * i}">{markup(name)}</text>' for i, name in enumerate(names)]
    for place, check in enumerate(checks):
        row, column = divmod(place, _COLUMNS)
        x, y = _GAP + column * (_WIDE + _GAP), top + row * (_HIGH + _GAP)
        parts += _panel(check, [release.checks.get(check) for release in releases], x, y)
    return "\n".join([*parts, "</svg>\n"])


def _legend(width: int) -> list[str]:
    parts, x = [], width - 440
    for verdict in ("pass", "fail", "inconclusive", "error"):
        parts += [_mark(x, 24, verdict), f'<text x="{x + 14}" y="28">{verdict}</text>']
        x += 110 if verdict == "inconclusive" else 66
    parts.append(f'<line x1="{x}" y1="24" x2="{x + 22}" y2="24" stroke="#222222" stroke-dasharray="4 3"/>')
    return [*parts, f'<text x="{x + 28}" y="28">limit</text>']


def _panel(check: str, rows: Sequence[Check | None], x: int, y: int) -> list[str]:
    told = [bounds.shown(row) if row else bounds.Shown(None, None, None) for row in rows]
    known = [value for figures in told for value in figures if value is not None]
    low, high = (min([0.0, *known]), max([0.0, *known])) if known else (0.0, 1.0)
    room = (high - low or 1.0) * 0.06
    marks = sorted({low, 0.0, high})
    low, high = low - room, high + room
    inner, tall = _WIDE - _LEFT - 8, _HIGH - _TOP - _BOTTOM

    def at(value: float) -> float:
        return round(y + _TOP + tall * (high - value) / (high - low), 2)

    parts = [
        f"<g><title>{markup(check)}</title>",
        f'<text x="{x}" y="{y + 14}" font-weight="bold">{markup(check)}</text>',
        f'<rect x="{x + _LEFT}" y="{y + _TOP}" width="{inner}" height="{tall}" fill="none" stroke="#cccccc"/>',
    ]
    parts += [
        f'<text x="{x + _LEFT - 5}" y="{at(value) + 4}" text-anchor="end" fill="#555555">{value:.2f}</text>'
        for value in marks
        if value == 0.0 or abs(at(value) - at(0.0)) > 12
    ]
    parts.append(f'<line x1="{x + _LEFT}" y1="{at(0.0)}" x2="{x + _LEFT + inner}" y2="{at(0.0)}" stroke="#dddddd"/>')
    step = inner / len(rows)
    every = -(-len(rows) // 20)
    for number, row in enumerate(rows):
        center = round(x + _LEFT + step * (number + 0.5), 2)
        if number % every == 0:
            parts.append(
                f'<text x="{center}" y="{y + _TOP + tall + 16}" text-anchor="middle" fill="#555555">{number + 1}</text>'
            )
        if row is None or row.estimate is None:
            word: str = "not run" if row is None else row.verdict
            word = word if len(rows) <= 4 else "-"
            parts.append(
                f'<text x="{center}" y="{y + _TOP + 14}" text-anchor="middle" fill="#888888" '
                f'font-style="italic">{markup(word)}</text>'
            )
            continue
        color = _COLORS[row.verdict]
        if row.limit is not None:
            parts.append(
                f'<line x1="{center - step / 2:.2f}" y1="{at(row.limit)}" x2="{center + step / 2:.2f}" '
                f'y2="{at(row.limit)}" stroke="#222222" stroke-dasharray="4 3"/>'
            )
        if row.low is not None and row.high is not None:
            # Where a bound says nothing the bar goes to the panel's edge.
            first, last = (
                at(edge if end is None else end) for edge, end in zip((low, high), told[number][1:3], strict=True)
            )
            parts.append(
                f'<line x1="{center}" y1="{first}" x2="{center}" y2="{last}" stroke="{color}" stroke-width="3"/>'
            )
        parts.append(_mark(center, at(row.estimate), row.verdict))
    return [*parts, "</g>"]


def _mark(x: float, y: float, verdict: str) -> str:
    color, letter = _COLORS[verdict], _LETTERS[verdict]
    if not letter:
        return f'<circle cx="{x}" cy="{y}" r="4.5" fill="{color}"/>'
    return (
        f'<rect x="{x - 6}" y="{y - 6}" width="12" height="12" fill="{color}"/>'
        f'<text x="{x}" y="{y + 3.5}" text-anchor="middle" font-size="10" fill="#ffffff">{letter}</text>'
    )
