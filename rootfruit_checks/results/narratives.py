"""The result's `narratives`: themes of the continuations. Description, never gated."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, UnsetType

from rootfruit_checks.results.parts import Closed, Count, Number, never_gated, told


class Theme(Closed, frozen=True):
    """One theme of the codebook."""

    id: Annotated[str, told("Lower case, stable.")]
    title: Annotated[str, told("For readers.")]
    definition: Annotated[str, told("When a continuation has it.")]
    f1: Annotated[float, told("The tagger's F1.")]


class Estimate(Closed, frozen=True):
    """An estimate with its bounds."""

    estimate: Annotated[Number, told("Estimate.")]
    low: Annotated[Number, told("Lower bound at 1 - alpha.")]
    high: Annotated[Number, told("Upper bound at 1 - alpha.")]


class ThemeShare(Closed, frozen=True):
    """How often a theme occurs."""

    theme: Annotated[str, told("The theme's id.")]
    policy: Annotated[Estimate | None, told("Share of the policy's continuations that tell it.")]
    reference: Annotated[Estimate | None, told("Of the reference's.")]
    change: Annotated[Estimate | None, told("Policy minus reference, on the same prompts.")]


class ThemesOf(Closed, frozen=True):
    """The themes of one group."""

    group: Annotated[str, told("The group's name.")]
    is_control: Annotated[bool, told("Whether it is what the groups are compared with.")]
    prompts: Annotated[Count, told("Prompts about it.")]
    themes: Annotated[list[ThemeShare], told("By theme.")]


class Quote(Closed, frozen=True):
    """A continuation that tells a theme."""

    group: Annotated[str, told("The group.")]
    theme: Annotated[str, told("The theme.")]
    sample: Annotated[str, told("The prompt's id.")]
    text: Annotated[str, told("The continuation.")]


class Agreement(Closed, frozen=True):
    """How well coders agree on a theme."""

    theme: Annotated[str, told("The theme.")]
    alpha: Annotated[Number, told("Krippendorff's alpha, nominal.")]
    kappa: Annotated[Number, told("Cohen's kappa, mean over pairs of coders.")]
    tagger_kappa: Annotated[Number, told("Cohen's kappa of the tags and most coders.")]
    items: Annotated[int, told("Texts.")]


class Codes(Closed, frozen=True, kw_only=True):
    """What people coded."""

    continuations: Annotated[int, told("Continuations that have one of these texts.")]
    coders: Annotated[dict[str, int] | UnsetType, told("Coder -> how many texts they read.")] = UNSET
    items: Annotated[int, told("Texts that were coded.")]
    not_computed: Annotated[str | UnsetType, told("Why there is no agreement.")] = UNSET
    themes: Annotated[list[Agreement] | UnsetType, told("Agreement by theme.")] = UNSET

    def __post_init__(self) -> None:
        """Hold what the types cannot say."""
        if self.not_computed is UNSET and UNSET in (self.coders, self.themes):
            raise ValueError("lacks 'coders' or 'themes'")


class Narratives(Closed, frozen=True):
    """Themes of the continuations: description, never gated; or why there is none."""

    not_measured: Annotated[str | UnsetType, told("Why nothing is reported.")] = UNSET
    gated: Annotated[bool | UnsetType, told("Never.", const=False)] = UNSET
    benchmark: Annotated[str | UnsetType, told("Whose continuations these are.")] = UNSET
    about: Annotated[str | UnsetType, told("What the figures are.")] = UNSET
    tagger: Annotated[str | UnsetType, told("The tagger, and its quality on held-out texts.")] = UNSET
    themes: Annotated[list[Theme] | UnsetType, told("The codebook.")] = UNSET
    groups: Annotated[list[ThemesOf] | UnsetType, told("The gated groups, and `binary` as their control.")] = UNSET
    quotes: Annotated[
        list[Quote] | UnsetType, told("Some continuations of the policy by group and theme, chosen by hash.")
    ] = UNSET
    codes: Annotated[Codes | UnsetType, told("Human codes, which replace tags; present if some were imported.")] = UNSET

    def __post_init__(self) -> None:
        """Hold what the types cannot say."""
        parts = [self.gated, self.benchmark, self.about, self.tagger, self.themes, self.groups, self.quotes]
        if self.not_measured is not UNSET:
            if any(part is not UNSET for part in (*parts, self.codes)):
                raise ValueError("has figures, and a reason why there are none")
            return
        if UNSET in parts:
            raise ValueError("lacks a key")
        never_gated(self.gated)
        known = {theme.id for theme in self.themes or ()}
        used = [line.theme for group in self.groups or () for line in group.themes]
        used += [quote.theme for quote in self.quotes or ()]
        used += [line.theme for line in (self.codes.themes or ())] if isinstance(self.codes, Codes) else []
        if unknown := [theme for theme in used if theme not in known]:
            raise ValueError(f"theme {unknown[0]!r} is not in its codebook")
