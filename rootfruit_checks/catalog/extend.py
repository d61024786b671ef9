"""The three decorators that register benchmarks, metrics and classifiers, and what they reject.

A package names a module in the entry-point group `rootfruit_checks`; importing it registers (see
`catalog/entry_points.py`). The benchmarks that come with this package are registered in the same way. A project's own
conftest.py may register too. All registrations are declared, gated and reported in the same way. A metric
returns values and clusters; this package computes the bounds.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from rootfruit_checks.base.errors import ConfigError
from rootfruit_checks.catalog import registry
from rootfruit_checks.catalog.definitions import DEFINITIONS
from rootfruit_checks.catalog.measures import (
    NO_ANSWER,
    REGRESSION,
    Benchmark,
    Classifier,
    Measure,
    Metric,
    OfficialFile,
    Rise,
)
from rootfruit_checks.catalog.provenance import origin_of
from rootfruit_checks.catalog.registration_rules import (
    COLUMNS,
    built_in_of,
    clusters_of,
    controls_of,
    declared_of,
    groups_of,
    harmful_of,
    limit_of,
    needs_prompts,
    regression_of,
)
from rootfruit_checks.catalog.registry import BENCHMARKS, CLASSIFIERS, MEASURES, METRICS

F = TypeVar("F", bound=Callable[..., Any])

# Words used in results and options, which a name must not repeat.
RESERVED = frozenset({"all", "baseline", "binary", "controls", "official", "prompts", "pronouns", "registered"})
RESERVED |= frozenset({"scale", "scores", "starter", "pronoun", "regard"})
_NAME = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*")


def benchmark(
    name: str,
    *,
    kind: Literal["pairs", "prompts"],
    groups: Mapping[str, Sequence[str]],
    metrics: Mapping[str, float | Rise | None],
    clusters: Mapping[str, str],
    source: str,
    licence: str,
    gated: Sequence[str] | None = None,
    controls: Sequence[str] | Mapping[str, Sequence[str]] = (),
    classifier: str = "",
    harmful: str = "",
    default: bool = False,
    version: str = "",
    titles: Mapping[str, str] | None = None,
    audited: bool = False,
    twins: bool = False,
    themes: bool = False,
    side_by_side: Sequence[str] = (),
    crossed_with: Mapping[str, str] | None = None,
    count_names: Callable[[str], int] | None = None,
    markers: Mapping[str, str] | None = None,
    files: Sequence[OfficialFile] = (),
    variances: Path | None = None,
) -> Callable[[F], F]:
    """Register a benchmark; decorates its reader `(data, scale, seed) -> list of Pair, of Prompt, or a DataSet`.

    `data` is what `--rootfruit-data` says. A list is sampled at scale `smoke` (see `data/sampling.py`); a DataSet is
    taken as it is.

    Args:
        name: of the benchmark, the first part of its checks' ids.
        kind: "pairs" of sentences, scored; or "prompts", continued and labelled.
        groups: group -> identities; "+name" stands for the identities of a group above. Every identity of the samples
            must be in one, or among `controls`.
        metrics: the metrics wanted, with their limits; None where one is only described. Pairs: preference,
            amplification, reward_stigma, reward_selection, preservation. Prompts: disparity, amplification, and any
            name with a `Rise`. With a preference or a disparity there is a `regression` too, with the limit of the
            amplification, which a run with a baseline declares.
        clusters: one or two random factors: their name in results, a singular noun, -> the field of a Pair (predicate,
            name, frame) or Prompt (subject, frame, stratum). Samples that share it are not independent. Fewer than 10
            different values give no bound; a blank one counts in no cluster of that factor.
        source: whose data these are, for every result.
        licence: of the data.
        gated: the groups that decide; all of `groups`, if not given. The others are described.
        controls: of prompts, the identities that every group is compared with, at the same subject and frame; or
            {name: identities}, where their group is not to be called "controls".
        classifier: of prompts, what labels a continuation: "regard", "pronoun", or the name of a registered one.
        harmful: the label that is counted; "negative" of regard and "misgendered" of pronoun, if not given.
        default: run it wherever no benchmarks are named; else it runs only where `--rootfruit-benchmarks` names it.
        version: of the rules; needed only where the source cannot be read.
        titles: metric -> its estimand in words, where the usual words do not fit.
        audited: of prompts, whether the audit of the judge (regard or pronoun) covers continuations like these; else
            every result warns that it may not. With it, rates are shown corrected for the judge's errors.
        twins: of prompts with the judge of pronouns, whether a new sentence about the person may follow every prompt:
            then the pronoun that the model finds likeliest there is described beside the one that it writes.
        themes: of prompts with the judge of regard, whether the themes of continuations are described.
        side_by_side: groups by which pairs and prompts of several benchmarks are compared, where they share the name.
        crossed_with: of prompts, {name: field} of what identities are crossed with in the described intersections.
        count_names: of prompts, returns how many names `data` holds, so that `--rootfruit-names` can choose their
            number; the reader then takes a keyword `names`.
        markers: pytest marker -> its description, for the suite's tests of this benchmark.
        files: the official files, which `rootfruit data fetch` downloads.
        variances: a TOML file of what `rootfruit plan` assumes (see `planning/variances.py`).

    Raises:
        ConfigError: an argument is wrong; the message says which.

    """

    def register(reader: F) -> F:
        where = f"benchmark {name!r}"
        _name(where, name, registry.benchmarks())
        if kind not in DEFINITIONS:
            raise ConfigError(f"{where}: kind {kind!r} is neither pairs nor prompts")
        if not callable(reader):
            raise ConfigError(f"{where}: decorates a {type(reader).__name__}; it must be the reader, a function")
        control_group, others = controls_of(where, controls)
        named, chosen = groups_of(where, groups, control_group, others, gated)
        if (kind == "prompts") != bool(others) or (kind == "prompts") != bool(classifier):
            need = "needs controls and a classifier" if kind == "prompts" else "takes no controls and no classifier"
            raise ConfigError(f"{where}: a benchmark of {kind} {need}")
        label = harmful_of(where, classifier, harmful)
        columns = clusters_of(where, clusters, COLUMNS[kind])
        needs_prompts(
            where, kind, classifier, audited=audited, twins=twins, themes=themes, crossed_with=crossed_with,
            count_names=count_names,
        )  # fmt: skip
        for what, wanted in (("twins", twins), ("themes", themes)):
            others_with = [other for other, held in BENCHMARKS.items() if wanted and getattr(held, what)]
            if others_with:
                raise ConfigError(f"{where}: only one benchmark can have {what}, and {others_with[0]} has them")
        for what, value in (("source", source), ("licence", licence)):
            if not isinstance(value, str) or not value.strip():
                raise ConfigError(f"{where}: {what} is empty; say whose data these are, and under which licence")
        if unknown := [group for group in side_by_side if group not in named]:
            raise ConfigError(f"{where}: side_by_side names {unknown[0]!r}, which is not one of its groups")
        made = Benchmark(
            name, kind, reader, named, others, control_group, columns, classifier, label, source, licence, default,
            origin_of(where, reader, version), audited, twins, themes, tuple(side_by_side), crossed_with, count_names,
            markers, tuple(files), variances,
        )  # fmt: skip
        words = dict(titles or {})
        rows = [built_in_of(where, made, metric, value, chosen, words) for metric, value in metrics.items()]
        earlier = regression_of(made, rows, chosen, words)
        rows += [earlier] if earlier else []
        if odd := sorted(set(words) - {row.metric for row in rows}):
            raise ConfigError(f"{where}: titles names {odd[0]!r}, which is not one of its metrics")
        BENCHMARKS[name] = made
        for row in rows:
            MEASURES[row.id] = row
        return reader

    return register


def metric(
    id: str,
    *,
    title: str,
    gate: Literal["ceiling", "difference", "descriptive"],
    clusters: Mapping[str, str] | Sequence[str],
    limit: float | None = None,
    groups: Sequence[str] | None = None,
    value_range: tuple[float, float] = (-1.0, 1.0),
    needs_reference: bool | None = None,
    no_change: float | None = None,
    version: str = "",
) -> Callable[[F], F]:
    """Register a custom metric; decorates `(frame, group) -> DataFrame`.

    The function is given the tidy frame of the benchmark (`observations/frame.py`) and a Group (`name`, `members`,
    `controls`); it returns a row for each sample of the group that counts: columns `sample`, `value` (higher is more
    harmful; NaN where it could not be scored), one of each name in `clusters`, and, if there are such levels, `policy`
    and `reference`. Estimate and bounds are computed from these rows as for built-in metrics.

    Args:
        id: `benchmark/metric`; the benchmark is registered before.
        title: the estimand in words.
        gate: "ceiling" of the policy, "difference" against the reference, or "descriptive".
        clusters: names of one or two random factors.
        limit: for what is gated.
        groups: those that decide, all that the benchmark gates if not given. On another package's benchmark a metric
            decides only where `--rootfruit-gate` names it, and takes none.
        value_range: range of one sample's value.
        needs_reference: whether it compares; a difference does.
        no_change: the estimate of a policy that changed nothing.
        version: of the rules; needed only where the source cannot be read.

    Raises:
        ConfigError: an argument is wrong; the message says which.

    """

    def register(function: F) -> F:
        where = f"metric {id!r}"
        bench, slash, name = id.partition("/")
        if not slash or bench not in BENCHMARKS:
            known = ", ".join(BENCHMARKS)
            raise ConfigError(
                f"{where}: must be BENCHMARK/METRIC, with a benchmark that is already registered ({known})"
            )
        own = {REGRESSION, *(metric for kind in DEFINITIONS.values() for metric in kind)}
        _name(where, name, [*own, *(m.metric for m in registry.measures() if m.benchmark == bench)])
        if gate not in ("ceiling", "difference", "descriptive"):
            raise ConfigError(f"{where}: gate {gate!r} is not one of ceiling, difference, descriptive")
        factors = tuple(clusters)
        if isinstance(clusters, str) or not 1 <= len(factors) <= 2 or {"sample", "value"} & set(factors):
            raise ConfigError(f"{where}: clusters={clusters!r} must name one or two random factors")
        low, high = value_range
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise ConfigError(f"{where}: value_range {value_range!r} is not a range")
        if not title.strip():
            raise ConfigError(f"{where}: title is empty; say in words what is estimated")
        compares = gate == "difference" if needs_reference is None else needs_reference
        origin = origin_of(where, function, version)
        chosen = declared_of(where, bench, groups, origin)
        kind = BENCHMARKS[bench].kind
        row = Measure(bench, name, title, kind, gate, None, compares, factors, chosen, (low, high), no_change)
        row = replace(row, limit=limit_of(where, row, limit))
        METRICS[row.id] = Metric(row.id, function, origin)
        MEASURES[row.id] = row
        return function

    return register


def classifier(
    name: str, *, labels: Sequence[str], accuracy: str, shift: float | None = None, version: str = ""
) -> Callable[[F], F]:
    """Register a classifier of continuations; decorates `(texts, prompts) -> list of labels`.

    It receives continuations without their prompts, and the Prompt of each; empty ones are labelled `empty` and never
    reach it. It returns `unscored` if it cannot decide. Load a model that it needs inside the function, once.

    Args:
        name: of the classifier.
        labels: the labels that it may give, beside `empty` and `unscored`.
        accuracy: its measured accuracy in words, or that there is none; every result shows it.
        shift: how far its own bias may shift a disparity, as a share: it widens the bounds of ceilings. None: it was
            not measured, which every result says.
        version: of the rules and of what they load (weights, say); beside it, the source of the package counts.

    Raises:
        ConfigError: an argument is wrong; the message says which.

    """

    def register(function: F) -> F:
        where = f"classifier {name!r}"
        _name(where, name, CLASSIFIERS)
        given = tuple(labels)
        if isinstance(labels, str) or len(given) < 2 or len(set(given)) < len(given) or set(given) & set(NO_ANSWER):
            raise ConfigError(
                f"{where}: labels {labels!r} must be at least two, distinct, without {' and '.join(NO_ANSWER)}"
            )
        if not accuracy.strip():
            raise ConfigError(f"{where}: accuracy is empty; say what was measured, or that nothing was")
        if shift is not None and not (math.isfinite(shift) and 0.0 <= shift < 1.0):
            raise ConfigError(f"{where}: shift {shift!r} is outside [0, 1)")
        CLASSIFIERS[name] = Classifier(name, given, function, accuracy, shift, origin_of(where, function, version))
        return function

    return register


def _name(where: str, name: str, taken: Sequence[str] | Mapping[str, Any]) -> None:
    if registry.sealed():
        raise ConfigError(
            f"{where}: comes too late: the settings are read, so it would not be gated; register it in an entry point "
            "or in the conftest.py of the project's root (a test of it: inside rootfruit_checks.isolated())"
        )
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigError(f"{where}: {name!r} is not a name: lower-case letters and digits, with - or _ between")
    if name in RESERVED:
        raise ConfigError(f"{where}: {name!r} is reserved by rootfruit; choose another")
    if name in taken:
        raise ConfigError(f"{where}: {name!r} already exists; is it registered twice?")
