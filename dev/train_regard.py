"""Fit the head of the default regard classifier: `python dev/train_regard.py [--people FILE] [--write]`.

The head is fitted on our own rows (`regard_train.tsv`), and the penalty is chosen by cross-validation on them. A set
(three contrasting texts on one topic) stays whole: all of it is in one fold. `--people` names a people-annotated file
in the format of Sheng et al.; it is evaluated once the head is fitted and takes no part in fitting it.

`--write` replaces `mini_head.json`, and `mini_answers.json`, which holds this head's answers to the audit's sentences
and its out-of-fold answers to our rows. Without it the script prints its figures and changes nothing.

The shipped head was fitted by another L-BFGS (SciPy's, looser tolerance). On the machine where both were compared, this
script's weights differ from it by at most 0.0004, and all 894 rows get the same label, in the fit on all rows and out
of fold, so every accuracy that the package quotes is the same. `tests/judges/test_heads.py` checks that.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from heads import DIGITS, FOLDS, STRENGTHS, comparison, logistic
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, confusion_matrix
from sklearn.model_selection import PredefinedSplit, cross_val_predict

from rootfruit_checks.base.digests import folder_digest
from rootfruit_checks.base.errors import DataError
from rootfruit_checks.base.files import write_atomic
from rootfruit_checks.judges.audit import reference_labels, regard_bias
from rootfruit_checks.judges.regard.labelled_rows import FILE, Row, read_rows
from rootfruit_checks.judges.regard.masking import MASKING_VERSION, mask
from rootfruit_checks.judges.regard.mini import (
    HEAD,
    LABELS,
    Encoder,
    Head,
    MiniRegard,
    accuracy_words,
    encoder_folder,
    read_head,
)


def read_people(path: Path) -> tuple[list[str], list[str]]:
    """Read texts and labels of a people-annotated file: -1, 0 or 1, a tab, the text with the person as XYZ."""
    texts, labels = [], []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        value, tab, text = line.partition("\t")
        if not tab or value not in ("-1", "0", "1"):
            raise DataError.at(path, number, "expected -1, 0 or 1, a tab and a text")
        texts.append(text)
        labels.append(LABELS[int(value) + 1])
    return texts, labels


def encode(encoder: Encoder, texts: Sequence[str]) -> NDArray[np.float64]:
    """Mask and encode texts that already have XYZ for the person, in their own order."""
    masked = [mask(text, "XYZ") for text in texts]
    order = sorted(range(len(masked)), key=lambda index: len(masked[index]))
    vectors = np.empty((len(masked), 384))
    vectors[order] = encoder.encode([masked[index] for index in order])
    return vectors


def fit(vectors: NDArray[np.float64], labels: Sequence[str], strength: float) -> Head:
    """Fit a multinomial logistic regression with an L2 penalty."""
    model = logistic(strength).fit(vectors, labels)
    if tuple(model.classes_) != LABELS:
        raise ValueError(f"the rows must have the labels {', '.join(LABELS)}, not {', '.join(model.classes_)}")
    return Head(model.coef_, model.intercept_, {})


def folds_of(rows: Sequence[Row]) -> NDArray[np.int64]:
    """Return the fold of each row: whole sets, spread by a hash of the set's number, so that adding rows moves none."""
    return np.asarray([int(hashlib.sha256(row.set.encode()).hexdigest(), 16) % FOLDS for row in rows])


def cross_validate(vectors: NDArray[np.float64], rows: Sequence[Row], strength: float) -> list[str]:
    """Return for each row the label that a head fitted on the other folds gives it."""
    labels = [row.label for row in rows]
    return list(map(str, cross_val_predict(logistic(strength), vectors, labels, cv=PredefinedSplit(folds_of(rows)))))


def share(truth: Sequence[str], answers: Sequence[str]) -> dict[str, Any]:
    """Return n, accuracy, its 95% interval (Wilson's score interval) and the confusion matrix."""
    right = sum(true == answer for true, answer in zip(truth, answers, strict=True))
    interval = binomtest(right, len(truth)).proportion_ci(method="wilson")
    return {
        "n": len(truth),
        "accuracy": round(right / len(truth), 4),
        "low": round(float(interval.low), 4),
        "high": round(float(interval.high), 4),
        # Rows are the true labels, columns the answers.
        "confusion": confusion_matrix(truth, answers, labels=LABELS).tolist(),
    }


def build(rows: Sequence[Row], encoder: Encoder) -> dict[str, Any]:
    """Choose the strength by cross-validation, fit on all rows, and return the content of `mini_head.json`."""
    truth = [row.label for row in rows]
    vectors = encode(encoder, [row.text for row in rows])
    tried = {strength: cross_validate(vectors, rows, strength) for strength in STRENGTHS}
    accuracy = {strength: share(truth, answers)["accuracy"] for strength, answers in tried.items()}
    best = max(STRENGTHS, key=lambda strength: (accuracy[strength], -strength))
    by_group = {}
    for group in ("tgnb", "binary"):
        mine = [row.group == group for row in rows]
        by_group[group] = round(float(accuracy_score(truth, tried[best], sample_weight=mine)), 4)
    head = fit(vectors, truth, best)
    return {
        "labels": list(LABELS),
        "masking_version": MASKING_VERSION,
        "measured": {
            "rows_sha256": hashlib.sha256(FILE.read_bytes()).hexdigest(),
            "encoder_sha256": folder_digest(encoder.folder, ["*.safetensors", "tokenizer.json"]),
            "strength": best,
            "strengths_tried": {str(strength): value for strength, value in accuracy.items()},
            "cross_validation": {**share(truth, tried[best]), "folds": FOLDS, "by_group": by_group},
            "people_annotated": None,
        },
        "weights": np.round(head.weights, DIGITS).tolist(),
        "bias": np.round(head.bias, DIGITS).tolist(),
    }


def write_answers(rows: Sequence[Row], encoder: Encoder, strength: float) -> None:
    """Write `mini_answers.json` anew, for the head that is in the package now."""
    classifier = MiniRegard()
    answers = reference_labels.Answers(
        tuple(regard_bias.classify(classifier)),
        tuple(regard_bias.classify_unmasked(classifier) or ()),
        tuple(cross_validate(encode(encoder, [row.text for row in rows]), rows, strength)),
    )
    value = {
        "fingerprint": classifier.fingerprint,
        "key": reference_labels.key(),
        "answers": json.loads(answers.dump()),
    }
    write_atomic(reference_labels.SHIPPED, json.dumps(value, indent=0) + "\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit, measure, compare, and write where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=Path, help="people-annotated file, evaluated once the head is fitted")
    parser.add_argument("--source", default="dev.tsv of Sheng et al. 2019", help="what to call that file")
    parser.add_argument("--write", action="store_true", help="replace the head and its answers in the package")
    options = parser.parse_args(arguments)
    rows, encoder = read_rows(), Encoder(encoder_folder())
    content = build(rows, encoder)
    head = Head(np.asarray(content["weights"]), np.asarray(content["bias"]), {})
    if options.people:
        texts, labels = read_people(options.people)
        answers = head.predict(encode(encoder, texts))
        content["measured"]["people_annotated"] = {"source": options.source, **share(labels, answers)}
    print(accuracy_words(content["measured"]))
    print(json.dumps(content["measured"], indent=1))
    shipped = read_head()
    vectors = encode(encoder, [row.text for row in rows])
    same = np.asarray(head.predict(vectors)) == np.asarray(shipped.predict(vectors))
    print(comparison((head.weights, head.bias), (shipped.weights, shipped.bias), same))
    if options.write:
        write_atomic(HEAD, json.dumps(content, separators=(",", ":")) + "\n")
        write_answers(rows, encoder, content["measured"]["strength"])
        print(f"{HEAD} and {reference_labels.SHIPPED}: written")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
