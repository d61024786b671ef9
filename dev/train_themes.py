"""Fit the head of the theme tagger: `python dev/train_themes.py [--write]`.

It is fitted on `themes_labelled.tsv`, and the penalty is chosen by cross-validation in ten folds. The accuracy that
reports quote is measured on `themes_check.tsv`, which was written after the codebook's words and is never fitted on.
`--write` replaces `themes_head.json`; without it the script prints its figures and changes nothing.

The shipped head was fitted by another L-BFGS (SciPy's, looser tolerance). On the machine where both were compared, this
script's weights differ from it by at most 0.0005; all tags of all rows agree, on both files, and so do the quoted and
the cross-validated figures. `tests/judges/test_heads.py` checks that.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from heads import DIGITS, FOLDS, STRENGTHS, comparison, logistic
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_fscore_support
from sklearn.model_selection import PredefinedSplit
from sklearn.multiclass import OneVsRestClassifier

from rootfruit_checks.base.digests import folder_digest
from rootfruit_checks.base.errors import DataError
from rootfruit_checks.base.files import write_atomic
from rootfruit_checks.judges.regard.masking import mask
from rootfruit_checks.judges.regard.mini import Encoder, encoder_folder
from rootfruit_checks.judges.themes.codebook import fingerprint, theme_ids
from rootfruit_checks.judges.themes.tagger import HEAD, features, found_words

LABELLED = Path(__file__).with_name("themes_labelled.tsv")
CHECK = Path(__file__).with_name("themes_check.tsv")


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


def fit(seen: NDArray[np.float64], labels: NDArray[np.bool_], strength: float) -> OneVsRestClassifier:
    """Fit a logistic regression with an L2 penalty for each theme.

    Each row counts a second time as if none of the codebook's words stood in it: whoever wrote the rows knew the words,
    and models use others.
    """
    without = seen.copy()
    without[:, -len(theme_ids()) :] = 0.0
    return OneVsRestClassifier(logistic(strength)).fit(np.vstack([seen, without]), np.vstack([labels, labels]))


def weights_of(model: OneVsRestClassifier) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the weights, shape (themes, width), and the bias, shape (themes,)."""
    fitted = model.estimators_
    return np.vstack([one.coef_ for one in fitted]), np.concatenate([one.intercept_ for one in fitted])


def cross_validate(seen: NDArray[np.float64], labels: NDArray[np.bool_], strength: float) -> NDArray[np.bool_]:
    """Return the tags that each row gets from heads that were fitted without it."""
    fold = np.random.default_rng(0).permutation(len(seen)) % FOLDS
    answers = np.zeros_like(labels)
    for train, test in PredefinedSplit(fold).split():
        answers[test] = fit(seen[train], labels[train], strength).predict(seen[test])
    return answers


def measured(answers: NDArray[np.bool_], labels: NDArray[np.bool_]) -> dict[str, dict[str, float]]:
    """Return by theme precision, recall, F1 and the number of rows that have it."""
    names = ("precision", "recall", "f1", "rows")
    columns = zip(*precision_recall_fscore_support(labels, answers, zero_division=0), strict=True)
    return {
        theme: {name: round(value.item(), 3) for name, value in zip(names, column, strict=True)}
        for theme, column in zip(theme_ids(), columns, strict=True)
    }


def build(encoder: Encoder) -> dict[str, Any]:
    """Choose the strength by cross-validation, fit on all rows, and return the content of `themes_head.json`."""
    texts, labels = read_rows()
    seen = features(encoder, [mask(text, "XYZ") for text in texts])
    crossed = {strength: measured(cross_validate(seen, labels, strength), labels) for strength in STRENGTHS}
    tried = {
        strength: sum(one["f1"] for one in by_theme.values()) / len(by_theme) for strength, by_theme in crossed.items()
    }
    best = max(tried, key=lambda strength: (tried[strength], -strength))
    weights, bias = weights_of(fit(seen, labels, best))
    unseen, real = read_rows(CHECK)
    plain = [mask(text, "XYZ") for text in unseen]
    return {
        "themes": list(theme_ids()),
        "codebook": fingerprint(),
        "encoder_sha256": folder_digest(encoder.folder, ["*.safetensors", "tokenizer.json"]),
        "strength": best,
        "strengths_tried": {str(strength): round(value, 4) for strength, value in tried.items()},
        "folds": FOLDS,
        "rows": len(texts),
        "measured": {
            "both": measured(features(encoder, plain) @ weights.T + bias > 0.0, real),
            "lexicon": measured(found_words(plain), real),
        },
        "cross_validated": crossed[best],
        "weights": np.round(weights, DIGITS).tolist(),
        "bias": np.round(bias, DIGITS).tolist(),
    }


def tags(encoder: Encoder, content: dict[str, Any]) -> NDArray[np.bool_]:
    """Return the tags of all labelled rows, those of both files, by a head's content."""
    texts = [mask(text, "XYZ") for path in (LABELLED, CHECK) for text in read_rows(path)[0]]
    found: NDArray[np.bool_] = features(encoder, texts) @ np.transpose(content["weights"]) + content["bias"] > 0.0
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit, measure, compare, and write where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="replace the head in the package")
    options = parser.parse_args(arguments)
    encoder = Encoder(encoder_folder())
    content, shipped = build(encoder), json.loads(HEAD.read_text("utf-8"))
    print(json.dumps({key: content[key] for key in ("strengths_tried", "cross_validated", "measured")}, indent=1))
    new, old = ((head["weights"], head["bias"]) for head in (content, shipped))
    print(comparison(new, old, tags(encoder, content) == tags(encoder, shipped)))
    if options.write:
        write_atomic(HEAD, json.dumps(content, separators=(",", ":")) + "\n")
        print(f"{HEAD}: written")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
