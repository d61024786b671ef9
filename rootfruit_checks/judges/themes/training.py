"""Fit the head of the theme tagger: `python -m rootfruit_checks.judges.themes.training`.

It is fitted on `themes_labelled.tsv`, the penalty chosen by cross-validation in ten folds. What is told of its accuracy
is measured on `themes_check.tsv`, which was written after the codebook's words and fits nothing.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rootfruit_checks.base.errors import DataError
from rootfruit_checks.base.files import write_atomic
from rootfruit_checks.judges.regard.masking import mask
from rootfruit_checks.judges.regard.mini import Encoder, encoder_folder, hash_files
from rootfruit_checks.judges.themes.codebook import fingerprint, theme_ids
from rootfruit_checks.judges.themes.tagger import HEAD, features, found_words

LABELLED = Path(__file__).with_name("themes_labelled.tsv")
CHECK = Path(__file__).with_name("themes_check.tsv")
FOLDS = 10
STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0)
_DIGITS = 5


def read_rows(path: Path = LABELLED) -> tuple[list[str], NDArray[np.bool_]]:
    """Return the texts, and whether each has each theme, shape (n, themes).

    Raises:
        DataError: a wrong header, an unknown theme, a text that is there twice.

    """
    known = theme_ids()
    lines = path.read_text("utf-8").splitlines()
    start = next((at for at, line in enumerate(lines) if not line.startswith("#")), len(lines))
    if lines[start : start + 1] != ["themes\ttext"]:
        raise DataError.at(path, start + 1, "the header must be themes and text, separated by a tab")
    texts: list[str] = []
    labels: list[list[bool]] = []
    for number, fields in enumerate(csv.reader(lines[start + 1 :], delimiter="\t", quoting=csv.QUOTE_NONE), start + 2):
        if len(fields) != 2 or not all(field.strip() for field in fields):
            raise DataError.at(path, number, "expected two filled fields separated by a tab")
        mine = fields[0].split(",")
        if unknown := sorted(set(mine) - set(known)):
            raise DataError.at(path, number, f"unknown theme {unknown[0]!r}; known: {', '.join(known)}")
        if fields[1] in texts:
            raise DataError.at(path, number, "this text is there twice")
        texts.append(fields[1])
        labels.append([theme in mine for theme in known])
    return texts, np.array(labels, dtype=bool)


def fit(seen: NDArray[np.float64], has: NDArray[np.bool_], strength: float) -> tuple[NDArray[Any], float]:
    """Fit a logistic regression with an L2 penalty, both classes weighing the same; return weights and bias.

    Minimises `strength * weighted log loss + |weights|^2 / 2`, by L-BFGS. Each row counts a second time as if none of
    the codebook's words stood in it: who wrote the rows knew the words, and models use others.
    """
    from scipy.optimize import minimize

    without = seen.copy()
    without[:, -len(theme_ids()) :] = 0.0
    seen, has = np.vstack([seen, without]), np.concatenate([has, has])
    sign = np.where(has, 1.0, -1.0)
    weight = np.where(has, 0.5 / max(1, has.sum()), 0.5 / max(1, (~has).sum())) * len(has)

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margin = sign * (seen @ flat[:-1] + flat[-1])
        slope = -sign * weight / (1.0 + np.exp(np.clip(margin, -50, 50)))
        total = strength * float(weight @ np.logaddexp(0.0, -margin)) + 0.5 * float(flat[:-1] @ flat[:-1])
        return total, np.append(strength * (slope @ seen) + flat[:-1], strength * slope.sum())

    found = minimize(loss, np.zeros(seen.shape[1] + 1), jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    return found[:-1], float(found[-1])


def cross_validated(seen: NDArray[np.float64], labels: NDArray[np.bool_], strength: float) -> NDArray[np.bool_]:
    """Return the tags that each row gets from heads that were fitted without it."""
    fold = np.random.default_rng(0).permutation(len(seen)) % FOLDS
    answers = np.zeros_like(labels)
    for one in range(FOLDS):
        out = fold == one
        for theme in range(labels.shape[1]):
            weights, bias = fit(seen[~out], labels[~out, theme], strength)
            answers[out, theme] = seen[out] @ weights + bias > 0.0
    return answers


def measured(answers: NDArray[np.bool_], labels: NDArray[np.bool_]) -> dict[str, dict[str, float]]:
    """Return by theme precision, recall, F1 and the number of rows that have it."""
    found = {}
    for at, theme in enumerate(theme_ids()):
        hit = int((answers[:, at] & labels[:, at]).sum())
        said, real = int(answers[:, at].sum()), int(labels[:, at].sum())
        parts = {"precision": hit / max(said, 1), "recall": hit / max(real, 1), "f1": 2 * hit / max(said + real, 1)}
        found[theme] = {**{name: round(value, 3) for name, value in parts.items()}, "rows": real}
    return found


def main() -> int:
    """Fit, measure and write the head."""
    texts, labels = read_rows()
    encoder = Encoder(encoder_folder())
    masked = [mask(text, "XYZ") for text in texts]
    seen = features(encoder, masked)
    tried = {}
    for strength in STRENGTHS:
        found = measured(cross_validated(seen, labels, strength), labels)
        tried[strength] = sum(one["f1"] for one in found.values()) / len(found)
    best = max(tried, key=lambda strength: (tried[strength], -strength))
    heads = [fit(seen, labels[:, theme], best) for theme in range(labels.shape[1])]
    unseen, real = read_rows(CHECK)
    plain = [mask(text, "XYZ") for text in unseen]
    logits = features(encoder, plain) @ np.array([weights for weights, _ in heads]).T + [bias for _, bias in heads]
    content = {
        "themes": list(theme_ids()),
        "codebook": fingerprint(),
        "encoder_sha256": hash_files(encoder.folder, ["*.safetensors", "tokenizer.json"]),
        "strength": best,
        "strengths_tried": {str(strength): round(value, 4) for strength, value in tried.items()},
        "folds": FOLDS,
        "rows": len(texts),
        "measured": {
            "both": measured(logits > 0.0, real),
            "lexicon": measured(found_words(plain), real),
        },
        "cross_validated": measured(cross_validated(seen, labels, best), labels),
        "weights": [[round(float(value), _DIGITS) for value in weights] for weights, _ in heads],
        "bias": [round(bias, _DIGITS) for _, bias in heads],
    }
    write_atomic(HEAD, json.dumps(content, separators=(",", ":")) + "\n")
    sys.stdout.write(json.dumps({key: content[key] for key in ("strengths_tried", "measured")}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
