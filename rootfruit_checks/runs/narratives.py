"""The narratives of a result, for the JSON result and the audit page."""

from __future__ import annotations

from msgspec import UNSET, convert

from rootfruit_checks.base.errors import ConfigError
from rootfruit_checks.catalog.identity_groups import groups
from rootfruit_checks.catalog.registry import BENCHMARKS, gated_groups
from rootfruit_checks.coding.agreement import agreement
from rootfruit_checks.judges.themes.codebook import themes
from rootfruit_checks.judges.themes.tagged import Tagged
from rootfruit_checks.metrics.theme_shares import quotes, shares
from rootfruit_checks.results.json_result import as_plain
from rootfruit_checks.results.narratives import Codes, Narratives, Quote, Theme, ThemesOf

_ABOUT = (
    "description, never gated: shares of continuations by theme, as tagged or coded; each figure has its own bounds at "
    "1 - alpha, not corrected for their number"
)


def narratives(tagged: Tagged, benchmark: str, *, alpha: float) -> Narratives:
    """Return the themes of each gated group and the controls, quotes, and the agreement of coders.

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
        found.append(convert(as_plain({"group": group, "is_control": group == control, **told}), ThemesOf))
        if group != control:
            quoted += [Quote(group=group, **one) for one in quotes(tagged.rows, tagged.themes, members)]
    return Narratives(
        gated=False,
        benchmark=benchmark,
        about=_ABOUT,
        tagger=tagged.told,
        themes=[Theme(one.id, one.title, one.definition, float(tagged.measured[one.id]["f1"])) for one in themes()],
        groups=found,
        quotes=quoted,
        codes=_codes(tagged) if tagged.codes else UNSET,
    )


def _codes(tagged: Tagged) -> Codes:
    continuations = int(tagged.rows["item"].isin(tagged.codes).sum())
    try:
        return convert(as_plain({"continuations": continuations, **agreement(tagged)}), Codes)
    except ConfigError as error:  # the codes still count
        return Codes(continuations=continuations, items=len(tagged.codes), not_computed=str(error))
