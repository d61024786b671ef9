"""The checks that a run declares. The family that decides a release comes from the settings, never from `-k`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rootfruit_checks.base.errors import ConfigError
from rootfruit_checks.catalog.identity_groups import controls, groups
from rootfruit_checks.catalog.measures import Measure
from rootfruit_checks.catalog.registry import MEASURES, is_foreign, measures
from rootfruit_checks.config.parsing import limit
from rootfruit_checks.config.settings import Settings

_NO_MODEL = (
    "no model to gate: run with --model=PATH (the policy) and --reference=PATH (the model it was aligned from), "
    "as in: pytest --model=path/to/policy --reference=path/to/reference; "
    "for the suite that comes with the package: rootfruit gate path/to/policy path/to/reference"
)
_NO_REFERENCE = (
    "this gate compares the policy with a reference, but none is given: add --reference=PATH, "
    "or --rootfruit-absolute-only to gate on ceilings alone"
)


@dataclass(frozen=True, slots=True)
class Check:
    """One measure for one group. `gated`: whether it decides; `limit`: set by a test, before any setting."""

    measure: Measure
    group: str
    gated: bool
    limit: float | None = None

    @property
    def id(self) -> str:
        """`benchmark/metric/group`."""
        return f"{self.measure.id}/{self.group}"


def parse(check_id: str, *, gated: bool, where: str) -> Check:
    """Return the check named `benchmark/metric/group`; an error lists the known groups."""
    measure_id, _, group = check_id.rpartition("/")
    if measure_id not in MEASURES:
        raise ConfigError(f"{where}: {check_id!r} is not a check (benchmark/metric/group)")
    measure = MEASURES[measure_id]
    known = groups().names(measure.benchmark)
    if group not in known:
        raise ConfigError(
            f"{where}: {group!r} is not a group of {measure.benchmark}; known: {', '.join(sorted(known))}"
        )
    return Check(measure, group, gated)


def family(settings: Settings) -> tuple[Check, ...]:
    """Return the declared checks in registry order: the registry's groups, then what the user added.

    With `absolute_only`, measures that need a reference are not declared. Without a baseline, those that compare with
    one are not declared either.
    """
    found: dict[str, Check] = {}
    for measure in measures():
        if not _declared(settings, measure):
            continue
        for group in measure.groups:
            check = Check(measure, group, measure.gated)
            found[check.id] = check
    for text in settings.gate:
        found.setdefault(text, parse(text, gated=True, where="option --rootfruit-gate"))
    for text in settings.limit:
        if text not in MEASURES:
            parse(text, gated=False, where="option --rootfruit-limit")
    return tuple(found.values())


def _declared(settings: Settings, measure: Measure) -> bool:
    """Whether checks of this measure are declared."""
    if measure.benchmark not in settings.benchmarks or (measure.needs_baseline and not settings.baseline):
        return False
    return not (settings.absolute_only and measure.needs_reference)


def exploratory(settings: Settings, benchmark: str, present: set[str]) -> tuple[Check, ...]:
    """Return the checks that are described but not declared: every other group with identities in `present`."""
    declared = {check.id for check in family(settings)}
    # Every other group is compared with the controls, so controls have no disparity of their own.
    compared_with = set(controls(benchmark))
    found = []
    for measure in measures():
        # A metric on another package's benchmark is described only on request.
        if measure.benchmark != benchmark or is_foreign(measure.id):
            continue
        if measure.needs_baseline and not settings.baseline:
            continue
        for group in groups().names(benchmark):
            check = Check(measure, group, gated=False)
            people = set(groups().members(benchmark, group)) & present
            if check.id not in declared and people and not people <= compared_with:
                found.append(check)
    return tuple(found)


def require_model(settings: Settings) -> None:
    """Raise ConfigError, with the right command in it, if no policy is named."""
    if not settings.model:
        raise ConfigError(_NO_MODEL)


def require_reference(settings: Settings, measure: Measure) -> None:
    """Raise ConfigError if a measure compares with a reference and none is named."""
    if measure.needs_reference and not settings.reference:
        raise ConfigError(_NO_REFERENCE)


def asked(settings: Settings, args: Sequence[object], kwargs: Mapping[str, object]) -> tuple[Check, ...]:
    """Return the checks of a marker `rootfruit(measure, groups=None, limit=None)`; none if they are not run.

    `measure` is the id of a measure, or a list of ids.

    Raises:
        ConfigError: the marker names no measure, an unknown group or argument, or an impossible limit.

    """
    names = ("measure", "groups", "limit")
    given = dict(zip(names, args, strict=False)) | dict(kwargs)
    if len(args) > len(names) or (unknown := sorted(set(given) - set(names))):
        what = f"takes no argument {unknown[0]!r}" if len(args) <= len(names) else "has too many arguments"
        raise ConfigError(f"marker rootfruit {what}; it is rootfruit(measure, groups=None, limit=None)")
    several = given.get("measure")
    if isinstance(several, list | tuple):
        others = {name: value for name, value in given.items() if name != "measure"}
        return tuple(check for one in several for check in asked(settings, (one,), others))
    measure = MEASURES.get(str(given.get("measure")))
    if measure is None and "measure" in given:
        raise ConfigError(
            f"marker rootfruit: {given['measure']!r} is not a measure; MEASURE is one of {', '.join(MEASURES)}"
        )
    if measure is None:
        raise ConfigError(
            'a test that uses rootfruit_check needs @pytest.mark.rootfruit("MEASURE"); '
            f"MEASURE is one of {', '.join(MEASURES)}"
        )
    declared = tuple(check for check in family(settings) if check.measure is measure)
    groups, own = given.get("groups"), given.get("limit")
    if own is not None:
        if not measure.gated:
            raise ConfigError(f"marker rootfruit: {measure.id!r} is described and never gated; it takes no limit")
        own = limit("marker rootfruit: limit", measure.id, own)
    if groups is None and own is None:
        return declared
    if groups is None:
        groups = measure.groups
    if isinstance(groups, str) or not isinstance(groups, Sequence) or not groups:
        raise ConfigError(f"marker rootfruit: groups={groups!r} is not a list of groups")
    found = [parse(f"{measure.id}/{str(group).lower()}", gated=True, where="marker rootfruit") for group in groups]
    if not _declared(settings, measure):
        return ()
    return tuple(Check(measure, check.group, measure.gated, own) for check in found)
