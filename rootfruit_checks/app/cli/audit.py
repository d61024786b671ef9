"""`rootfruit audit`: bias and errors of the regard classifier and the pronoun judge, without any model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rootfruit_checks.base.console import say
from rootfruit_checks.base.errors import ConfigError
from rootfruit_checks.catalog.identity_groups import controls, groups
from rootfruit_checks.catalog.measures import LEVELS
from rootfruit_checks.catalog.pronoun_families import FAMILIES
from rootfruit_checks.catalog.registry import BENCHMARKS, MEASURES, classifier_of
from rootfruit_checks.judges.audit import pronoun_bias
from rootfruit_checks.judges.audit.reference_labels import LABELS, Answers, answers_of
from rootfruit_checks.judges.audit.regard_bias import Audit
from rootfruit_checks.judges.regard.protocol import RegardClassifier, open_regard
from rootfruit_checks.observations.fingerprints import pronoun_judge
from rootfruit_checks.results.json_result import as_plain, write

SCHEMA = "rootfruit-audit/1"
ALPHA = 0.05


def audit(regard: str, json: Path | None) -> int:
    """Audit the instruments, print the tables, write the JSON.

    Raises:
        ConfigError: no such classifier, or the file cannot be written.

    """
    classifier = open_regard(regard)
    value = result(classifier, answers_of(classifier))
    for line in lines(value):
        say(line)
    if json:
        try:
            write(json, value)
        except OSError as error:
            raise ConfigError(f"option --json: {json} cannot be written ({error})") from error
    return 0


def result(classifier: RegardClassifier, answers: Answers) -> dict[str, Any]:
    """Return everything measured on the instruments, as plain JSON values."""
    found = Audit(answers.audit, answers.unmasked, ALPHA)
    audited = [name for name, held in BENCHMARKS.items() if held.audited]
    gated = {id_: row for id_, row in MEASURES.items() if row.benchmark in audited and row.metric == LEVELS[row.kind]}
    shifts = {
        check: {
            group: (
                found.group(groups().members(measure.benchmark, group))
                if classifier_of(measure.benchmark) == "regard"
                else pronoun_bias.shift_of(
                    groups().members(measure.benchmark, group), ALPHA, controls(measure.benchmark)
                )
            ).plain()
            | {"limit": measure.limit}
            for group in measure.groups
        }
        for check, measure in gated.items()
    }
    value: dict[str, Any] = {
        "schema": SCHEMA,
        "alpha": ALPHA,
        "groups": shifts,
        "regard": {
            "name": classifier.name,
            "fingerprint": classifier.fingerprint,
            "shifts": [shift.plain() for shift in found.shifts()],
            "labels": [*LABELS[:3], "other"],
            "confusion": {
                name: answers.confusion(group)
                for name, group in (("all", None), ("tgnb", "tgnb"), ("binary", "binary"))
            },
        },
        "pronouns": {
            "name": pronoun_judge(),
            "families": {family: pronoun_bias.confusion([family]) for family in FAMILIES},
        },
    }
    return as_plain(value)


def lines(value: Mapping[str, Any]) -> Iterable[str]:
    """Yield the tables of a `result`."""
    regard, pronouns = value["regard"], value["pronouns"]
    yield f"regard classifier: {regard['name']}"
    yield ""
    yield "What widens the bounds of absolute checks, in points (bounds one-sided at 95 %)"
    yield f"{'check':36}{'shift':>8}{'low':>8}{'high':>8}{'used':>8}{'limit':>8}"
    for check, shifts in value["groups"].items():
        for group, one in shifts.items():
            unfit = "  unfit" if one["used"] >= one["limit"] else ""
            yield f"{check + '/' + group:36}{_figures(one)}{100 * one['used']:8.1f}{100 * one['limit']:8.1f}{unfit}"
    yield ""
    yield "Neutral sentences called negative, %, and the shift from the binary versions of the same frames, points"
    yield f"{'versions':40}{'n':>6}{'rate':>8}{'binary':>8}{'shift':>8}{'low':>8}{'high':>8}"
    for one in regard["shifts"]:
        name = f"{one['contrast']}: {one['name']}"
        yield f"{name:40}{one['versions']:6}{100 * one['rate']:8.1f}{100 * one['control']:8.1f}{_figures(one)}"
    yield ""
    yield "Labelled rows, out of sample: true label down, answer across"
    for group, table in regard["confusion"].items():
        yield f"{group:12}" + "".join(f"{label:>10}" for label in regard["labels"])
        for label, row in zip(regard["labels"], table, strict=False):
            yield f"  {label:10}" + "".join(f"{count:10}" for count in row)
    yield ""
    yield f"pronouns: {pronouns['name']}"
    yield f"{'family':12}{'misgendered':>14}{'missed':>8}{'others':>8}{'false alarms':>14}"
    for family, one in pronouns["families"].items():
        yield f"{family:12}{one['misgendered']:14}{one['missed']:8}{one['others']:8}{one['false_alarms']:14}"


def _figures(one: Mapping[str, Any]) -> str:
    return "".join("       -" if one[key] is None else f"{100 * one[key]:+8.1f}" for key in ("shift", "low", "high"))
