"""The instrument's own bias: does a regard classifier call neutral sentences negative because of who they are about?

`audit_frames.tsv` holds neutral sentences of our own. Versions of one frame differ in one thing:

- `pronoun`: *they* and the neopronouns against *he* and *she* (for `mini`, whose masking turns pronouns into *they*,
  what survives is verb agreement);
- `kin`: *parent*, *spouse*, *sibling* against *mother*, *husband*, *sister*;
- `transition`: words about transition, documents and community against everyday words in the same place;
- `identity`: the identity term, masked as in use; and once more without the mask, to describe what the mask
  hides (`unmasked`).

The *shift* is the share of versions about the group that are called negative (the rule for continuations) minus that of
the binary versions of the same frames, clustered by frame.

**The shift in use** for a group is the larger of two figures. One is the upper one-sided bound of the absolute shift
over all of its versions, because a shift that this many sentences cannot rule out must not count as none. The other is
the largest absolute shift of a single contrast, because a continuation may consist of that contrast alone. The
sentences are neutral and clear: texts near the border of *negative*, where labels flip more easily, are not audited.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from rootfruit_checks.base.numbers import finite
from rootfruit_checks.catalog.identity_groups import key_of
from rootfruit_checks.judges.audit.neutral_sentences import SUBJECT, Version, unmasked_versions, versions
from rootfruit_checks.judges.regard.protocol import RegardClassifier
from rootfruit_checks.stats.clustered_mean import clustered_mean
from rootfruit_checks.stats.intervals import Interval

CONTRASTS = ("pronoun", "kin", "transition", "identity")


@dataclass(frozen=True, slots=True)
class Shift:
    """How the rate of *negative* changes from the binary versions of the same frames to these versions."""

    contrast: str
    name: str
    frames: int
    versions: int
    rate: float
    control: float
    interval: Interval

    def plain(self) -> dict[str, object]:
        """The same as plain values for JSON."""
        return {
            "contrast": self.contrast,
            "name": self.name,
            "frames": self.frames,
            "versions": self.versions,
            "rate": self.rate,
            "control": self.control,
            **_bounds(self.interval),
        }


@dataclass(frozen=True, slots=True)
class GroupShift:
    """The shift for one group: `used` widens the bounds of its absolute checks (see the module's docstring).

    `terms` are the group's identities that were audited by name; the others use the sentences that all groups share.
    """

    interval: Interval
    contrasts: Mapping[str, float]
    terms: tuple[str, ...]
    versions: int
    used: float

    def plain(self) -> dict[str, object]:
        """The same as plain values for JSON."""
        return {
            **_bounds(self.interval),
            "used": self.used,
            "contrasts": dict(self.contrasts),
            "terms": list(self.terms),
            "versions": self.versions,
        }


def classify(classifier: RegardClassifier) -> list[str]:
    """Label every version as a continuation would be labelled."""
    texts = [version.text for version in versions()]
    return classifier.classify(texts, [SUBJECT] * len(texts))


def classify_unmasked(classifier: RegardClassifier) -> list[str] | None:
    """Label them without the mask; None if the classifier does not support it (`label_as_is`)."""
    label = getattr(classifier, "label_as_is", None)
    return list(label([version.text for version in unmasked_versions()])) if label else None


class Audit:
    """Shifts of one classifier, from its labels of `versions()` in their order.

    Args:
        labels: one label per version.
        unmasked: one label for each of `unmasked_versions()`; None if not measured.
        alpha: level of each one-sided bound.
        harmful: the label whose rate is compared.

    Raises:
        ValueError: there is not one label for each version.

    """

    def __init__(
        self,
        labels: Sequence[str],
        unmasked: Sequence[str] | None = None,
        alpha: float = 0.05,
        harmful: str = "negative",
    ) -> None:
        self.alpha = alpha
        self._rows = list(zip(versions(), [label == harmful for label in labels], strict=True))
        self._unmasked = None
        if unmasked is not None:
            self._unmasked = list(zip(unmasked_versions(), [label == harmful for label in unmasked], strict=True))
        self._groups: dict[frozenset[str], GroupShift] = {}

    def shifts(self) -> list[Shift]:
        """Each contrast as a whole (`all`), then each of its pronoun families, terms or identities."""
        return [
            *(shift for contrast in CONTRASTS for shift in self._of(self._rows, contrast)),
            *(self._of(self._unmasked, "identity", "identity, unmasked") if self._unmasked else ()),
        ]

    def _of(self, rows: Iterable[tuple[Version, bool]], contrast: str, called: str = "") -> list[Shift]:
        cells = _cells([row for row in rows if row[0].contrast == contrast])
        names = sorted({name for cell in cells.values() for name in cell.group})
        wanted = [None, *names] if len(names) > 1 else [None]
        found = []
        for name in wanted:
            held = {key: cell for key, cell in cells.items() if name is None or name in cell.group}
            rates = [cell.rate(name) for cell in held.values()]
            controls = [cell.control for cell in held.values()]
            gaps = [rate - control for rate, control in zip(rates, controls, strict=True)]
            found.append(
                Shift(
                    called or contrast,
                    name or "all",
                    len(held),
                    sum(cell.size(name) for cell in held.values()),
                    math.fsum(rates) / len(rates),
                    math.fsum(controls) / len(controls),
                    clustered_mean(gaps, [[key[1] for key in held]], alpha=self.alpha, factors=("frame",)),
                )
            )
        return found

    def group(self, identities: Collection[str]) -> GroupShift:
        """The shift for a group of identities. Of the identity contrast only the group's own terms are used."""
        wanted = frozenset(key_of(identity) for identity in identities)
        if wanted not in self._groups:
            self._groups[wanted] = self._group(wanted)
        return self._groups[wanted]

    def _group(self, wanted: frozenset[str]) -> GroupShift:
        rows = [
            (version, negative)
            for version, negative in self._rows
            if version.contrast != "identity" or version.kind == "control" or key_of(version.name) in wanted
        ]
        cells = {key: cell for key, cell in _cells(rows).items() if cell.group}
        gaps = {key: cell.rate() - cell.control for key, cell in cells.items()}
        interval = clustered_mean(list(gaps.values()), [[key[1] for key in gaps]], alpha=self.alpha, factors=("frame",))
        contrasts = {}
        for contrast in CONTRASTS:
            mine = [gap for key, gap in gaps.items() if key[0] == contrast]
            if mine:
                contrasts[contrast] = math.fsum(mine) / len(mine)
        bound = 1.0 if interval.refused else max(abs(interval.low), abs(interval.high))
        named = {version.name for version, _ in rows if version.contrast == "identity"}
        terms = sorted(name for name in named if key_of(name) in wanted)
        count = sum(cell.size() for cell in cells.values())
        return GroupShift(
            interval, contrasts, tuple(terms), count, min(1.0, max(bound, *(abs(gap) for gap in contrasts.values())))
        )


class _Cell:
    """The versions of one frame in one contrast."""

    def __init__(self) -> None:
        self.group: dict[str, list[bool]] = {}
        self._control: list[bool] = []

    def add(self, version: Version, negative: bool) -> None:
        if version.kind == "control":
            self._control.append(negative)
        else:
            self.group.setdefault(version.name, []).append(negative)

    @property
    def control(self) -> float:
        return sum(self._control) / len(self._control)

    def size(self, name: str | None = None) -> int:
        """Number of versions about the group, of one name or of all."""
        return len(self._held(name))

    def rate(self, name: str | None = None) -> float:
        """Share of these versions called negative."""
        held = self._held(name)
        return sum(held) / len(held)

    def _held(self, name: str | None) -> list[bool]:
        return self.group[name] if name else [one for ones in self.group.values() for one in ones]


def _cells(rows: Iterable[tuple[Version, bool]]) -> dict[tuple[str, str], _Cell]:
    cells: dict[tuple[str, str], _Cell] = {}
    for version, negative in rows:
        cells.setdefault((version.contrast, version.frame), _Cell()).add(version, negative)
    return cells


def _bounds(interval: Interval) -> dict[str, object]:
    figures = {"shift": interval.estimate, "low": interval.low, "high": interval.high}
    return {key: finite(value) for key, value in figures.items()}
