"""Every help text renders: argparse expands `%` in it only when somebody asks, and then a bare one is a crash."""

from __future__ import annotations

import argparse
import subprocess
import sys

import pytest

from rootfruit_checks.app.cli import main
from rootfruit_checks.app.pytest import hooks
from rootfruit_checks.config.options import OPTIONS


class Registrar:
    """Hands options to argparse and keeps the texts of ini keys, as pytest's own parser does."""

    def __init__(self):
        self.parser = argparse.ArgumentParser(prog="pytest", formatter_class=wide)
        self.ini = {}

    def getgroup(self, *_):
        return self

    def addoption(self, *flags, **how):
        self.parser.add_argument(*flags, **how)

    def addini(self, name, help, **_):
        self.ini[name] = help


def wide(prog):
    return argparse.HelpFormatter(prog, width=400)


def subcommands(parser, path=()):
    yield path, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, child in action.choices.items():
                yield from subcommands(child, (*path, name))


COMMANDS = dict(subcommands(main._parser()))


def test_every_option_of_the_plugin_renders_its_help_as_it_is_written():
    registrar = Registrar()
    hooks.pytest_addoption(registrar)
    shown = registrar.parser.format_help()
    for option in OPTIONS:
        assert option.help in shown, option.flag
        assert registrar.ini[option.ini] == option.help
    assert "%%" not in shown
    assert any("%" in option.help for option in OPTIONS), "no text here would show that % is escaped"


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: " ".join(path) or "rootfruit")
def test_help_of_every_command_renders(path, capsys):
    with pytest.raises(SystemExit) as end:
        main.main([*path, "--help"])
    assert end.value.code == 0
    shown = capsys.readouterr().out
    assert shown.startswith(" ".join(("usage: rootfruit", *path)))
    assert "%%" not in shown
    # Each argument of each command says what it is.
    there = COMMANDS[path]._actions
    silent = [one.dest for one in there if not one.help and not isinstance(one, argparse._SubParsersAction)]
    assert silent == []


@pytest.mark.parametrize(
    ("what", "wanted"),
    [
        ("--help", ["--rootfruit-target-mde=X", "at 80 % power", "rootfruit_target_mde", "--model=PATH"]),
        ("--markers", ["@pytest.mark.rootfruit(measure"]),
        ("--fixtures", ["rootfruit_check", "rootfruit_run", "rootfruit_exploration"]),
    ],
)
def test_pytest_renders_what_the_plugin_registers(what, wanted, tmp_path):
    command = [sys.executable, "-m", "pytest", what, "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    text = " ".join(done.stdout.split())
    assert [one for one in wanted if one not in text] == []
