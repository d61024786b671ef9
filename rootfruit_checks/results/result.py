"""The result of a run: one typed value, from which JSON, its JSON Schema and every page are made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType, structs

from rootfruit_checks.results.check import Check
from rootfruit_checks.results.json_result import SCHEMA, as_text
from rootfruit_checks.results.narratives import Narratives
from rootfruit_checks.results.parts import Closed, Count, From1, Name, Sha256, told
from rootfruit_checks.results.run_info import Run
from rootfruit_checks.results.views import Combined, Intersections


class Shard(Closed, frozen=True):
    """The outcome of a shard."""

    index: Annotated[From1, told("Which share, from 1.")]
    count: Annotated[From1, told("Of how many.")]
    complete: Annotated[bool, told("Whether all of its share is stored.")]
    computed: Annotated[Count, told("Units computed in this run.")]
    found: Annotated[Count, told("Units that were there.")]


class Page(Closed, frozen=True):
    """The audit page that was written with a result."""

    sha256: Annotated[Sha256, told("Digest of the page, to verify it by.")]


class Result(Closed, frozen=True):
    """The JSON result of rootfruit-checks (--rootfruit-json). Rates and disparities are shares, not percent;
    log-probabilities are in nats. Texts of models and data are hostile text: escape them. A later version of the
    package may add keys; another number in `schema` means that a key changed its meaning.
    """

    schema: Annotated[str, told("Name and version of this format.", const=SCHEMA)]
    run: Annotated[Run, told("What was run; nothing here differs between equal runs.")]
    checks: Annotated[list[Check], told("Gated checks first, then descriptions; each by id.")]
    complete: Annotated[bool, told("Whether every declared check has a verdict.")]
    missing: Annotated[list[str], told("Declared checks without one.", uniqueItems=True)]
    released: Annotated[bool, told("Whether the run is complete and nothing blocks.")]
    reservations: Annotated[
        list[Name],
        told(
            "What the settings or a test loosened, as clauses: benchmarks left out, limits looser than the default, "
            "inconclusive checks that did not block and the like. A release with any is less strict than the defaults.",
            uniqueItems=True,
        ),
    ]
    combined: Annotated[
        Combined | UnsetType,
        told("Scores and texts of one group, side by side. Nothing here gates."),
    ] = UNSET
    intersections: Annotated[
        Intersections | UnsetType, told("Identities by surroundings; exploratory, never gated.")
    ] = UNSET
    narratives: Annotated[
        Narratives | UnsetType,
        told("Themes of the continuations: description, never gated; or why there is none."),
    ] = UNSET
    shard: Annotated[Shard | UnsetType, told("Only for a shard, which gates nothing.")] = UNSET
    report: Annotated[Page | UnsetType, told("Only if an audit page was written with it.")] = UNSET

    @property
    def gated(self) -> list[Check]:
        """The checks that decide on the release."""
        return [check for check in self.checks if check.gated]

    def __post_init__(self) -> None:
        """Hold what the types cannot say."""
        if self.schema != SCHEMA:
            raise ValueError(f"schema {self.schema!r} is not {SCHEMA!r}, which this version reads")
        if self.complete is bool(self.missing) or len(set(self.missing)) < len(self.missing):
            raise ValueError("'complete' and 'missing' contradict each other")
        if len(set(self.reservations)) < len(self.reservations):
            raise ValueError("holds a reservation twice")
        if self.released and (not self.complete or self.shard is not UNSET):
            raise ValueError("is released and not complete")
        if self.shard is not UNSET and any(check.verdict != "error" for check in self.checks):
            raise ValueError("is of a shard and has verdicts")
        if self.shard is UNSET and UNSET in (self.combined, self.intersections):
            raise ValueError("lacks the key 'combined' or 'intersections'")
        seen = Counter(check.id for check in self.checks)
        if twice := [one for one, times in seen.items() if times > 1]:
            raise ValueError(f"has the check {twice[0]!r} twice")
        broken = [check for check in self.checks if check.gated and check.verdict in {"fail", "error"}]
        if self.released and broken:
            raise ValueError(f"is released, and {broken[0].id} is {broken[0].verdict}")


def result(
    checks: Iterable[Check],
    run: Run,
    *,
    declared: Sequence[str],
    blocked: bool,
    reservations: Sequence[str] = (),
    combined: Combined | UnsetType = UNSET,
    intersections: Intersections | UnsetType = UNSET,
    narratives: Narratives | UnsetType = UNSET,
    shard: Shard | UnsetType = UNSET,
) -> Result:
    """Return the result of a run: `rootfruit-result/1`, documented in docs/reference/json.md.

    Args:
        checks: what was decided or described, in any order.
        run: what was run.
        declared: ids of the gated checks that the settings declare; all must be there for `complete`.
        blocked: whether any gated check blocks the release.
        reservations: what makes a release less strict than the defaults.
        combined: scores beside texts.
        intersections: identities by surroundings.
        narratives: themes of the continuations.
        shard: what a share came to; a result has it, or the three before it.

    """
    ordered = sorted(checks, key=lambda check: (not check.gated, check.id))
    there = {check.id for check in ordered if check.gated and check.verdict != "error"}
    missing = [check for check in declared if check not in there]
    return Result(
        schema=SCHEMA,
        run=run,
        checks=ordered,
        complete=not missing,
        missing=missing,
        released=bool(declared) and not missing and not blocked,
        reservations=list(reservations),
        combined=combined,
        intersections=intersections,
        narratives=narratives,
        shard=shard,
    )


def to_json(value: Result) -> str:
    """Return a result as JSON, keys in their documented order."""
    return as_text(msgspec.to_builtins(value))


def with_page(value: Result, digest: str) -> Result:
    """Return the result that names the page which was written with it."""
    return structs.replace(value, report=Page(digest))


def without_page(value: Result) -> Result:
    """Return the result alone, as the store holds it."""
    return structs.replace(value, report=UNSET)
