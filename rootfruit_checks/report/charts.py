"""The report's charts as SVG text, drawn by matplotlib: no script in the page, and text stays text.

Colors are placeholders that become CSS variables, so charts follow the page into dark mode. A table next to each chart
has the same figures; the `title` is its text alternative.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rootfruit_checks.base.text import markup
from rootfruit_checks.catalog.registry import MEASURES
from rootfruit_checks.report import bounds
from rootfruit_checks.report.terminal import WORDS
from rootfruit_checks.results.check import Check
from rootfruit_checks.results.narratives import ThemeShare, ThemesOf

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Placeholder -> CSS variable of the page.
_INK = {
    "#010101": "ink",
    "#020202": "quiet",
    "#030303": "pass",
    "#040404": "fail",
    "#050505": "open",
    "#060606": "mark",
}
_COLOR = {name: placeholder for placeholder, name in _INK.items()}
_OUTCOME = {"pass": "pass", "fail": "fail", "error": "fail", "inconclusive": "open", "none": "quiet"}
# Labels of each judge, from most to least harmful to the person, in the order of the stacked bars.
SHARES = {
    "regard": ("negative", "other", "neutral", "positive", "empty", "unscored"),
    "pronoun": ("misgendered", "none", "other", "plural", "consistent", "empty", "unscored"),
}
_FILLS = {
    "negative": "#b3321b", "misgendered": "#b3321b", "other": "#8a8f98", "none": "#c98a1b", "plural": "#7a6bb0",
    "neutral": "#4c86b8", "consistent": "#2f7d5b", "positive": "#2f7d5b", "empty": "#5d6670", "unscored": "#3c434b",
}  # fmt: skip


def forest(rows: Sequence[Check]) -> str:
    """Return every gated check with both bounds and its limit; shares and differences get separate panels."""
    panels = [[row for row in rows if MEASURES[row.measure].signed is signed] for signed in (True, False)]
    panels = [[row for row in panel if row.estimate is not None] for panel in panels]
    panels = [panel for panel in panels if panel]
    if not panels:
        return ""
    heights = [len(panel) for panel in panels]
    figure, axes = _figure(9.0, 0.27 * sum(heights) + 0.75 * len(panels), heights)
    for axis, panel in zip(axes, panels, strict=True):
        told = [bounds.shown(row) for row in panel]
        values = [value for figures in told for value in figures if value is not None]
        for place, row in enumerate(reversed(panel)):
            color = _COLOR[_OUTCOME[row.verdict]]
            if row.low is not None and row.high is not None:
                _bar(axis, place, bounds.shown(row), (min(values), max(values)), color)
            if row.estimate is not None:
                axis.plot([row.estimate], [place], "o", color=color, markersize=5)
            if row.limit is not None:
                axis.plot([row.limit] * 2, [place - 0.38, place + 0.38], color=_COLOR["mark"], linewidth=1.6)
        axis.set_yticks(range(len(panel)), [f"{row.id}  {WORDS[row.verdict]}" for row in reversed(panel)])
        axis.set_ylim(-0.7, len(panel) - 0.3)
        signed = MEASURES[panel[0].measure].signed
        axis.set_xlabel("difference of rates (0: none)" if signed else "share (0.5: no preference)", loc="left")
        axis.axvline(0.0 if signed else 0.5, color=_COLOR["quiet"], linewidth=0.8, linestyle=":")
    return _svg(figure, "Every gated check: estimate, its two one-sided bounds, and the limit as a vertical mark")


def _bar(axis: Axes, place: int, row: bounds.Shown, ends: tuple[float, float], color: str) -> None:
    """Draw a check's bounds; without a bound the bar continues to the end of the panel, with an arrow."""
    low, high = (end if bound is None else bound for bound, end in zip((row.low, row.high), ends, strict=True))
    axis.plot([low, high], [place, place], color=color, linewidth=2.4, solid_capstyle="butt")
    for bound, end, arrow in ((row.low, low, "<"), (row.high, high, ">")):
        if bound is None:
            axis.plot([end], [place], arrow, color=color, markersize=6)


def levels(rows: Sequence[Check]) -> str:
    """Return the levels of policy and reference for checks that have both."""
    both = [(row.id, row.policy, row.reference) for row in rows if row.policy is not None and row.reference is not None]
    if not both:
        return ""
    figure, (axis,) = _figure(9.0, 0.27 * len(both) + 0.9, [1])
    for place, (_, policy, reference) in enumerate(reversed(both)):
        axis.plot([reference, policy], [place] * 2, color=_COLOR["quiet"], linewidth=1.2)
        axis.plot([reference], [place], "o", color=_COLOR["ink"], markersize=6, fillstyle="none")
        axis.plot([policy], [place], "o", color=_COLOR["mark"], markersize=6)
    axis.set_yticks(range(len(both)), [name for name, *_ in reversed(both)])
    axis.set_ylim(-0.7, len(both) - 0.3)
    axis.set_xlabel("level (filled: policy, hollow: reference)", loc="left")
    return _svg(figure, "The level of policy (filled) and reference (hollow) for each check")


def scatter(rows: Sequence[Check]) -> str:
    """Return d of the policy against d of the reference, one panel per group, with the four quadrants named."""
    found = [(row, points) for row in rows if (points := row.known.points or ())]
    if not found:
        return ""
    figure, axes = _figure(9.0, 3.4, [1], len(found))
    for axis, (row, points) in zip(axes, found, strict=True):
        axis.plot(*zip(*points, strict=True), "o", color=_COLOR["mark"], markersize=2.6, alpha=0.55, linestyle="none")
        axis.axhline(0.0, color=_COLOR["quiet"], linewidth=0.8)
        axis.axvline(0.0, color=_COLOR["quiet"], linewidth=0.8)
        reach = 1.08 * max(max(abs(value) for value in point) for point in points) or 1.0
        axis.plot([-reach, reach], [-reach, reach], color=_COLOR["quiet"], linewidth=0.8, linestyle=":")
        axis.set_xlim(-reach, reach)
        axis.set_ylim(-reach, reach)
        axis.set_title(f"{row.group}: {len(points)} of {row.known.pairs} pairs", color=_COLOR["ink"], fontsize=10)
        for name, x, y in (("kept", 0.98, 0.97), ("changed toward stigma", 0.02, 0.97), ("changed away", 0.98, 0.03),
                           ("stayed away", 0.02, 0.03)):  # fmt: skip
            axis.text(x, y, name, transform=axis.transAxes, color=_COLOR["ink"], fontsize=8,
                      ha="right" if x > 0.5 else "left", va="top" if y > 0.5 else "bottom")  # fmt: skip
        axis.set_xlabel("d of the reference, nats")
    axes[0].set_ylabel("d of the policy, nats", color=_COLOR["ink"])
    return _svg(figure, "How much more likely each model finds the stigmatizing sentence: policy against reference")


def shares(bars: Sequence[tuple[str, Mapping[str, float]]], quantity: str) -> str:
    """Return stacked shares of labels: one bar per model and group."""
    if not bars:
        return ""
    figure, (axis,) = _figure(9.0, 0.3 * len(bars) + 1.1, [1])
    names = [name for name, _ in reversed(bars)]
    used = [label for label in SHARES[quantity] if any(held.get(label) for _, held in bars)]
    for place, (_, held) in enumerate(reversed(bars)):
        start = 0.0
        for label in used:
            axis.barh(place, held.get(label, 0.0), left=start, height=0.72, color=_FILLS[label])
            start += held.get(label, 0.0)
    for label in used:
        axis.barh(0, 0, color=_FILLS[label], label=label)
    axis.set_yticks(range(len(bars)), names)
    axis.set_xlim(0, 1)
    axis.set_ylim(-0.7, len(bars) - 0.3)
    axis.legend(ncols=len(used), loc="lower left", bbox_to_anchor=(0, 1.0), frameon=False, fontsize=9,
                labelcolor=_COLOR["ink"], handlelength=1.0, columnspacing=1.2)  # fmt: skip
    return _svg(figure, f"Shares of {quantity} labels: policy and reference, group and binary control")


def themes(groups: Sequence[ThemesOf], titles: Mapping[str, str], control: Mapping[str, ThemeShare]) -> str:
    """Return how often each theme occurs, one panel per group: policy, reference, and policy about binary people."""
    groups = [one for one in groups if one.themes]
    if not groups:
        return ""
    figure, axes = _figure(9.0, 0.42 * len(titles) + 1.0, [1], len(groups))
    most = 0.01
    for number, (axis, one) in enumerate(zip(axes, groups, strict=True)):
        for place, line in enumerate(reversed(one.themes)):
            beside = control.get(line.theme)
            told = (line.reference, line.policy, beside.policy if beside else None)
            points = [one.estimate if one else None for one in told]
            reference, policy, binary = points
            if reference is not None and policy is not None:
                axis.plot([reference, policy], [place] * 2, color=_COLOR["quiet"], linewidth=1.2)
            if binary is not None:
                axis.plot([binary] * 2, [place - 0.3, place + 0.3], color=_COLOR["open"], linewidth=1.8)
            if reference is not None:
                axis.plot([reference], [place], "o", color=_COLOR["ink"], markersize=6, fillstyle="none")
            if policy is not None:
                axis.plot([policy], [place], "o", color=_COLOR["mark"], markersize=6)
            most = max([most, *(point for point in points if point is not None)])
        names = [titles[line.theme] for line in reversed(one.themes)]
        axis.set_yticks(range(len(names)), names if number == 0 else [""] * len(names))
        axis.set_ylim(-0.7, len(names) - 0.3)
        axis.set_title(one.group, color=_COLOR["ink"], fontsize=10)
        axis.set_xlabel("share of continuations")
        axis.locator_params(axis="x", nbins=4)
    for axis in axes:
        axis.set_xlim(-0.03 * most, 1.08 * most)
    return _svg(
        figure, "Themes of continuations by group: policy (filled), reference (hollow), binary people (vertical mark)"
    )


def _figure(width: float, height: float, heights: Sequence[int], columns: int = 1) -> tuple[Figure, Sequence[Axes]]:
    import matplotlib as mpl
    from matplotlib.figure import Figure as Canvas

    # Text as text, ids that depend on nothing but the content.
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "rootfruit", "font.size": 10})
    figure = Canvas(figsize=(width, height), layout="constrained")
    ratios = {"height_ratios": list(heights)}
    axes = figure.subplots(len(heights), columns, squeeze=False, gridspec_kw=ratios).ravel()
    for axis in axes:
        axis.set_facecolor("none")
        axis.tick_params(colors=_COLOR["ink"], length=0)
        axis.xaxis.label.set_color(_COLOR["ink"])
        axis.grid(visible=True, axis="x", color=_COLOR["quiet"], linewidth=0.4, alpha=0.5)
        axis.set_axisbelow(True)
        for spine in axis.spines.values():
            spine.set_visible(False)
    return figure, list(axes)


def _svg(figure: Figure, title: str) -> str:
    out = io.BytesIO()
    figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = out.getvalue().decode("utf-8")
    text = text[text.index("<svg") :]
    for placeholder, name in _INK.items():
        text = text.replace(placeholder, f"var(--{name})")
    # Clip paths and glyph markers get ids; two charts in one page must not share them.
    salt = re.sub(r"\W", "", title)[:24]
    text = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{salt}-", text)
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    head, _, rest = text.partition(">")
    head = re.sub(r' (width|height)="[^"]*"', "", head)
    return f'{head} role="img" aria-label="{markup(title)}"><title>{markup(title)}</title>{rest}'
