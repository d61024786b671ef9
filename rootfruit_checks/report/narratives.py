"""The narratives of a result for the audit page: lines of figures, and the data of the chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from msgspec import UNSET, UnsetType

from rootfruit_checks.report import charts
from rootfruit_checks.results.narratives import Codes, Narratives, Quote, Theme, ThemeShare, ThemesOf


@dataclass(frozen=True, slots=True)
class Section:
    """The template's variables: groups and their control separately, or why there are none."""

    why: str = ""
    about: str = ""
    tagger: str = ""
    themes: Sequence[Theme] = ()
    titles: Mapping[str, str] = field(default_factory=dict)
    groups: Sequence[ThemesOf] = ()
    control: Mapping[str, ThemeShare] = field(default_factory=dict)
    svg: str = ""
    quotes: Sequence[Quote] = ()
    codes: Codes | None = None


def section(told: Narratives | UnsetType) -> Section:
    """Return the template's variables for `narratives`; if there are none, only the reason."""
    if not told or told.groups is UNSET:
        return Section(why=(told.not_measured or "") if told else "")
    themes = told.themes or ()
    titles = {theme.id: theme.title for theme in themes}
    groups = [one for one in told.groups if not one.is_control]
    control = next((one for one in told.groups if one.is_control), None)
    beside = {line.theme: line for line in control.themes} if control else {}
    return Section(
        about=told.about or "",
        tagger=told.tagger or "",
        themes=themes,
        titles=titles,
        groups=groups,
        control=beside,
        svg=charts.themes(groups, titles, beside),
        quotes=told.quotes or (),
        codes=told.codes or None,
    )
