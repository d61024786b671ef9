"""Three sources become one Settings; what cannot be read is refused by name."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootfruit_checks.errors import ConfigError
from rootfruit_checks.registry import BY_ID, REGISTRY
from rootfruit_checks.settings import OPTIONS, Settings, build


def test_defaults_of_options_and_settings_are_the_same():
    empty = Settings()
    for option in OPTIONS:
        assert getattr(empty, option.key) == option.default, option.key
    assert {option.key for option in OPTIONS} == {field.name for field in fields(Settings)}


@pytest.mark.parametrize(
    ("cli", "ini", "table", "expected"),
    [
        ({"seed": "1"}, {"seed": "2"}, {"seed": 3}, 1),
        ({"seed": None}, {"seed": "2"}, {"seed": 3}, 2),
        ({}, {"seed": None}, {"seed": 3}, 3),
        ({}, {}, {}, 0),
    ],
)
def test_command_line_beats_ini_beats_table(cli, ini, table, expected):
    assert build(cli, ini, table).seed == expected


def test_keys_of_the_table_may_have_dashes():
    assert build({}, {}, {"top-p": 0.5, "max_new_tokens": 7}) == Settings(top_p=0.5, max_new_tokens=7)


@given(st.sampled_from(sorted(BY_ID)), st.floats(-1, 1))
def test_a_threshold_for_a_group_beats_one_for_the_measure(measure, value):
    both = {measure: 0.5, f"{measure}/g": value}
    settings = Settings(threshold=both)
    assert settings.threshold_for(measure, "g") == value
    assert settings.threshold_for(measure, "h") == 0.5


def test_without_a_setting_the_registry_decides():
    for measure in REGISTRY:
        assert Settings().threshold_for(measure.id, measure.groups[0]) == measure.threshold


@pytest.mark.parametrize(
    ("cli", "told"),
    [
        ({"seed": "x"}, "--rootfruit-seed: 'x' is not a whole number"),
        ({"seed": "-1"}, "--rootfruit-seed: -1 is outside"),
        ({"alpha": "0"}, "--rootfruit-alpha: '0' is outside (0, 0.5)"),
        ({"alpha": "nan"}, "--rootfruit-alpha"),
        ({"beta": "0"}, "--rootfruit-beta"),
        ({"top_p": "1.5"}, "--rootfruit-top-p"),
        ({"scale": "tiny"}, "--rootfruit-scale: 'tiny' is not one of smoke, ci, paper, full"),
        ({"benchmarks": "winoquer"}, "--rootfruit-benchmarks: 'winoquer' is not a benchmark"),
        ({"benchmarks": ","}, "--rootfruit-benchmarks: names no benchmark"),
        ({"threshold": ["winoqueer/preferense=1"]}, "did you mean 'winoqueer/preference'"),
        ({"threshold": ["winoqueer/preference"]}, "is not a number"),
        ({"threshold": ["winoqueer/preference=5"]}, "outside [-1, 1]"),
        ({"gate": ["winoqueer/preference"]}, "is not a check (benchmark/metric/group)"),
        ({"gate": ["winoqueer/preservation/nb"]}, "has no threshold"),
        ({"gate": ["disclosure/disparity/agender"], "benchmarks": "winoqueer"}, "benchmark that is not run"),
        ({"regard": "hub:sasha/regardv3"}, "pin the revision"),
        ({"regard": "maxi"}, "--rootfruit-regard"),
        ({"engine": "ray"}, "not built in this version"),
        ({"absolute_only": True, "reference": "x", "model": "y"}, "contradict each other"),
        ({"reference": "x"}, "without --model"),
        ({"store": " "}, "--rootfruit-store: is empty"),
    ],
)
def test_a_wrong_value_names_its_option(cli, told):
    with pytest.raises(ConfigError) as caught:
        build(cli)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_key_of_the_table_is_an_error_with_a_guess():
    with pytest.raises(ConfigError, match="unknown key; did you mean 'threshold'"):
        build({}, {}, {"treshold": {}})


def test_the_record_leaves_out_where_results_go():
    here, there = Settings(store="a", json="x.json"), Settings(store="b", json=None)
    assert here.explain() == there.explain()
