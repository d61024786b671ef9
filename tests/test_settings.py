"""Three sources become one Settings; what cannot be read is refused by name."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st
from registered import BUILT_IN, REGISTRY

from rootfruit_checks.base.errors import ConfigError
from rootfruit_checks.catalog.registry import MEASURES
from rootfruit_checks.config.build import build, check_ini_keys
from rootfruit_checks.config.options import OPTIONS
from rootfruit_checks.config.settings import Settings


def test_defaults_of_options_and_settings_are_the_same():
    empty = Settings()
    for option in OPTIONS:
        default = BUILT_IN if option.key == "benchmarks" else option.default
        assert getattr(empty, option.key) == default, option.key
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


@given(st.sampled_from(sorted(MEASURES)), st.floats(-1, 1))
def test_a_limit_for_a_group_beats_one_for_the_measure(measure, value):
    both = {measure: 0.5, f"{measure}/g": value}
    settings = Settings(limit=both)
    assert settings.limit_for(measure, "g") == value
    assert settings.limit_for(measure, "h") == 0.5


def test_without_a_setting_the_registry_decides():
    for measure in REGISTRY:
        assert Settings().limit_for(measure.id, measure.groups[0]) == measure.limit


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
        ({"limit": ["winoqueer/preferense=1"]}, "did you mean 'winoqueer/preference'"),
        ({"limit": ["winoqueer/preference"]}, "is not a number"),
        ({"limit": ["winoqueer/preference=5"]}, "outside [0, 1)"),
        ({"limit": ["winoqueer/preference=1"]}, "outside [0, 1)"),
        ({"limit": ["winoqueer/amplification=-1.5"]}, "outside [-1, 1)"),
        ({"limit": ["winoqueer/preservation=0.5"]}, "described and never gated"),
        ({"gate": ["winoqueer/preference"]}, "is not a check (benchmark/metric/group)"),
        ({"gate": ["winoqueer/preservation/nonbinary"]}, "described and never gated"),
        ({"gate": ["disclosure/amplification/agender"], "absolute_only": True}, "needs a reference"),
        ({"device": "banana"}, "--rootfruit-device: 'banana' is not one of auto, cpu, cuda, cuda:N"),
        ({"gate": ["disclosure/disparity/agender"], "benchmarks": "winoqueer"}, "benchmark that is not selected"),
        ({"regard": "hub:sasha/regardv3"}, "pin the revision"),
        ({"regard": "maxi"}, "--rootfruit-regard"),
        ({"engine": "hf", "tensor_parallel": "2"}, "--rootfruit-tensor-parallel: is for vLLM"),
        ({"quantization": "fp8"}, "must come from one set of weights"),
        ({"gpu_memory": "1.5"}, "--rootfruit-gpu-memory"),
        ({"workers": "3"}, "--rootfruit-workers is for --rootfruit-engine=ray"),
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


def test_lists_may_be_written_with_commas_wherever_they_stand():
    named = ("winoqueer", "disclosure")
    assert build({}, {"benchmarks": ["winoqueer,disclosure"]}).benchmarks == named
    assert build({}, {}, {"benchmarks": ["disclosure", "winoqueer"]}).benchmarks == named
    two = build({"limit": ["winoqueer/preference=0.5,winoqueer/amplification=-0.1"]}).limit
    assert two == {"winoqueer/preference": 0.5, "winoqueer/amplification": -0.1}


def test_one_more_limit_or_gate_drops_none_of_the_projects():
    table = {"limit": {"winoqueer/preference": 0.6, "disclosure/disparity": 0.1}}
    ini = {"gate": ["winoqueer/preference/bisexual"]}
    cli = {"limit": ["winoqueer/preference=0.7"], "gate": ["winoqueer/preference/gay"]}
    settings = build(cli, ini, table)
    assert settings.limit == {"winoqueer/preference": 0.7, "disclosure/disparity": 0.1}
    assert settings.gate == ("winoqueer/preference/bisexual", "winoqueer/preference/gay")


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"top-p": 0.5, "top_p": 0.6}, "is given twice"),
        ({"model": ["a"]}, "model: ['a'] is not a text"),
        ({"store": True}, "store: True is not a text"),
        ({"benchmarks": []}, "names no benchmark"),
        ({"allow_same": "perhaps"}, "neither true nor false"),
    ],
)
def test_a_wrong_type_in_the_table_is_refused(table, told):
    with pytest.raises(ConfigError, match=r"tool\.rootfruit") as caught:
        build({}, {}, table)
    assert told in str(caught.value)


def test_an_ini_key_that_begins_like_ours_is_ours_or_an_error():
    check_ini_keys(["rootfruit_seed", "rootfruit_model", "testpaths"])
    with pytest.raises(ConfigError, match="ini key rootfruit_sede: unknown key; did you mean 'rootfruit_seed'"):
        check_ini_keys(["rootfruit_sede"])


# One value of each option that is not its default.
OTHER = {
    "chat": "never",
    "chat_system": "be kind",
    "stop": "<|im_end|>",
    "chat_instruction": "go on: {prompt}",
    "model": "m", "reference": "r", "engine": "hf", "dtype": "bfloat16", "device": "cuda:1", "batch_size": "3",
    "block_tokens": "64", "tensor_parallel": "2", "quantization": "fp8", "max_model_len": "512", "gpu_memory": "0.5",
    "benchmarks": "disclosure,winoqueer", "extensions": "off", "data": "official", "scale": "paper", "store": "s",
    "baseline": "b.parquet", "save_baseline": "n.parquet", "chat_scores": "true",
    "redact": "all",
    "report": "r.html", "json": "j", "seed": "9", "beta": "0.5", "alpha": "0.01", "temperature": "0", "top_p": "0.5",
    "max_new_tokens": "7", "continuations": "2", "regard": "local:x", "narratives": "lexicon",
    "limit": "winoqueer/preference=0.5",
    "decision": "point", "correction": "holm",
    "gate": "winoqueer/preference/gay", "inconclusive": "warn", "max_unscored": "0.1", "absolute_only": "true",
    "sequential": "true",
    "shard": "3/8", "stored_only": "true", "allow_same": "true", "allow_pickle": "true", "trust_remote_code": "true",
    "concurrency": "4", "timeout": "3", "server_seed": "never", "server_bos": "<s>",
    "ray_address": "10.0.0.1:6379", "workers": "3",
    "names": "25", "target_mde": "0.04", "plan_from": "p", "plan_json": "q", "plan_probe": "never",
}  # fmt: skip


@pytest.mark.parametrize("option", [one for one in OPTIONS if one.key != "plan"], ids=lambda option: option.key)
def test_every_option_means_the_same_from_all_three_sources(option):
    # What another option needs comes along: a reference its policy, vLLM's quantization vLLM.
    ray = {"engine": "ray"}
    needs = {
        "reference": {"model": "m"}, "quantization": {"engine": "vllm"}, "workers": ray, "ray_address": ray,
        "plan_from": {"target_mde": "0.04"}, "plan_json": {"plan": True},
    }.get(option.key, {})  # fmt: skip
    raw = OTHER[option.key]
    from_cli = build({**needs, option.key: raw})
    assert getattr(from_cli, option.key) != option.default
    assert build(needs, {option.key: raw}) == from_cli
    assert build(needs, {}, {option.key.replace("_", "-"): raw}) == from_cli


def test_a_plan_is_asked_for_on_the_command_line_alone():
    # Were it configured, every gate would end well without a verdict.
    assert build({"plan": True}).plan
    for source in ({"ini": {"plan": "true"}}, {"table": {"plan": True}}):
        with pytest.raises(ConfigError, match="no gate would ever run"):
            build({}, **source)


@pytest.mark.parametrize(
    ("cli", "told"),
    [
        ({"plan_from": "x.json"}, "is for --rootfruit-plan and"),
        ({"plan_json": "x.json"}, "is for --rootfruit-plan;"),
        ({"target_mde": "0.02", "scale": "smoke"}, "smoke is only for trying"),
        ({"target_mde": "0.02", "absolute_only": True}, "gates none"),
        *(({"target_mde": raw}, "target-mde") for raw in ("0", "-0.02", "nan", "1", "inf", "2 points")),
        *(({"names": raw}, "names") for raw in ("0", "9", "-3", "many")),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(cli, told):
    with pytest.raises(ConfigError, match=told):
        build(cli)


def test_an_unknown_key_of_the_table_is_an_error_with_a_guess():
    with pytest.raises(ConfigError, match="unknown key; did you mean 'limit'"):
        build({}, {}, {"limt": {}})


def test_the_record_leaves_out_where_results_go_and_who_computes():
    here, there = Settings(store="a", json="x.json"), Settings(store="b", json=None, shard=(1, 2))
    assert here.explain() == there.explain()
