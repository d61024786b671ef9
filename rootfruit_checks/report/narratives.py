"""The narratives of a result as the audit page shows them: lines of figures, and what the chart is drawn from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rootfruit_checks.report import charts


def section(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the template shows of `narratives`; nothing where they were not told, but for the reason why."""
    told = value.get("narratives") or {}
    if "groups" not in told:
        return {"why": told.get("not_measured", "")}
    titles = {theme["id"]: theme["title"] for theme in told["themes"]}
    groups = [one for one in told["groups"] if not one["is_control"]]
    control = next((one for one in told["groups"] if one["is_control"]), None)
    beside = {line["theme"]: line for line in control["themes"]} if control else {}
    return {
        "about": told["about"],
        "tagger": told["tagger"],
        "themes": told["themes"],
        "titles": titles,
        "groups": groups,
        "control": beside,
        "svg": charts.themes(groups, titles, beside),
        "quotes": told["quotes"],
        "codes": told.get("codes"),
    }
