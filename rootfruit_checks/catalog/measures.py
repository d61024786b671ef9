"""The types of registrations: a benchmark, its measures, classifiers and custom metrics.

Higher always means more harm. Limits are starting points: set your own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from rootfruit_checks.base.types import Prompt

Kind = Literal["pairs", "prompts"]
Gate = Literal["ceiling", "difference", "descriptive"]
REGRESSION = "regression"
# By kind of benchmark, the measure of one model that two releases are compared by.
LEVELS: Mapping[Kind, str] = {"pairs": "preference", "prompts": "disparity"}

# Labels of continuations that no instrument could judge.
NO_ANSWER = ("empty", "unscored")
# The labels of the package's own judges, as the frame holds them.
LABELS: Mapping[str, tuple[str, ...]] = {
    "regard": ("negative", "neutral", "positive", "other", *NO_ANSWER),
    "pronoun": ("consistent", "misgendered", "none", "plural", "other", *NO_ANSWER),
}
# The label that a disparity counts by default.
HARMFUL: Mapping[str, str] = {"regard": "negative", "pronoun": "misgendered"}

_OWN_PACKAGE = __name__.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure: its estimand in words, how it gates, and which factors are random.

    Attributes:
        benchmark: the first part of its id.
        metric: the second part.
        title: the estimand in words.
        kind: of the benchmark.
        gate: "ceiling" of the policy, "difference" between models, or "descriptive".
        limit: the default limit; None where it is only described.
        needs_reference: whether policy and reference are compared.
        clusters: its random factors, one or two.
        groups: the groups that decide.
        value_range: the range of one sample's value: a share, a difference of shares, or one of differences.
        no_change: the estimate of a policy that changed nothing; what "superior" must lie below.
        needs_baseline: whether it compares with an earlier release; declared only where a baseline is given.
        label: of prompts, the label of continuations whose rate is compared; "" elsewhere.

    """

    benchmark: str
    metric: str
    title: str
    kind: Kind
    gate: Gate
    limit: float | None
    needs_reference: bool
    clusters: tuple[str, ...]
    groups: tuple[str, ...]
    value_range: tuple[float, float]
    no_change: float | None = None
    needs_baseline: bool = False
    label: str = ""

    @property
    def id(self) -> str:
        """`benchmark/metric`, the part of a check id before the group."""
        return f"{self.benchmark}/{self.metric}"

    @property
    def gated(self) -> bool:
        """Whether this measure decides anything."""
        return self.gate != "descriptive"

    @property
    def signed(self) -> bool:
        """Whether the estimate is a difference of shares, which may lie below 0; else it is a share."""
        return self.value_range[0] < 0.0

    @property
    def levels(self) -> Literal["%", "points"]:
        """What the levels of policy and reference are: rates, or, where a change of disparities is measured, those."""
        return "points" if self.signed and self.kind == "prompts" else "%"


@dataclass(frozen=True)
class Origin:
    """Where a registration comes from.

    Attributes:
        module: the module that registered it.
        digest_of: returns a hash of the sources that it is made of.

    """

    module: str
    digest_of: Callable[[], str]

    @cached_property
    def digest(self) -> str:
        """A hash of its sources; files are read on first use."""
        return self.digest_of()

    @property
    def package(self) -> str:
        """The top-level package or module."""
        return self.module.partition(".")[0]

    @property
    def is_built_in(self) -> bool:
        """Whether it comes with this package."""
        return self.package == _OWN_PACKAGE


@dataclass(frozen=True, slots=True)
class OfficialFile:
    """One file of a benchmark's official data, which `rootfruit data fetch` downloads and verifies.

    Attributes:
        name: its name here.
        path: where it lies below https://raw.githubusercontent.com: owner/repository/commit/path.
        licence: upstream's licence.
        pin: "git:" and the id of its git blob, or "sha256:" and hex.
        most: maximum size of a download in bytes; the pin fixes the exact content.

    """

    name: str
    path: str
    licence: str
    pin: str
    most: int = 32 * 2**20


@dataclass(frozen=True, slots=True)
class Rise:
    """A metric of prompts beside the harmful label's: how much more of another label policy writes than reference.

    The rate of `label` for the group minus that of its controls, policy minus reference.

    Attributes:
        label: a label of the benchmark's classifier.
        limit: its default limit; None where it is only described.
        title: the estimand in words.

    """

    label: str
    limit: float | None
    title: str


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A registered benchmark: see `extend.benchmark` for what each field means.

    `groups` holds group -> identities without the controls, which are the group `control_group`; `clusters` factor ->
    column of the frame; `classifier` and `harmful` are "" for pairs.
    """

    name: str
    kind: Kind
    reader: Callable[..., Any]
    groups: Mapping[str, tuple[str, ...]]
    controls: tuple[str, ...]
    control_group: str
    clusters: Mapping[str, str]
    classifier: str
    harmful: str
    source: str
    licence: str
    default: bool
    origin: Origin
    audited: bool = False
    twins: bool = False
    themes: bool = False
    side_by_side: tuple[str, ...] = ()
    crossed_with: Mapping[str, str] | None = None
    count_names: Callable[[str], int] | None = None
    markers: Mapping[str, str] | None = None
    files: tuple[OfficialFile, ...] = ()
    variances: Path | None = None

    @property
    def quantity(self) -> str:
        """The quantity of the frame that holds the labels of its continuations; "" for pairs."""
        return self.classifier if self.classifier in LABELS or not self.classifier else "label"


@dataclass(frozen=True, slots=True)
class Classifier:
    """A registered classifier of continuations: see `extend.classifier`. `shift` is None where it was not measured."""

    name: str
    labels: tuple[str, ...]
    label: Callable[[Sequence[str], Sequence[Prompt]], Sequence[str]]
    accuracy: str
    shift: float | None
    origin: Origin


@dataclass(frozen=True, slots=True)
class Metric:
    """A registered metric's function: see `extend.metric`."""

    id: str
    function: Callable[..., Any]
    origin: Origin
