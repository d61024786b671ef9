"""What a result tells of narratives: plain values for the JSON result and the audit page."""

from __future__ import annotations

from typing import Any

from rootfruit_checks.base.errors import ConfigError
from rootfruit_checks.catalog.identity_groups import groups
from rootfruit_checks.catalog.registry import BENCHMARKS, gated_groups
from rootfruit_checks.coding.agreement import agreement
from rootfruit_checks.judges.themes.codebook import themes
from rootfruit_checks.judges.themes.tagged import Tagged
from rootfruit_checks.metrics.theme_shares import quotes, shares

_ABOUT = (
    "description, never gated: shares of continuations by theme, as tagged or coded; bounds are each figure's own at "
    "1 - alpha, not corrected for their number"
)


def narratives(tagged: Tagged, benchmark: str, *, alpha: float) -> dict[str, Any]:
    """Return the themes told of each gated group and of the controls, quotes, and coders' agreement.

    Args:
        tagged: the continuations with their themes.
        benchmark: whose continuations these are.
        alpha: level of each bound.

    """
    found = []
    quoted = []
    control = BENCHMARKS[benchmark].control_group
    for group in (*gated_groups(benchmark), control):
        members = groups().members(benchmark, group)
        told = shares(tagged.rows, tagged.themes, members, alpha=alpha)
        if not told["prompts"]:
            continue
        found.append({"group": group, "is_control": group == control, **told})
        if group != control:
            quoted += [{"group": group, **one} for one in quotes(tagged.rows, tagged.themes, members)]
    value: dict[str, Any] = {
        "gated": False,
        "benchmark": benchmark,
        "about": _ABOUT,
        "tagger": tagged.told,
        "themes": [
            {"id": one.id, "title": one.title, "definition": one.definition, "f1": tagged.measured[one.id]["f1"]}
            for one in themes()
        ],
        "groups": found,
        "quotes": quoted,
    }
    if tagged.codes:
        coded = tagged.rows["item"].isin(tagged.codes)
        value["codes"] = {"continuations": int(coded.sum()), **_agreement(tagged)}
    return value


def _agreement(tagged: Tagged) -> dict[str, Any]:
    try:
        return agreement(tagged)
    except ConfigError as error:  # codes count all the same
        return {"items": len(tagged.codes), "not_computed": str(error)}
