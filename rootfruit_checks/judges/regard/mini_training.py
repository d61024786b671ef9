"""Fit the head of the default regard classifier: `python -m rootfruit_checks.judges.regard.mini_training [--dev FILE]`.

Everything is chosen by cross-validation on our own rows (`regard_train.tsv`), whose sets (three contrasting texts
of one topic) are never torn apart between folds. `--dev` names a people-annotated file in the format of Sheng et al.;
it is evaluated once the head stands, and has no part in fitting it.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rootfruit_checks.base.errors import DataError
from rootfruit_checks.base.files import write_atomic
from rootfruit_checks.judges.regard.masking import MASKING_VERSION, mask
from rootfruit_checks.judges.regard.mini import (
    HEAD,
    LABELS,
    Encoder,
    Head,
    accuracy_words,
    encoder_folder,
    hash_files,
    read_head,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

TRAIN = Path(__file__).with_name("regard_train.tsv")
COLUMNS = ["set", "group", "topic", "label", "text"]
FOLDS = 10
STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0)
_DIGITS = 5


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled continuation. `group` is "tgnb" (TGNB content) or "binary" (any other)."""

    set: str
    group: str
    topic: str
    label: str
    text: str


def read_rows(path: Path = TRAIN) -> list[Row]:
    """Read labelled continuations; lines that begin with `#` at the head of the file are its content note.

    Raises:
        DataError: a wrong header or label, a ragged or empty row, a text that is there twice.

    """
    rows: list[Row] = []
    seen: set[str] = set()
    lines = path.read_text(encoding="utf-8").splitlines()
    first = next((number for number, line in enumerate(lines) if not line.startswith("#")), len(lines))
    if lines[first : first + 1] != ["\t".join(COLUMNS)]:
        raise DataError.at(path, first + 1, f"the header must be {' '.join(COLUMNS)}, separated by tabs")
    reader = csv.reader(lines[first + 1 :], delimiter="\t", quoting=csv.QUOTE_NONE)
    for number, fields in enumerate(reader, first + 2):
        if len(fields) != len(COLUMNS) or not all(field.strip() for field in fields):
            raise DataError.at(path, number, f"expected {len(COLUMNS)} filled fields separated by tabs")
        row = Row(*fields)
        if row.label not in LABELS or row.group not in ("tgnb", "binary"):
            raise DataError.at(path, number, f"unknown label or group: {row.label}, {row.group}")
        if row.text in seen:
            raise DataError.at(path, number, "this text is there twice")
        seen.add(row.text)
        rows.append(row)
    return rows


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


def fit(vectors: NDArray[np.float32], labels: Sequence[str], strength: float) -> tuple[NDArray[Any], NDArray[Any]]:
    """Fit a multinomial logistic regression with an L2 penalty; return weights (3, width) and bias (3,).

    Minimises `strength * sum(cross entropy) + |weights|^2 / 2`. Classes are weighted to equal shares, so that the
    head's prior is one third each whatever the rows: how common negative regard is, is what it is there to measure.
    """
    from scipy.optimize import minimize

    features = vectors.astype(np.float64)
    target = np.asarray([LABELS.index(label) for label in labels])
    counts = np.bincount(target, minlength=3)
    weight = (len(target) / (3.0 * counts))[target]
    hot = np.eye(3)[target]
    width = features.shape[1]

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        table = flat.reshape(3, width + 1)
        logits = features @ table[:, :width].T + table[:, width]
        logits -= logits.max(axis=1, keepdims=True)
        log_total = np.log(np.exp(logits).sum(axis=1))
        entropy = weight @ (log_total - logits[np.arange(len(target)), target])
        error = (np.exp(logits - log_total[:, None]) - hot) * weight[:, None] * strength
        slope = np.column_stack([error.T @ features + table[:, :width], error.sum(axis=0)])
        return float(strength * entropy + 0.5 * (table[:, :width] ** 2).sum()), slope.ravel()

    found = minimize(loss, np.zeros(3 * (width + 1)), jac=True, method="L-BFGS-B", options={"maxiter": 500})
    table = found.x.reshape(3, width + 1)
    return table[:, :width], table[:, width]


def folds_of(rows: Sequence[Row]) -> NDArray[np.int64]:
    """Return the fold of each row: whole sets, spread by a hash of the set's number, so that adding rows moves none."""
    return np.asarray([int(hashlib.sha256(row.set.encode()).hexdigest(), 16) % FOLDS for row in rows])


def cross_validate(vectors: NDArray[np.float32], rows: Sequence[Row], strength: float) -> list[str]:
    """Return for each row the label that a head fitted on the other folds gives it."""
    folds = folds_of(rows)
    answers = np.empty(len(rows), dtype=object)
    for fold in range(FOLDS):
        held = folds == fold
        weights, bias = fit(
            vectors[~held], [row.label for row, out in zip(rows, held, strict=True) if not out], strength
        )
        answers[held] = Head(weights, bias, {}).predict(vectors[held])
    return [str(answer) for answer in answers]


def out_of_fold(rows: Sequence[Row]) -> list[str]:
    """Return for each row the label of a head that was not fitted on its set, at the shipped head's penalty."""
    encoder = Encoder(encoder_folder())
    return cross_validate(encode(encoder, [row.text for row in rows]), rows, read_head().measured["strength"])


def confusion(truth: Sequence[str], answers: Sequence[str]) -> list[list[int]]:
    """Return counts, rows the true label, columns the answer, both in order of `LABELS`."""
    table = np.zeros((3, 3), int)
    for true, answer in zip(truth, answers, strict=True):
        table[LABELS.index(true), LABELS.index(answer)] += 1
    return [[int(count) for count in line] for line in table]


def share(truth: Sequence[str], answers: Sequence[str]) -> dict[str, Any]:
    """Return n, accuracy, its 95% interval (Wilson's score interval) and the confusion matrix."""
    n = len(truth)
    right = sum(true == answer for true, answer in zip(truth, answers, strict=True))
    z = 1.959964
    centre = (right + z * z / 2) / (n + z * z)
    half = z * float(np.sqrt(right * (n - right) / n + z * z / 4)) / (n + z * z)
    return {
        "n": n,
        "accuracy": round(right / n, 4),
        "low": round(centre - half, 4),
        "high": round(centre + half, 4),
        "confusion": confusion(truth, answers),
    }


def encode(encoder: Encoder, texts: Sequence[str]) -> NDArray[np.float32]:
    """Mask and encode texts that already have XYZ for the person, in their own order."""
    masked = [mask(text, "XYZ") for text in texts]
    order = sorted(range(len(masked)), key=lambda index: len(masked[index]))
    vectors = np.empty((len(masked), 384), np.float32)
    vectors[order] = encoder.encode([masked[index] for index in order])
    return vectors


def build(rows: Sequence[Row], encoder: Encoder) -> dict[str, Any]:
    """Choose the strength by cross-validation, fit on all rows, and return the content of `mini_head.json`."""
    truth = [row.label for row in rows]
    vectors = encode(encoder, [row.text for row in rows])
    tried = {strength: cross_validate(vectors, rows, strength) for strength in STRENGTHS}
    best = max(STRENGTHS, key=lambda strength: (share(truth, tried[strength])["accuracy"], -strength))
    answers = tried[best]
    by_group = {
        group: share(
            *zip(*((row.label, a) for row, a in zip(rows, answers, strict=True) if row.group == group), strict=True)
        )["accuracy"]
        for group in ("tgnb", "binary")
    }
    weights, bias = fit(vectors, truth, best)
    return {
        "labels": list(LABELS),
        "masking_version": MASKING_VERSION,
        "measured": {
            "rows_sha256": hashlib.sha256(TRAIN.read_bytes()).hexdigest(),
            "encoder_sha256": hash_files(encoder.folder, ["*.safetensors", "tokenizer.json"]),
            "strength": best,
            "strengths_tried": {str(strength): share(truth, tried[strength])["accuracy"] for strength in STRENGTHS},
            "cross_validation": {**share(truth, answers), "folds": FOLDS, "by_group": by_group},
            "people_annotated": None,
        },
        "weights": np.round(weights, _DIGITS).tolist(),
        "bias": np.round(bias, _DIGITS).tolist(),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit, measure, write the head, say what was measured."""
    parser = argparse.ArgumentParser(prog="python -m rootfruit_checks.judges.regard.mini_training", description=__doc__)
    parser.add_argument("--dev", type=Path, help="people-annotated file, evaluated once the head stands")
    parser.add_argument("--source", default="dev.tsv of Sheng et al. 2019", help="what to call that file")
    parser.add_argument("--out", type=Path, default=HEAD, help="where to write the head")
    options = parser.parse_args(arguments)
    encoder = Encoder(encoder_folder())
    content = build(read_rows(), encoder)
    if options.dev:
        texts, labels = read_people(options.dev)
        head = Head(np.asarray(content["weights"]), np.asarray(content["bias"]), {})
        answers = head.predict(encode(encoder, texts))
        content["measured"]["people_annotated"] = {"source": options.source, **share(labels, answers)}
    write_atomic(options.out, json.dumps(content, separators=(",", ":")) + "\n")
    sys.stdout.write(f"{accuracy_words(content['measured'])}\n{json.dumps(content['measured'], indent=1)}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
