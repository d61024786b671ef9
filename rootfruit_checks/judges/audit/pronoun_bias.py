"""The pronoun judge's own bias: on the same sentences, does it err more for one pronoun family than for *he* and *she*?

`pronoun_frames.tsv` has continuations of our own that leave a reader in no doubt. Each follows a prompt of every
family; one about the prompt's person is filled with that family's forms (not misgendering) and with *he* and *she*
(misgendering, if the prompt's family is another). So the truth is known and frames are matched across families.

`false alarms` are versions wrongly called misgendering, `misses` those wrongly not called so. The shift of a family is
the judged rate minus the true one, less the same for *he* and *she*; the shift in use is chosen as for regard
(`audit.py`). The author knew the judge's rules, and the sentences are short and clear: expect more errors on what
models write.
"""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rootfruit_checks.base.errors import DataError
from rootfruit_checks.catalog.pronoun_families import FAMILIES, Family
from rootfruit_checks.data.words import capitalized, fill
from rootfruit_checks.judges.audit.neutral_sentences import SUBJECT, read_frames
from rootfruit_checks.judges.audit.regard_bias import GroupShift
from rootfruit_checks.judges.pronouns.judge import judge
from rootfruit_checks.stats.clustered_mean import clustered_mean
from rootfruit_checks.stats.misclassification import Calibration

FRAMES = Path(__file__).with_name("pronoun_frames.tsv")
BINARY = ("he", "she")
_COLUMNS = ["id", "kind", "subject", "prompt", "text"]


@dataclass(frozen=True, slots=True)
class Judged:
    """One continuation after a prompt of one family: whether it misgenders, and whether the judge says so."""

    frame: str
    family: str
    text: str
    true: bool
    called: bool


@cache
def judged() -> tuple[Judged, ...]:
    """Every version of every frame, judged; about a second.

    Raises:
        DataError: the file of frames is damaged.

    """
    found: list[Judged] = []
    for row in _rows():
        for family in FAMILIES.values():
            words = {"subject": row["subject"]}
            prompt = capitalized(fill(row["prompt"], family, plural=family.plural_verbs, words=words))
            for forms in _fillings(row["kind"], family):
                text = " " + capitalized(fill(row["text"], forms, plural=forms.plural_verbs, words=words))
                label = judge(text, family.name, row["subject"], prompt=prompt).label
                true = row["kind"] == "person" and forms.name != family.name
                found.append(Judged(row["id"], family.name, text, true, label == "misgendered"))
    return tuple(found)


def _fillings(kind: str, family: Family) -> list[Family]:
    if kind == "rest":
        return [family]
    return [family, *(FAMILIES[name] for name in BINARY if name != family.name)]


def _rows() -> list[dict[str, str]]:
    lines = [line for line in FRAMES.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    rows: list[list[str]] = list(csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    if rows[:1] != [_COLUMNS] or any(len(row) != len(_COLUMNS) or row[1] not in ("person", "rest") for row in rows[1:]):
        raise DataError(f"{FRAMES}: must have the columns {' '.join(_COLUMNS)}; reinstall rootfruit-checks")
    own = [dict(zip(_COLUMNS, row, strict=True)) for row in rows[1:]]
    # The pronoun sentences of the regard audit are also about one person: each follows one of these prompts in turn.
    shared = [frame for frame in read_frames() if frame["contrast"] == "pronoun"]
    return own + [
        {
            "id": frame["id"],
            "kind": "person",
            "subject": own[place % len(own)]["subject"],
            "prompt": own[place % len(own)]["prompt"],
            "text": frame["text"].replace(SUBJECT, "{subject}"),
        }
        for place, frame in enumerate(shared)
    ]


def confusion(families: Collection[str]) -> dict[str, int]:
    """Counts for some families: versions that misgender, how many were missed, other versions, false alarms."""
    mine = [one for one in judged() if one.family in families]
    return {
        "misgendered": sum(one.true for one in mine),
        "missed": sum(one.true and not one.called for one in mine),
        "others": sum(not one.true for one in mine),
        "false_alarms": sum(one.called and not one.true for one in mine),
    }


def calibration(families: Collection[str]) -> Calibration:
    """Sensitivity and specificity for *misgendered*, counted in frames: the versions of a frame are not independent."""
    mine = [one for one in judged() if one.family in families]
    counts = []
    for true in (True, False):
        frames = len({one.frame for one in mine if one.true == true})
        called = [one.called for one in mine if one.true == true]
        counts += [frames, round(frames * sum(called) / len(called))]
    return Calibration(*counts)


@cache
def words() -> str:
    """The audit in one line, for the header of a result."""
    parts = []
    for group, families in (("they", ("they",)), ("neo", tuple(sorted({*FAMILIES} - {"they", *BINARY})))):
        one = shift_of(families)
        parts.append(
            f"{group} {100 * one.interval.estimate:+.1f} ({100 * one.interval.low:+.1f} to "
            f"{100 * one.interval.high:+.1f}), counted as {100 * one.used:.1f}"
        )
    known = confusion(tuple(FAMILIES))
    return (
        f"shift of its misgendered rate against he and she, in points, on {len(judged())} versions of "
        f"{len({one.frame for one in judged()})} sentences: {'; '.join(parts)}; {known['missed']} of "
        f"{known['misgendered']} misgendered versions missed, {known['false_alarms']} of {known['others']} others "
        "wrongly called so"
    )


def shift_of(
    families: Collection[str], alpha: float = 0.05, controls: Collection[str] = BINARY
) -> GroupShift:  # fmt: skip
    """The judge's shift for a group of pronoun families against others, by default *he* and *she*."""
    # Frame and kind of error -> errors of each side, -1 a miss, +1 a false alarm.
    sides: dict[tuple[str, str], dict[bool, list[int]]] = defaultdict(lambda: {True: [], False: []})
    for one in judged():
        if one.family in families or one.family in controls:
            kind = "misses" if one.true else "false alarms"
            sides[kind, one.frame][one.family in families].append(int(one.called) - int(one.true))
    gaps = {
        key: math.fsum(side[True]) / len(side[True]) - math.fsum(side[False]) / len(side[False])
        for key, side in sides.items()
        if side[True] and side[False]
    }
    interval = clustered_mean(list(gaps.values()), [[key[1] for key in gaps]], alpha=alpha, factors=("frame",))
    contrasts: dict[str, float] = {}
    for kind in ("false alarms", "misses"):
        mine = [gap for key, gap in gaps.items() if key[0] == kind]
        contrasts[kind] = math.fsum(mine) / len(mine) if mine else 0.0
    bound = 1.0 if interval.refused else max(abs(interval.low), abs(interval.high))
    used = min(1.0, max(bound, *(abs(gap) for gap in contrasts.values())))
    count = sum(one.family in families for one in judged())
    return GroupShift(interval, contrasts, tuple(sorted(families)), count, used)
