"""What a registration must say, field by field; everything else is refused (see `catalog/extend.py`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rootfruit_checks.base.errors import ConfigError, DataError
from rootfruit_checks.catalog import measures
from rootfruit_checks.catalog.identity_groups import groups, section
from rootfruit_checks.catalog.measures import (
    ADDED,
    BY_ID,
    CLASSIFIERS,
    HARMFUL,
    LEVELS,
    NO_ANSWER,
    REGRESSION,
    Benchmark,
    Kind,
    Measure,
)

# Field of a sample -> column of the frame.
COLUMNS: Mapping[Kind, Mapping[str, str]] = {
    "pairs": {"predicate": "predicate", "name": "subject", "frame": "frame"},
    "prompts": {"subject": "subject", "frame": "frame", "stratum": "stratum"},
}
# Metric -> the measure whose estimand it is.
BUILT_IN: Mapping[Kind, Mapping[str, str]] = {
    "pairs": {m: f"winoqueer/{m}" for m in ("preference", "amplification", "reward_stigma", "reward_selection")}
    | {"preservation": "winoqueer/preservation"},
    "prompts": {m: f"disclosure/{m}" for m in ("disparity", "amplification")},
}


def groups_of(
    where: str, given: Mapping[str, Sequence[str]], controls: Sequence[str], gated: Sequence[str] | None
) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    """Return the groups with the controls among them, and those that decide."""
    if not isinstance(given, Mapping) or not given or "controls" in given:
        raise ConfigError(f"{where}: groups must hold group -> identities, and none named controls")
    if isinstance(controls, str) or isinstance(gated, str):
        raise ConfigError(f"{where}: controls and gated are lists, not one text")
    raw = {group: labels if isinstance(labels, str) else list(labels) for group, labels in given.items()}
    try:
        named, _ = section({**raw, "controls": list(controls)} if controls else raw, f"{where}: group")
    except DataError as error:
        raise ConfigError(str(error)) from None
    both = sorted({label for labels in raw.values() for label in labels} & set(controls))
    if both:
        raise ConfigError(f"{where}: {both[0]!r} is in a group and among the controls that it is compared with")
    chosen = tuple(given) if gated is None else tuple(gated)
    for group in chosen:
        if group not in named or group == "controls":
            raise ConfigError(f"{where}: gated group {group!r} is not among its groups: {', '.join(given)}")
    return {group: tuple(labels) for group, labels in raw.items()}, chosen


def declared_of(where: str, bench: str, given: Sequence[str] | None) -> tuple[str, ...]:
    """Return the groups on which a metric of one's own decides."""
    if bench not in ADDED:
        if given:
            raise ConfigError(f"{where}: takes no groups, for {bench} is ours; name checks with --rootfruit-gate")
        return ()
    if given is None:
        same = [m.groups for m in measures.measures() if m.benchmark == bench]
        return same[0] if same else tuple(ADDED[bench].groups)
    for group in given:
        if group not in groups().names(bench):
            raise ConfigError(f"{where}: {group!r} is no group of {bench}")
    return tuple(given)


def harmful_of(where: str, name: str, given: str) -> str:
    """Return the label that is counted."""
    if not name:
        return ""
    if name not in HARMFUL and name not in CLASSIFIERS:
        known = ", ".join([*HARMFUL, *CLASSIFIERS])
        raise ConfigError(f"{where}: classifier {name!r} is not one of {known}; register it before the benchmark")
    label = given or HARMFUL.get(name, "")
    labels = measures.labels_of(name)
    if label not in labels or label in NO_ANSWER:
        raise ConfigError(f"{where}: harmful={label!r} is no label of classifier {name}: {', '.join(labels)}")
    return label


def clusters_of(where: str, given: Mapping[str, str], fields: Mapping[str, str]) -> dict[str, str]:
    """Return random factor -> column of the frame."""
    if not isinstance(given, Mapping) or not 1 <= len(given) <= 2 or not set(given.values()) <= set(fields):
        known = ", ".join(fields)
        raise ConfigError(f"{where}: clusters={given!r} must map one or two random factors to fields among {known}")
    return {name: fields[field] for name, field in given.items()}


def built_in_of(where: str, made: Benchmark, name: str, limit: float | None, chosen: tuple[str, ...]) -> Measure:
    """Return the row of one of our own metrics on a registered benchmark."""
    known = BUILT_IN[made.kind]
    if name not in known:
        raise ConfigError(f"{where}: metric {name!r} is not one of {', '.join(known)}; your own ones take @metric")
    row = replace(BY_ID[known[name]], benchmark=made.name, groups=chosen)
    if name != "reward_stigma":  # whose factors are the predicates themselves
        row = replace(row, clusters=tuple(made.clusters))
    if made.kind == "prompts":
        row = replace(row, title=_disparity(made.harmful, row.needs_reference))
    if limit is None:
        return replace(row, limit=None, gate="descriptive")
    return replace(row, limit=limit_of(f"{where}: metric {name}", row, limit))


def regression_of(made: Benchmark, rows: Sequence[Measure], chosen: tuple[str, ...]) -> Measure | None:
    """Return the row that compares with an earlier release; None where no level of one model is registered.

    Its limit is that of the amplification, or our own where only the level is gated; where neither decides, it is
    described.
    """
    by_metric = {row.metric: row for row in rows}
    level = by_metric.get(LEVELS[made.kind])
    if level is None:
        return None
    change = by_metric.get("amplification")
    ours = BY_ID[BUILT_IN[made.kind]["amplification"]]
    limit = change.limit if change and change.gated else ours.limit if level.gated else None
    what = level.title.removesuffix(", policy")
    return replace(
        ours,
        benchmark=made.name,
        metric=REGRESSION,
        title=f"{what}: that of the policy minus that of the baseline's policy",
        gate="descriptive" if limit is None else "difference",
        limit=limit,
        needs_reference=False,
        needs_baseline=True,
        clusters=tuple(made.clusters),
        groups=chosen,
    )


def _disparity(harmful: str, compares: bool) -> str:
    rate = f"share of continuations labelled {harmful!r} of the group minus that of its controls"
    return f"the same of the policy minus that of the reference: {rate}" if compares else f"{rate}, policy"


def limit_of(where: str, row: Measure, value: float | None) -> float | None:
    """Return a limit on the row's own scale; None of what is only described."""
    if not row.gated:
        if value is not None:
            raise ConfigError(f"{where}: is described and never gated; it takes no limit")
        return None
    low = -1.0 if row.signed else 0.0
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value < 1.0:
        raise ConfigError(f"{where}: limit {value!r} is no number in [{low:g}, 1); 5 % is 0.05")
    return float(value)
