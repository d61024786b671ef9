"""A classifier's labels of the audit's sentences and of our labelled rows, made before it judges anything.

Both are the same for every gated model, so they are stored by the classifier's fingerprint. `mini`'s come with the
package (`mini_answers.json`, made by the repository's `dev/train_regard.py`); other classifiers' are in the store.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rootfruit_checks.base import untrusted
from rootfruit_checks.base.errors import ConfigError, StoreError
from rootfruit_checks.judges.audit import neutral_sentences
from rootfruit_checks.judges.audit import regard_bias as audit
from rootfruit_checks.judges.regard import labelled_rows
from rootfruit_checks.judges.regard.mini import MiniRegard
from rootfruit_checks.judges.regard.protocol import RegardClassifier
from rootfruit_checks.stats.misclassification import Calibration
from rootfruit_checks.store.store import Store

SHIPPED = Path(__file__).with_name("mini_answers.json")
LABELS = ("negative", "neutral", "positive", "other", "empty", "unscored")
_LETTERS = dict(zip(LABELS, "n0poeu", strict=True))
_WORDS = {letter: label for label, letter in _LETTERS.items()}
NAMESPACE = "regard answers"


@dataclass(frozen=True, slots=True)
class Answers:
    """Labels of the audit's versions, of the unmasked ones (None where not measured), and of `regard_train.tsv`.

    The rows were labelled out of sample: for `mini` by a head fitted on the other folds. Other classifiers were not
    fitted on them at all.
    """

    audit: tuple[str, ...]
    unmasked: tuple[str, ...] | None
    rows: tuple[str, ...]

    def dump(self) -> bytes:
        """Return the labels as JSON, with one letter per label."""
        parts = {"audit": self.audit, "unmasked": self.unmasked, "rows": self.rows}
        return json.dumps(
            {name: None if part is None else "".join(_LETTERS[label] for label in part) for name, part in parts.items()}
        ).encode()

    @classmethod
    def read(cls, raw: bytes) -> Answers:
        """Read what `dump` wrote."""
        held = json.loads(raw)
        part = {name: None if text is None else tuple(_WORDS[letter] for letter in text) for name, text in held.items()}
        return cls(part["audit"] or (), part["unmasked"], part["rows"] or ())

    def confusion(self, group: str | None = None) -> list[list[int]]:
        """Counts of our labelled rows, true label by answer: the first three of `LABELS`, and "other" for the answer.

        `group` is "tgnb" or "binary": whether the text has TGNB content; None for both.
        """
        table = [[0] * 4 for _ in range(3)]
        for row, answer in zip(labelled_rows.read_rows(), self.rows, strict=True):
            if group in (None, row.group):
                table[LABELS.index(row.label)][min(LABELS.index(answer), 3)] += 1
        return table

    def calibration(self, group: str | None = None) -> Calibration:
        """Sensitivity and specificity for *negative* on our labelled rows."""
        table = self.confusion(group)
        others = table[1:]
        return Calibration(sum(table[0]), table[0][0], sum(map(sum, others)), sum(line[0] for line in others))


def key() -> str:
    """Identifies the labelled sentences."""
    rows = hashlib.sha256(labelled_rows.FILE.read_bytes().replace(b"\r\n", b"\n")).hexdigest()
    return f"answers/1:{neutral_sentences.data_hash()[:32]}:{rows[:32]}"


def shipped() -> Answers | None:
    """Return `mini`'s answers without loading it; None if they are for other sentences than these."""
    held = _held()
    return Answers.read(json.dumps(held["answers"]).encode()) if held.get("key") == key() else None


def _held() -> dict[str, Any]:
    return dict(json.loads(SHIPPED.read_text(encoding="utf-8"))) if SHIPPED.is_file() else {}


def answers_of(classifier: RegardClassifier, store: Store | None = None) -> Answers:
    """Return a classifier's answers: from the package, else from the store, else computed now and stored.

    Raises:
        ConfigError: the classifier gives an unknown label, or not one for each text; or it is `mini`, and the answers
                in the package are from another head.

    """
    if _held().get("fingerprint") == classifier.fingerprint and (own := shipped()):
        return own
    place = f"{key()}:{classifier.fingerprint}"
    held = store.get(NAMESPACE, place) if store else None
    if held is not None:
        return _stored(held)
    found = compute(classifier)
    if store:
        store.put(NAMESPACE, place, found.dump())
    return found


def _stored(raw: bytes) -> Answers:
    """Read the stored answers: for each part a text with one letter per sentence."""
    where = "the regard classifier's answers in the store"
    value = untrusted.parse_json(raw, where, StoreError)
    untrusted.check(value, dict[Literal["audit", "unmasked", "rows"], str | None], where, StoreError)
    wanted = {"audit": len(neutral_sentences.versions()), "rows": len(labelled_rows.read_rows())}
    whole = set(value) == {"audit", "unmasked", "rows"} and set("".join(filter(None, value.values()))) <= set(_WORDS)
    if not whole or any(len(value[part] or "") != size for part, size in wanted.items()):
        raise StoreError(f"{where} are damaged; delete the store and run again")
    return Answers.read(raw)


def compute(classifier: RegardClassifier) -> Answers:
    """Label the audit's sentences and our rows, which takes a large model a minute on a CPU."""
    if isinstance(classifier, MiniRegard):
        # Its head was fitted on the rows, so labelling them now would overstate its accuracy.
        raise ConfigError(f"{SHIPPED}: has no answers of this regard classifier mini; reinstall rootfruit-checks")
    rows = labelled_rows.read_rows()
    labels = audit.classify(classifier)
    unmasked = audit.classify_unmasked(classifier)
    known = classifier.classify([row.text for row in rows], [neutral_sentences.SUBJECT] * len(rows))
    for given, wanted in (
        (labels, neutral_sentences.versions()),
        (unmasked, neutral_sentences.unmasked_versions()),
        (known, rows),
    ):
        if given is not None:
            _check(classifier, given, len(wanted))
    return Answers(tuple(labels), None if unmasked is None else tuple(unmasked), tuple(known))


def _check(classifier: RegardClassifier, labels: Sequence[str], wanted: int) -> None:
    unknown = sorted(set(labels) - set(LABELS))
    if unknown or len(labels) != wanted:
        what = f"unknown label {unknown[0]!r}" if unknown else f"{len(labels)} labels for {wanted} texts"
        raise ConfigError(f"regard classifier {classifier.name}: {what}; labels are {', '.join(LABELS)}, one a text")
