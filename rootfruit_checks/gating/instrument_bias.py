"""What a run knows about its instruments: shifts that widen bounds, corrected rates, votes of other lexicons.

Only the shift affects verdicts (see `decision.decide`). The rest describes a check in its `details` and never gates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from rootfruit_checks.base.numbers import finite
from rootfruit_checks.base.types import ROLES
from rootfruit_checks.catalog.identity_groups import controls, groups
from rootfruit_checks.catalog.measures import NO_ANSWER
from rootfruit_checks.catalog.registry import BENCHMARKS, METRICS, classifier_of, gated_groups
from rootfruit_checks.judges.audit import pronoun_bias
from rootfruit_checks.judges.audit.neutral_sentences import versions
from rootfruit_checks.judges.audit.pronoun_bias import BINARY
from rootfruit_checks.judges.audit.reference_labels import Answers, answers_of
from rootfruit_checks.judges.audit.regard_bias import Audit, GroupShift
from rootfruit_checks.judges.regard import lexicons
from rootfruit_checks.metrics.matching import of_controls, per_prompt
from rootfruit_checks.observations.fingerprints import unaudited
from rootfruit_checks.stats.misclassification import Calibration, Corrected, corrected
from rootfruit_checks.store.store import address

if TYPE_CHECKING:
    from rootfruit_checks.catalog.measures import Measure
    from rootfruit_checks.judges.regard.protocol import RegardClassifier
    from rootfruit_checks.metrics.evaluate import Evidence
    from rootfruit_checks.store.store import Store

_DESCRIPTION = "description, never gated: it assumes that the errors on our own sentences apply to this text"


class Auditing:
    """The audit of one run's instruments.

    Args:
        answers: the regard classifier's answers on the audit sentences and the labelled rows; None without one.
        ballots: by benchmark and lexicon, its vote on each row of the frame that has a continuation, by the row's
            index.
        alpha: level of each bound.
        seed: seed of the resampling.

    """

    def __init__(
        self,
        answers: Answers | None = None,
        ballots: Mapping[str, Mapping[str, pd.Series[bool]]] | None = None,
        alpha: float = 0.05,
        seed: int = 0,
    ) -> None:
        self.answers = answers
        self.audit = Audit(answers.audit, answers.unmasked, alpha) if answers else None
        # By harmful label: a registered benchmark may count a different one.
        self._audits = {"negative": self.audit}
        self._ballots = ballots or {}
        self._alpha, self._seed = alpha, seed

    def shift(self, measure: Measure, group: str) -> float:
        """The shift that widens the bounds of this group's absolute checks; 0 if no audited rate is measured."""
        found = self._shift(measure, groups().members(measure.benchmark, group))
        return found.used if found else 0.0

    def _shift(self, measure: Measure, members: Sequence[str]) -> GroupShift | None:
        """The shift of a disparity's rate; for identities of a registered benchmark, the shift shared by audited ones.

        Identities that the audit does not name get the shift of the sentence around any identity (see `audit.py`).
        """
        own_ceiling = measure.id in METRICS and measure.gate == "ceiling"
        if not (own_ceiling or measure.metric in ("disparity", "amplification")):
            return None
        held = BENCHMARKS[measure.benchmark]
        if held.classifier == "regard" and (audit := self._audited(held.harmful)):
            return audit.group(members)
        audits = held.classifier == "pronoun" and not unaudited(measure.benchmark)
        if audits and not set(members) & set(held.controls):
            return pronoun_bias.shift_of(members, self._alpha, held.controls)
        return None

    def _audited(self, harmful: str) -> Audit | None:
        if harmful not in self._audits and self.answers:
            self._audits[harmful] = Audit(self.answers.audit, self.answers.unmasked, self._alpha, harmful)
        return self._audits.get(harmful)

    def details(
        self, measure: Measure, group: str, frame: pd.DataFrame, again: Callable[[pd.DataFrame], Evidence] | None
    ) -> dict[str, object]:
        """Describe the instrument for one check, as JSON values.

        Args:
            measure: the registry's row.
            group: the group's name.
            frame: the tidy frame that the check was evaluated on.
            again: evaluates the same check on a frame with a lexicon's labels; None: the lexicon's figure is left out.

        """
        members = groups().members(measure.benchmark, group)
        shift = self._shift(measure, members)
        if shift is None:
            return {}
        found: dict[str, object] = {"instrument_shift": shift.plain()}
        held = BENCHMARKS[measure.benchmark]
        # The labelled rows cover only prompts like the audited ones, so nothing more is known elsewhere.
        if not held.audited or measure.id in METRICS:
            return found
        rows = frame[frame["quantity"] == held.quantity]
        if measure.gate == "ceiling":
            found["corrected"] = self._corrected(measure.benchmark, rows, members)
        if ballots := self._ballots.get(measure.benchmark):
            found["votes"] = {
                name: self._vote(measure.benchmark, rows, members, ballot, again) for name, ballot in ballots.items()
            }
        return found

    def _calibrations(self, benchmark: str, members: Sequence[str]) -> dict[str, Calibration]:
        if classifier_of(benchmark) == "regard" and self.answers:
            return {"group": self.answers.calibration("tgnb"), "control": self.answers.calibration("binary")}
        return {"group": pronoun_bias.calibration(members), "control": pronoun_bias.calibration(BINARY)}

    def _corrected(self, benchmark: str, rows: pd.DataFrame, members: Sequence[str]) -> dict[str, object]:
        """Rogan-Gladen corrected rates of group, control and their difference, by model."""
        known = self._calibrations(benchmark, members)
        found: dict[str, object] = {
            "note": _DESCRIPTION,
            "calibration": {side: _calibration(one) for side, one in known.items()},
        }
        for role in ROLES:
            matched = _matched(benchmark, rows[rows["role"] == role], members)
            if len(matched):
                where = [matched[factor].to_numpy(dtype=str) for factor in ("subject", "frame")]
                parts = {side: (1.0, matched[side].to_numpy(), known[side]) for side in known}
                gap = [parts["group"], (-1.0, *parts["control"][1:])]
                made = {"group": [parts["group"]], "control": [parts["control"]], "disparity": gap}
                found[role] = {
                    name: _plain(corrected(part, where, alpha=self._alpha, seed=self._seed))
                    for name, part in made.items()
                }
        return found

    def _vote(
        self,
        benchmark: str,
        rows: pd.DataFrame,
        members: Sequence[str],
        ballot: pd.Series[bool],
        again: Callable[[pd.DataFrame], Evidence] | None,
    ) -> dict[str, object]:
        """How often a lexicon and the classifier disagree on *negative*, and the lexicon's own figure."""
        answered = rows[~rows["label"].isin(NO_ANSWER)]
        negative = ballot.reindex(answered.index)
        apart = (answered["label"] == "negative") != negative
        disagreement: dict[str, dict[str, float | None]] = {}
        for role in ROLES:
            sides = {"group": members, "control": controls(benchmark)}
            mine = {
                side: apart[(answered["role"] == role) & answered["identity"].isin(names)]
                for side, names in sides.items()
            }
            disagreement[role] = {side: float(one.mean()) if len(one) else None for side, one in mine.items()}
        if again is None:
            return {"disagreement": disagreement}
        labels = rows["label"].copy()
        labels[answered.index] = ["negative" if one else "neutral" for one in negative]
        evidence = again(rows.assign(label=labels))
        figures = {name: getattr(evidence.interval, name) for name in ("estimate", "low", "high")}
        return {"disagreement": disagreement, **{name: finite(value) for name, value in figures.items()}}

    def words(self) -> str:
        """The audit of the regard classifier in one line, for the header of a result; "" if none was used."""
        if self.audit is None or self.answers is None:
            return ""
        shifts = "; ".join(
            f"{group} {_points(one.interval.estimate)} ({_points(one.interval.low)} to {_points(one.interval.high)}), "
            f"counted as {100 * one.used:.1f}"
            for name, held in BENCHMARKS.items()
            if held.classifier == "regard" and held.audited
            for group in gated_groups(name)
            for one in [self.audit.group(groups().members(name, group))]
        )
        known = self.answers.calibration()
        return (
            f"shift of its negative rate, in points, on {len(versions())} versions of neutral sentences: {shifts}; on "
            f"{known.positives + known.negatives} held-out labelled rows it finds {known.found} of "
            f"{known.positives} negative ones and wrongly labels {known.false} of {known.negatives} others negative"
        )


def audit_run(
    classifier: RegardClassifier, store: Store, frames: Mapping[str, pd.DataFrame], *, alpha: float, seed: int
) -> tuple[Auditing, list[str]]:
    """Audit a run's classifier and let the lexicons vote on continuations; return the audit and notes.

    Args:
        classifier: the regard classifier.
        store: caches results.
        frames: benchmark -> its tidy frame; the lexicons vote on those whose regard is audited.
        alpha: level of each bound.
        seed: seed of the resampling.

    """
    ballots = {
        name: {one.title: _ballot(one, store, frame) for one in lexicons.LEXICONS if one.installed}
        for name, frame in frames.items()
        if classifier_of(name) == "regard" and BENCHMARKS[name].audited
    }
    notes = []
    if ballots and (lacking := lexicons.missing()):
        notes = [f"no second opinion on regard from {' and '.join(lacking)}: {lexicons.INSTALL} lets them vote"]
    return Auditing(answers_of(classifier, store), ballots, alpha, seed), notes


def _ballot(lexicon: lexicons.Lexicon, store: Store, frame: pd.DataFrame) -> pd.Series[bool]:
    rows = frame[frame["quantity"] == "regard"]
    pairs = list(zip(map(str, rows["text"]), map(str, rows["subject"]), strict=True))
    distinct = sorted(set(pairs))
    place = address({"lexicon": lexicon.fingerprint, "texts": distinct})
    held = store.get("votes", place)
    if held is None:
        cast = lexicon.negative([lexicons.shortened(text, subject) for text, subject in distinct])
        held = "".join("1" if one else "0" for one in cast).encode()
        store.put("votes", place, held)
    vote = dict(zip(distinct, (letter == "1" for letter in held.decode()), strict=True))
    return pd.Series([vote[pair] for pair in pairs], index=rows.index, dtype=bool)


def _matched(benchmark: str, rows: pd.DataFrame, members: Sequence[str]) -> pd.DataFrame:
    """One row per prompt of the group: its rate of the harmful label, and the mean rate of its matched controls."""
    table = per_prompt(rows, (rows["label"] == BENCHMARKS[benchmark].harmful).astype(float))
    table = table.rename(columns={"value": "group"}).assign(control=of_controls(table, controls(benchmark)))
    return table[table["identity"].isin(members) & table["control"].notna()]


def _calibration(one: Calibration) -> dict[str, object]:
    return {
        "sensitivity": finite(one.sensitivity),
        "specificity": finite(one.specificity),
        "harmful_rows": one.positives,
        "other_rows": one.negatives,
    }


def _plain(one: Corrected) -> dict[str, object]:
    found: dict[str, object] = {name: finite(getattr(one, name)) for name in ("estimate", "low", "high")}
    return found | ({"note": one.note} if one.note else {})


def _points(value: float) -> str:
    return f"{100 * value:+.1f}"
