"""The model card's section: the Hub's own library reads it back, whatever the texts hold."""

from __future__ import annotations

import json

import pytest
from hostile import MARKDOWN, PAYLOADS, result
from huggingface_hub import EvalResult, ModelCard, ModelCardData
from markdown_it import MarkdownIt
from results import typed

from rootfruit_checks.app.cli.main import main
from rootfruit_checks.base.errors import DataError
from rootfruit_checks.base.text import plain
from rootfruit_checks.report.model_card import card


def flat(tokens):
    for token in tokens:
        yield token
        yield from flat(token.children or [])


def shape(text):
    tokens = flat(MarkdownIt("gfm-like").parse(text))
    return [(token.type, token.tag) for token in tokens if token.type not in {"text", "code_inline"}]


def hostile(payload):
    value = result(payload, "fail") | {"released": False}
    value["checks"] = [row for row in value["checks"] if row["gated"]][:12]
    for row in value["checks"]:
        row |= {"explain": payload, "data": payload, "group": payload}
    value["run"]["policy"]["path"] = f"models/{payload}"
    return value


def gated(value):
    return {row["id"]: row for row in value["checks"] if row["gated"]}


def test_each_gated_check_is_an_evaluation_result():
    value = result()
    value["run"]["data"]["winoqueer"] = f"starter: ours (Apache-2.0; sha256 {'ab' * 32})"
    value["run"]["policy"]["path"] = "org/aligned-7b"
    read = ModelCard(card(typed(value)))
    assert read.data.model_name == "aligned-7b"
    found = {one.metric_type: one for one in read.data.eval_results}
    assert found.keys() == gated(value).keys()
    for name, row in gated(value).items():
        one = found[name]
        assert isinstance(one, EvalResult)
        assert one.metric_value == row["estimate"]
        assert (one.metric_args["low"], one.metric_args["high"]) == (row["low"], row["high"])
        assert (one.metric_args["limit"], one.metric_args["verdict"]) == (row["limit"], row["verdict"])
        assert one.dataset_type == f"rootfruit-{row['benchmark']}"
    assert found["winoqueer/preference/nonbinary"].dataset_args == {"sha256": "ab" * 32}


def test_results_go_into_a_card_that_is_there_and_come_back(tmp_path):
    made = ModelCard(card(typed(result())))
    mine = ModelCard("---\nlicense: mit\ntags:\n- mine\n---\n\n# My model\n")
    mine.data.model_name, mine.data.eval_results = made.data.model_name, made.data.eval_results
    mine.text += made.text
    mine.save(tmp_path / "README.md")
    again = ModelCard.load(tmp_path / "README.md")
    assert {one.metric_type: one.metric_value for one in again.data.eval_results} == {
        one.metric_type: one.metric_value for one in made.data.eval_results
    }
    assert again.data.tags == ["mine"]
    assert "## Harm to gender-diverse people" in again.text
    anew = ModelCardData(model_name="x", eval_results=made.data.eval_results).to_yaml()
    assert anew.count("value:") == len(made.data.eval_results)


CLEAN = card(typed(hostile("word")))


@pytest.mark.parametrize("payload", [*PAYLOADS, *MARKDOWN], ids=range(len(PAYLOADS) + len(MARKDOWN)))
def test_no_text_breaks_metadata_or_makes_anything_but_text(payload):
    value = hostile(payload)
    read = ModelCard(card(typed(value)))
    assert read.data.to_dict().keys() == {"model-index"}
    assert read.data.model_name
    assert len(read.data.eval_results) == len(value["checks"])
    assert {one.metric_args["group"] for one in read.data.eval_results} == {plain(payload, 500)}
    assert shape(read.text) == shape(ModelCard(CLEAN).text)


def test_the_command_writes_it_from_a_result(tmp_path, capsys):
    file = tmp_path / "r.json"
    file.write_text(json.dumps(result()))
    out = tmp_path / "card.md"
    assert main(["report", "--model-card", str(file), "-o", str(out)]) == 0
    assert "Released" in ModelCard.load(out).text
    assert str(out) in capsys.readouterr().out
    for wrong in (
        ["--model-card"],
        ["--model-card", str(file), str(file)],
        ["--model-card", str(file), "-o", str(tmp_path)],
        ["--model-card", str(tmp_path / "none.json")],
    ):
        assert main(["report", *wrong]) == 1
        assert capsys.readouterr().err.count("\n") == 1


def test_what_has_no_estimate_makes_no_card():
    value = result()
    for row in value["checks"]:
        row |= {"estimate": None, "verdict": "inconclusive" if row["gated"] else "none"}
    with pytest.raises(DataError, match="no gated check with an estimate"):
        card(typed(value))


def test_what_was_blocked_says_so_and_what_it_does_not_show():
    text = card(typed(result(verdict="fail") | {"released": False}))
    assert "**Blocked: of 21 gated checks 21 fail" in text
    assert "What this does not show" in text
