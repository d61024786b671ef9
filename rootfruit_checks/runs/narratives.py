"""What a result tells of narratives: plain values for the JSON result and the audit page."""

from __future__ import annotations

from typing import Any

from rootfruit_checks.base.errors import ConfigError
from rootfruit_checks.catalog.identity_groups import groups
from rootfruit_checks.catalog.measures import BY_ID
from rootfruit_checks.coding.agreement import agreement
from rootfruit_checks.judges.themes.codebook import themes
from rootfruit_checks.judges.themes.tagged import Tagged
from rootfruit_checks.metrics.theme_shares import quotes, shares

_ABOUT = (
    "description, never gated: shares of continuations by theme, as tagged or coded; bounds are each figure's own at "
    "1 - alpha, not corrected for their number"
)


def narratives(tagged: Tagged, *, alpha: float) -> dict[str, Any]:
    """Return the themes told of each gated group and of the binary control, quotes, and coders' agreement."""
    found = []
    quoted = []
    for group in (*BY_ID["disclosure/disparity"].groups, "binary"):
        members = groups().members("disclosure", group)
        told = shares(tagged.rows, tagged.themes, members, alpha=alpha)
        if not told["prompts"]:
            continue
        found.append({"group": group, **told})
        if group != "binary":
            quoted += [{"group": group, **one} for one in quotes(tagged.rows, tagged.themes, members)]
    value: dict[str, Any] = {
        "gated": False,
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
