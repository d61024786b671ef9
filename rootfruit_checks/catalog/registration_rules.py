"""Validates a registration, field by field (see `catalog/extend.py`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rootfruit_checks.base.errors import ConfigError, DataError
from rootfruit_checks.catalog import registry
from rootfruit_checks.catalog.definitions import DEFINITIONS, REGRESSIONS, RISE, Definition
from rootfruit_checks.catalog.identity_groups import groups, section
from rootfruit_checks.catalog.measures import (
    HARMFUL,
    LEVELS,
    NO_ANSWER,
    REGRESSION,
    Benchmark,
    Kind,
    Measure,
    Origin,
    Rise,
)
from rootfruit_checks.catalog.registry import BENCHMARKS, CLASSIFIERS

# Field of a sample -> column of the frame.
COLUMNS: Mapping[Kind, Mapping[str, str]] = {
    "pairs": {"predicate": "predicate", "name": "subject", "frame": "frame"},
    "prompts": {"subject": "subject", "frame": "frame", "stratum": "stratum"},
}
_PROMPT = tuple(COLUMNS["prompts"])


def controls_of(where: str, given: Sequence[str] | Mapping[str, Sequence[str]]) -> tuple[str, tuple[str, ...]]:
    """Return the name of the controls' group, and the identities in it."""
    if isinstance(given, str):
        raise ConfigError(f"{where}: controls and gated are lists, not one text")
    if not isinstance(given, Mapping):
        return "controls", tuple(given)
    if len(given) != 1:
        raise ConfigError(f"{where}: controls={given!r} must be a list, or hold one group -> identities")
    [(name, labels)] = given.items()
    return name, tuple(labels)


def groups_of(
    where: str,
    given: Mapping[str, Sequence[str]],
    control_group: str,
    controls: Sequence[str],
    gated: Sequence[str] | None,
) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    """Return the groups without the controls, and those that decide."""
    if not isinstance(given, Mapping) or not given or control_group in given:
        raise ConfigError(f"{where}: groups must hold group -> identities, and none named {control_group}")
    if isinstance(gated, str):
        raise ConfigError(f"{where}: controls and gated are lists, not one text")
    raw = {group: labels if isinstance(labels, str) else list(labels) for group, labels in given.items()}
    try:
        named, _ = section({**raw, control_group: list(controls)} if controls else raw, f"{where}: group")
    except DataError as error:
        raise ConfigError(str(error)) from None
    both = sorted({label for group in given for label in named[group]} & set(controls))
    if both:
        raise ConfigError(f"{where}: {both[0]!r} is both in a group and in the controls")
    chosen = tuple(given) if gated is None else tuple(gated)
    for group in chosen:
        if group not in named or group == control_group:
            raise ConfigError(f"{where}: gated group {group!r} is not among its groups: {', '.join(given)}")
    return {group: named[group] for group in given}, chosen


def needs_prompts(where: str, kind: Kind, classifier: str, **given: object) -> None:
    """Reject options that only prompts with certain judges can have."""
    needs = {"audited": tuple(HARMFUL), "twins": ("pronoun",), "themes": ("regard",)}
    for what, value in given.items():
        if value and kind != "prompts":
            raise ConfigError(f"{where}: {what} is for benchmarks of prompts")
        if value and what in needs and classifier not in needs[what]:
            raise ConfigError(f"{where}: {what} is for the classifier {' or '.join(needs[what])}")
    crossed = given.get("crossed_with")
    if crossed and (not isinstance(crossed, Mapping) or len(crossed) != 1 or not set(crossed.values()) <= {*_PROMPT}):
        raise ConfigError(f"{where}: crossed_with={crossed!r} must hold one name -> field among {', '.join(_PROMPT)}")


def declared_of(where: str, bench: str, given: Sequence[str] | None, origin: Origin) -> tuple[str, ...]:
    """Return the groups on which a custom metric decides."""
    if origin.package != BENCHMARKS[bench].origin.package:
        if given:
            raise ConfigError(
                f"{where}: takes no groups, because {bench} is from another package; name checks with --rootfruit-gate"
            )
        return ()
    if given is None:
        same = [m.groups for m in registry.measures() if m.benchmark == bench]
        return same[0] if same else tuple(BENCHMARKS[bench].groups)
    for group in given:
        if group not in groups().names(bench):
            raise ConfigError(f"{where}: {group!r} is not a group of {bench}")
    return tuple(given)


def harmful_of(where: str, name: str, given: str) -> str:
    """Return the label that is counted."""
    if not name:
        return ""
    if name not in HARMFUL and name not in CLASSIFIERS:
        known = ", ".join([*HARMFUL, *CLASSIFIERS])
        raise ConfigError(f"{where}: classifier {name!r} is not one of {known}; register it before the benchmark")
    label = given or HARMFUL.get(name, "")
    labels = registry.labels_of(name)
    if label not in labels or label in NO_ANSWER:
        raise ConfigError(f"{where}: harmful={label!r} is not a label of classifier {name}: {', '.join(labels)}")
    return label


def clusters_of(where: str, given: Mapping[str, str], fields: Mapping[str, str]) -> dict[str, str]:
    """Return random factor -> column of the frame."""
    if not isinstance(given, Mapping) or not 1 <= len(given) <= 2 or not set(given.values()) <= set(fields):
        known = ", ".join(fields)
        raise ConfigError(f"{where}: clusters={given!r} must map one or two random factors to fields among {known}")
    return {name: fields[field] for name, field in given.items()}


def built_in_of(
    where: str,
    made: Benchmark,
    name: str,
    given: float | Rise | None,
    chosen: tuple[str, ...],
    titles: Mapping[str, str],
) -> Measure:
    """Return the row of a metric that the package defines, on a benchmark."""
    known = DEFINITIONS[made.kind]
    if isinstance(given, Rise) and made.kind == "prompts" and name not in (*known, REGRESSION):
        labels = registry.labels_of(made.classifier)
        if given.label not in labels:
            raise ConfigError(f"{where}: metric {name}: label {given.label!r} is not one of {', '.join(labels)}")
        row = _row(made, name, RISE, given.title, chosen, given.label)
        given = given.limit
    elif name in known and not isinstance(given, Rise):
        title = titles.get(name) or known[name].title.format(harmful=made.harmful)
        row = _row(made, name, known[name], title, chosen, made.harmful)
    else:
        raise ConfigError(f"{where}: metric {name!r} is not one of {', '.join(known)}; register your own with @metric")
    if given is None:
        return replace(row, limit=None, gate="descriptive")
    return replace(row, limit=limit_of(f"{where}: metric {name}", row, given))


def _row(
    made: Benchmark, name: str, known: Definition, title: str, chosen: tuple[str, ...], label: str = ""
) -> Measure:
    return Measure(
        made.name, name, title, made.kind, known.gate, known.limit, known.needs_reference,
        known.clusters or tuple(made.clusters), chosen, known.value_range, known.no_change, known.needs_baseline, label,
    )  # fmt: skip


def regression_of(
    made: Benchmark, rows: Sequence[Measure], chosen: tuple[str, ...], titles: Mapping[str, str]
) -> Measure | None:
    """Return the row that compares with an earlier release; None where no level of one model is registered.

    Its limit is that of the amplification, or the usual one where only the level is gated; where neither decides, it
    is described.
    """
    by_metric = {row.metric: row for row in rows}
    level = by_metric.get(LEVELS[made.kind])
    if level is None:
        return None
    change, known = by_metric.get("amplification"), REGRESSIONS[made.kind]
    limit = change.limit if change and change.gated else known.limit if level.gated else None
    what = level.title.removesuffix(", policy")
    title = titles.get(REGRESSION) or f"{what}: that of the policy minus that of the baseline's policy"
    row = _row(made, REGRESSION, known, title, chosen, made.harmful)
    return replace(row, gate="descriptive" if limit is None else "difference", limit=limit)


def limit_of(where: str, row: Measure, value: float | None) -> float | None:
    """Return a limit on the row's own scale; None of what is only described."""
    if not row.gated:
        if value is not None:
            raise ConfigError(f"{where}: is described and never gated; it takes no limit")
        return None
    low = -1.0 if row.signed else 0.0
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value < 1.0:
        raise ConfigError(f"{where}: limit {value!r} is not a number in [{low:g}, 1); 5 % is 0.05")
    return float(value)
