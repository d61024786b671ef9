"""`~` in a path is expanded once, where options and arguments are read, so that all who use the path agree."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rootfruit_checks.app.cli import main
from rootfruit_checks.base.errors import ConfigError
from rootfruit_checks.base.paths import expanded
from rootfruit_checks.config import parsing
from rootfruit_checks.config.build import build
from rootfruit_checks.config.options import OPTIONS
from rootfruit_checks.config.project import anchored
from rootfruit_checks.data.download import cache_directory
from rootfruit_checks.engines.hf.adapter import base_name

PATHS = ("model", "reference", "data", "store", "json", "report", "plan_from", "plan_json")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.mark.parametrize("key", [*PATHS, "baseline", "save_baseline"])
def test_every_option_of_a_path_expands_it(home, key):
    (option,) = [option for option in OPTIONS if option.key == key]
    assert option.parse("x", "~/a") == f"{home}/a"
    assert option.parse("x", " ~ ") == str(home)
    assert option.parse("x", "./~/a") == "./~/a"
    assert option.parse("x", "a~/b") == "a~/b"


def test_from_every_source_alike(home, tmp_path):
    (tmp_path / "sub").mkdir()
    raw = {key: f"~/{key}" for key in PATHS if key not in {"plan_from", "plan_json"}}
    told = {key: f"{home}/{key}" for key in raw}
    for sources in ((raw,), ({}, anchored(raw, tmp_path, tmp_path / "sub")), ({}, {}, anchored(raw, tmp_path, home))):
        settings = build(*sources)
        assert {key: getattr(settings, key) for key in raw} == told


def test_a_classifiers_directory_and_names_that_are_no_paths(home):
    assert parsing.regard("x", "local:~/r") == f"local:{home}/r"
    assert parsing.regard("x", "hub:a/b@" + "0" * 40) == "hub:a/b@" + "0" * 40
    assert parsing.model("x", "http://127.0.0.1/v1#~") == "http://127.0.0.1/v1#~"
    assert parsing.model("x", "owner/name@main") == "owner/name@main"


@pytest.mark.parametrize("path", ["~nobody_of_that_name/x", "x" * 300, "a/" * 3000, "a\0b", "\ud800"])
def test_what_can_be_no_path_is_refused_by_its_option(path):
    for key in PATHS:
        (option,) = [option for option in OPTIONS if option.key == key]
        with pytest.raises(ConfigError, match=r"^option --x: ") as found:
            option.parse("option --x", path)
        assert len(str(found.value)) < 300


def test_a_users_own_home():
    pwd = pytest.importorskip("pwd")
    user = pwd.getpwuid(0)
    assert expanded("x", f"~{user.pw_name}/a") == f"{user.pw_dir}/a"


def test_arguments_of_commands(home, capsys):
    (home / "r.json").write_text("{}")
    assert main.main(["report", "~/nothing.json"]) == 1
    assert str(home / "nothing.json") in capsys.readouterr().err
    for command in (["export", "~/s", "~/o"], ["history", "~/a"], ["coding", "import", "~/s", "~/a"]):
        assert main.main(command) == 1
        assert str(home) in capsys.readouterr().err
        assert not Path("~").exists()
    assert main.main(["audit", "--regard=local:~/nothing"]) == 1
    assert str(home / "nothing") in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main.main(["export", "~nobody_of_that_name/x", "o"])
    assert ended.value.code == 2
    assert "there is no home directory for ~nobody_of_that_name" in capsys.readouterr().err


def test_an_adapters_base_and_the_cache(home, tmp_path, monkeypatch):
    (home / "base").mkdir()
    config = {"peft_type": "LORA", "base_model_name_or_path": "~/base"}
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    assert base_name(tmp_path) == str(home / "base")
    monkeypatch.setenv("ROOTFRUIT_DATA", "~/data")
    assert cache_directory() == home / "data"
