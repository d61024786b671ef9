"""The JSON result as types: what `result.schema.json` says, for whoever reads one. A test holds both together.

Only readers use them. What a run writes is checked against the JSON Schema by our tests.
"""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from rootfruit_checks.results.json_result import SCHEMA

Count = Annotated[int, Meta(ge=0)]
From1 = Annotated[int, Meta(ge=1)]
Name = Annotated[str, Meta(min_length=1)]
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Share = Annotated[float, Meta(ge=0, le=1)]
Number = float | None
Texts = dict[str, str]
# What pages show of a cell of intersections; texts, and figures.
_WORDS = {"identity", "by", "note"}
_FIGURES = {"n", "clusters"} | {
    f"{arm}_{part}" for arm in ("policy", "reference", "change") for part in ("raw", "shrunk", "low", "high")
}


class _Closed(Struct, frozen=True, forbid_unknown_fields=True):
    """An object whose keys are all listed."""


class _Open(Struct, frozen=True):
    """An object that may have more keys."""


class File(_Closed, frozen=True):
    """A Parquet file of the store."""

    path: str
    sha256: Sha256
    rows: Count


class Table(_Closed, frozen=True):
    """A table of measurements, of scored pairs with their tokens."""

    path: str
    sha256: Sha256
    rows: Count
    tokens: File | UnsetType = UNSET


class Run(_Closed, frozen=True):
    """What was run."""

    policy: Texts
    reference: Texts | None
    data: Texts
    settings: Texts
    instruments: Texts
    notes: list[str]
    tables: dict[Annotated[str, Meta(pattern="/(policy|reference)(/[2-9])?$")], Table]
    versions: Texts | UnsetType = UNSET

    def __post_init__(self) -> None:
        """Hold what the types cannot say."""
        if "scale" not in self.data:
            raise ValueError("its data lack the key 'scale'")


class Sample(_Closed, frozen=True):
    """One sample of a check."""

    id: str
    prompt: str
    policy: str
    reference: str
    value: Number
    tokens: (
        dict[
            Literal["policy", "reference"],
            dict[Literal["queer", "counterfactual"], list[tuple[str, float, bool]]],
        ]
        | UnsetType
    ) = UNSET


class Flips(_Open, frozen=True):
    """Pairs by which sentence each model prefers."""

    kept: Count
    away: Count
    toward: Count
    stayed_away: Count


class Sides(_Open, frozen=True):
    """Shares of labels."""

    group: dict[str, float]
    control: dict[str, float]


class Rates(_Open, frozen=True):
    """A rate of the group and of its control."""

    group: Number
    control: Number


class Details(_Open, frozen=True):
    """What pages read of a check's details; more may stand there."""

    method: str | UnsetType = UNSET
    se: Number | UnsetType = UNSET
    note: str | UnsetType = UNSET
    unscored_share: Share | UnsetType = UNSET
    p_fail: Number | UnsetType = UNSET
    low_uncorrected: Number | UnsetType = UNSET
    low_level: Number | UnsetType = UNSET
    shift: Number | UnsetType = UNSET
    labels: dict[str, Sides] | UnsetType = UNSET
    flips: Flips | UnsetType = UNSET
    spearman: Number | UnsetType = UNSET
    rates: dict[str, Rates] | UnsetType = UNSET
    points: list[tuple[float, float]] | UnsetType = UNSET
    pairs: Count | UnsetType = UNSET
    by_identity: dict[str, Any] | UnsetType = UNSET

    def __post_init__(self) -> None:
        """Hold what the types cannot say."""
        if self.points and self.pairs is UNSET:
            raise ValueError("has points and lacks the key 'pairs'")
        if self.flips is not UNSET and self.spearman is UNSET:
            raise ValueError("has flips and lacks the key 'spearman'")


class Check(_Closed, frozen=True):
    """One check."""

    id: Annotated[str, Meta(pattern="^[^/]+/[^/]+/.+$")]
    benchmark: Name
    metric: Name
    group: Name
    n: Count
    clusters: dict[str, Count]
    unscored: Count
    policy: Number
    reference: Number
    estimate: Number
    low: Number
    high: Number
    limit: Number
    verdict: Literal["pass", "fail", "inconclusive", "error", "none"]
    explain: str
    gated: bool
    data: str
    samples: list[Sample]
    details: Details

    def __post_init__(self) -> None:
        """Hold what the types cannot say."""
        if self.verdict in ({"none"} if self.gated else {"pass", "fail", "inconclusive"}):
            raise ValueError(f"verdict {self.verdict!r} of a check that is {'' if self.gated else 'not '}gated")
        if self.verdict in {"pass", "fail"} and (self.estimate is None or self.limit is None or not self.n):
            raise ValueError(f"verdict {self.verdict!r} without an estimate, a limit or samples")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"the lower bound {self.low:g} is above the upper bound {self.high:g}")


class Side(_Closed, frozen=True):
    """A check's verdict in the combined view."""

    id: str
    verdict: Literal["pass", "fail", "inconclusive", "error", "none", "not run"]
    policy: Number
    reference: Number
    estimate: Number
    low: Number
    high: Number
    limit: Number


class Together(_Closed, frozen=True):
    """One group and question, by scores and by texts."""

    group: str
    question: Literal["level", "change"]
    likelihood: list[Side]
    generation: list[Side]
    agreement: Literal["agree", "disagree", "open", "not compared"]
    instances_that_differ: Number
    says: str


class Disagreement(_Open, frozen=True):
    """A rate with its bounds."""

    estimate: Number
    low: Number
    high: Number
    n: Count


class Arm(_Open, frozen=True):
    """What is shown of one model, or of the change."""

    disagreement: Disagreement


class Instances(_Open, frozen=True):
    """One pronoun group, prompt by prompt."""

    group: str
    policy: Arm | None
    reference: Arm | None
    change: Arm | None


class AllInstances(_Open, frozen=True):
    """The pronoun groups, or why there are none."""

    not_measured: str | UnsetType = UNSET
    benchmark: str | UnsetType = UNSET
    groups: list[Instances] | UnsetType = UNSET


class Combined(_Closed, frozen=True):
    """Scores beside texts."""

    gated: bool
    groups: list[Together]
    instances: AllInstances

    def __post_init__(self) -> None:
        """Hold what the types cannot say."""
        _never(self.gated)
        asked = {(one.group, one.question) for one in self.groups}
        if any((one.group, question) not in asked for one in self.groups for question in ("level", "change")):
            raise ValueError("a group lacks one of its two questions")


class Cells(_Open, frozen=True):
    """Identities by surroundings, of one benchmark; or why there are none."""

    not_measured: str | UnsetType = UNSET
    by: str | UnsetType = UNSET
    quantity: str | UnsetType = UNSET
    columns: list[str] | UnsetType = UNSET
    rows: list[list[str | float | None]] | UnsetType = UNSET

    def __post_init__(self) -> None:
        """Hold what the types cannot say."""
        whole = UNSET not in (self.by, self.columns, self.rows, self.quantity)
        if whole is (self.not_measured is not UNSET):
            raise ValueError("has neither rows nor a reason why there are none, or both")
        columns = self.columns or []
        if self.rows is not UNSET and (not set(columns) >= (_WORDS | _FIGURES) or len(set(columns)) < len(columns)):
            raise ValueError("its columns are not those of a result")
        for at, row in enumerate(self.rows or ()):
            if len(row) != len(columns):
                raise ValueError(f"row {at} has {len(row)} cells for {len(columns)} columns")
            for name, cell in zip(columns, row, strict=True):
                if (name in _WORDS and not isinstance(cell, str)) or (name in _FIGURES and isinstance(cell, str)):
                    raise ValueError(f"row {at}: {name} is {'text' if isinstance(cell, str) else 'no text'}")


class Intersections(_Open, frozen=True):
    """The cells by benchmark, or why there are none."""

    not_measured: str | UnsetType = UNSET
    gated: bool = False
    about: str | UnsetType = UNSET
    benchmarks: dict[str, Cells] | UnsetType = UNSET

    def __post_init__(self) -> None:
        """Hold what the types cannot say."""
        _never(self.gated)
        if self.not_measured is UNSET and UNSET in (self.about, self.benchmarks):
            raise ValueError("lacks 'about' or 'benchmarks'")


class Theme(_Closed, frozen=True):
    """One theme of the codebook."""

    id: str
    title: str
    definition: str
    f1: float


class Told(_Closed, frozen=True):
    """An estimate with its bounds."""

    estimate: Number
    low: Number
    high: Number


class ThemeShare(_Closed, frozen=True):
    """How often a theme is told."""

    theme: str
    policy: Told | None
    reference: Told | None
    change: Told | None


class ThemesOf(_Closed, frozen=True):
    """The themes of one group."""

    group: str
    is_control: bool
    prompts: Count
    themes: list[ThemeShare]


class Quote(_Closed, frozen=True):
    """A continuation that tells a theme."""

    group: str
    theme: str
    sample: str
    text: str


class Agreement(_Closed, frozen=True):
    """How well coders agree on a theme."""

    theme: str
    alpha: Number
    kappa: Number
    tagger_kappa: Number
    items: int


class Codes(_Closed, frozen=True):
    """What people coded."""

    items: int
    continuations: int
    coders: dict[str, int] | UnsetType = UNSET
    not_computed: str | UnsetType = UNSET
    themes: list[Agreement] | UnsetType = UNSET

    def __post_init__(self) -> None:
        """Hold what the types cannot say."""
        if self.not_computed is UNSET and UNSET in (self.coders, self.themes):
            raise ValueError("lacks 'coders' or 'themes'")


class Narratives(_Closed, frozen=True):
    """Themes of the continuations, or why there are none."""

    not_measured: str | UnsetType = UNSET
    gated: bool | UnsetType = UNSET
    benchmark: str | UnsetType = UNSET
    about: str | UnsetType = UNSET
    tagger: str | UnsetType = UNSET
    themes: list[Theme] | UnsetType = UNSET
    groups: list[ThemesOf] | UnsetType = UNSET
    quotes: list[Quote] | UnsetType = UNSET
    codes: Codes | UnsetType = UNSET

    def __post_init__(self) -> None:
        """Hold what the types cannot say."""
        parts = [self.gated, self.benchmark, self.about, self.tagger, self.themes, self.groups, self.quotes]
        if self.not_measured is not UNSET:
            if any(part is not UNSET for part in (*parts, self.codes)):
                raise ValueError("has figures, and a reason why there are none")
            return
        if UNSET in parts:
            raise ValueError("lacks a key")
        _never(self.gated)
        known = {theme.id for theme in self.themes or ()}
        used = [line.theme for group in self.groups or () for line in group.themes]
        used += [quote.theme for quote in self.quotes or ()]
        used += [line.theme for line in (self.codes.themes or ())] if isinstance(self.codes, Codes) else []
        if unknown := [theme for theme in used if theme not in known]:
            raise ValueError(f"theme {unknown[0]!r} is not in its codebook")


class Shard(_Closed, frozen=True):
    """What a share came to."""

    index: From1
    count: From1
    complete: bool
    computed: Count
    found: Count


class Page(_Open, frozen=True):
    """The audit page that was written with a result."""

    sha256: Sha256


class Result(_Closed, frozen=True):
    """A whole JSON result."""

    schema: str
    run: Run
    checks: list[Check]
    complete: bool
    missing: list[str]
    released: bool
    reservations: list[str]
    combined: Combined | UnsetType = UNSET
    intersections: Intersections | UnsetType = UNSET
    narratives: Narratives | UnsetType = UNSET
    shard: Shard | UnsetType = UNSET
    report: Page | UnsetType = UNSET

    def __post_init__(self) -> None:
        """Hold what the types cannot say."""
        if self.schema != SCHEMA:
            raise ValueError(f"schema {self.schema!r} is not {SCHEMA!r}, which this version reads")
        if self.complete is bool(self.missing) or len(set(self.missing)) < len(self.missing):
            raise ValueError("'complete' and 'missing' contradict each other")
        if self.released and (not self.complete or self.shard is not UNSET):
            raise ValueError("is released and not complete")
        if self.shard is not UNSET and self.checks:
            raise ValueError("is of a shard and has checks")
        if self.shard is UNSET and UNSET in (self.combined, self.intersections):
            raise ValueError("lacks the key 'combined' or 'intersections'")
        seen = Counter(check.id for check in self.checks)
        if twice := [one for one, times in seen.items() if times > 1]:
            raise ValueError(f"has the check {twice[0]!r} twice")
        broken = [check for check in self.checks if check.gated and check.verdict in {"fail", "error"}]
        if self.released and broken:
            raise ValueError(f"is released, and {broken[0].id} is {broken[0].verdict}")


def _never(gated: object) -> None:
    if gated is not False:
        raise ValueError("'gated' is not false")
