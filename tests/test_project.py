"""What belongs to the project at hand: its table, paths from its root, and a configuration that pytest overlooked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rootfruit_checks.base.errors import ConfigError
from rootfruit_checks.config.project import anchored, misled, table


@pytest.mark.parametrize(
    "text", ["[tool.rootfruit]\nseed = 1\n", "[tool]\nrootfruit = {seed = 1}\n", "tool.rootfruit.seed = 1\n"]
)
def test_every_spelling_of_the_table_is_read(tmp_path, text):
    (tmp_path / "pyproject.toml").write_text(text)
    assert table(tmp_path) == {"seed": 1}


@pytest.mark.parametrize(
    ("text", "told"), [("[tool.rootfruit\n", "is not TOML"), ("tool.rootfruit = 3\n", "is not a table")]
)
def test_a_broken_table_is_one_line(tmp_path, text, told):
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(ConfigError, match=told) as caught:
        table(tmp_path)
    assert "\n" not in str(caught.value)


def test_no_file_and_no_mention_are_an_empty_table(tmp_path):
    assert table(tmp_path) == {}
    (tmp_path / "pyproject.toml").write_text("[tool.other]\n")
    assert table(tmp_path) == {}


def test_configured_paths_are_meant_from_the_root(tmp_path):
    here = tmp_path / "sub"
    (tmp_path / "models" / "policy").mkdir(parents=True)
    here.mkdir()
    given = {"model": "models/policy", "reference": "owner/name", "data": "starter", "json": "out.json", "seed": 3}
    found = anchored(given, tmp_path, here)
    assert found == {**given, "model": "../models/policy", "json": "../out.json"}
    assert anchored(given, tmp_path, tmp_path) == given


@pytest.fixture
def places(tmp_path):
    project, model = tmp_path / "project", tmp_path / "elsewhere" / "policy"
    project.mkdir()
    model.mkdir(parents=True)
    (project / "pyproject.toml").write_text("[tool.rootfruit]\nscale = 'smoke'\n")
    return tmp_path, project, model


def test_a_path_given_with_a_space_that_hides_the_configuration_is_refused(places):
    ancestor, project, model = places
    with pytest.raises(ConfigError, match=f"write --model={model}"):
        misled(["--model", str(model)], ["--model"], [str(project)], ancestor, project)


@pytest.mark.parametrize("how", ["equals", "found", "said", "nothing to find"])
def test_a_configuration_that_was_found_is_no_reason_to_refuse(places, how):
    ancestor, project, model = places
    arguments, root = ["--model", str(model)], ancestor
    if how == "equals":
        arguments = [f"--model={model}"]
    elif how == "found":
        root = project
    elif how == "said":
        arguments += ["--rootdir=.."]
    else:
        (project / "pyproject.toml").unlink()
    misled(arguments, ["--model"], [str(project)], root, project)


@pytest.mark.parametrize("put", [Path.mkdir, os.mkfifo, lambda file: file.symlink_to("/dev/zero")])
def test_limits_that_cannot_be_read_are_no_limits_that_are_left_out(tmp_path, put):
    put(tmp_path / "pyproject.toml")
    with pytest.raises(ConfigError, match="not a regular file"):
        table(tmp_path)


def test_toml_nested_too_deep_is_told(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.rootfruit]\nlimit = " + "[" * 10_000)
    with pytest.raises(ConfigError, match="is not TOML"):
        table(tmp_path)
