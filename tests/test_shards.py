"""Shares of a run, joined, are the run: figure for figure. What does not belong together is not joined."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st
from stored import writes

from rootfruit_checks.app.cli import main
from rootfruit_checks.app.pytest.collector import Results
from rootfruit_checks.base.errors import ConfigError, EngineError, StoreError
from rootfruit_checks.config.build import build
from rootfruit_checks.config.settings import Settings
from rootfruit_checks.engines.hf import engine
from rootfruit_checks.engines.scripted import ScriptedEngine
from rootfruit_checks.engines.stored_units import Silent
from rootfruit_checks.engines.work_units import Unit, Work, compute, share_out
from rootfruit_checks.gating.checks import family
from rootfruit_checks.results.json_result import as_json
from rootfruit_checks.results.result import to_json
from rootfruit_checks.runs import merge, shard_manifest
from rootfruit_checks.runs.measure import compute_share, measure
from rootfruit_checks.store.lock import locked
from rootfruit_checks.store.store import Store
from rootfruit_checks.testing import Doubles

ROOT = Path(__file__).resolve().parents[1]
MODELS = ROOT / "fixtures" / "models"
TEMPLATE = ROOT / "ci" / "templates" / "github-actions-shards.yml"

# -- shares ------------------------------------------------------------------------------------------------------------

costs = st.lists(st.integers(0, 500), max_size=60)


def units_of(costs):
    return [Unit(f"unit {place}", cost, place) for place, cost in enumerate(costs)]


@given(costs, st.integers(1, 12), st.randoms())
def test_shares_are_disjoint_complete_stable_and_balanced(costs, count, random):
    units = units_of(costs)
    shares = [share_out(units, index, count) for index in range(1, count + 1)]
    together = [unit.key for share in shares for unit in share]
    assert sorted(together) == sorted(unit.key for unit in units)
    shuffled = random.sample(units, len(units))
    for index, share in enumerate(shares, 1):
        assert [unit.task for unit in share] == sorted(unit.task for unit in share), "the order of the plan"
        assert {unit.key for unit in share_out(shuffled, index, count)} == {unit.key for unit in share}
    loads = [sum(unit.cost for unit in share) for share in shares]
    assert max(loads) - min(loads) <= max(costs, default=0)


@given(st.lists(costs, min_size=1, max_size=6), st.integers(1, 12))
def test_remainders_of_stages_do_not_pile_up(stages, count):
    total = [0] * count
    told = [[0] * count for _ in range(count)]
    for stage in stages:
        units = units_of(stage)
        for index in range(count):
            total[index] += sum(unit.cost for unit in share_out(units, index + 1, count, told[index]))
    assert all(loads == total for loads in told), "every share knows the others' loads"
    assert max(total) - min(total) <= max((cost for stage in stages for cost in stage), default=0)


class Kept:
    def __init__(self, **held):
        self.held, self.begun = held, []

    def begin(self, what, total):
        self.begun.append((what, total))

    def get(self, key):
        return self.held.get(key)

    def put(self, key, value):
        self.held[key] = value


def test_a_share_is_computed_and_what_is_there_is_not():
    asked = []

    def work(given) -> Iterator[tuple[str, bytes]]:
        for unit in reversed(given):
            asked.append(unit.key)
            yield unit.key, b"new"

    units = units_of([1, 2, 3, 4])
    kept = Kept(**{"unit 1": b"old"})
    compute(Work("score", units, work, lambda held: []), units[:3], kept)
    assert asked == ["unit 2", "unit 0"]
    assert kept.held == {"unit 0": b"new", "unit 1": b"old", "unit 2": b"new"}
    assert kept.begun == [("score", 3)]


def test_units_that_an_engine_leaves_undone_are_an_error():
    units = units_of([1, 2])
    with pytest.raises(EngineError, match="left 1 of 2 units of score undone"):
        compute(Work("score", units, lambda given: [(given[0].key, b"x")], lambda held: []), units, Kept())


# -- runs --------------------------------------------------------------------------------------------------------------


def figures(settings):
    """The JSON result as text, of every declared check and every exploratory estimate, and the run that made it."""
    done, results = measure(settings), Results(settings)
    verdicts = [done.verdict(check) for check in family(settings)]
    verdicts += [verdict for name in settings.benchmarks for verdict in done.explore(name)]
    held = {"rows": [as_json(verdict) for verdict in verdicts], "run": as_json(done.info), "share": None}
    results.pytest_runtest_logreport(SimpleNamespace(rootfruit=held))
    return to_json(results.value()), done


@pytest.fixture(scope="module")
def eight(tmp_path_factory):
    """The tiny models' eight shards, and the options of their run."""
    where = tmp_path_factory.mktemp("eight")
    options = {"model": str(MODELS / "sft_dpo"), "reference": str(MODELS / "sft"), "scale": "smoke"}
    options |= {
        "block_tokens": "128",
        "batch_size": "32",
        "max_new_tokens": "12",
        "limit": "winoqueer/preference=0.123456789012",
    }
    stores = [where / f"shard-{index}" for index in range(1, 9)]
    shares = [
        compute_share(build({**options, "store": str(store), "shard": f"{index}/8"}))
        for index, store in enumerate(stores, 1)
    ]
    return SimpleNamespace(options=options, stores=stores, shares=shares)


def test_eight_shards_merged_are_the_unsharded_run(eight, tmp_path, monkeypatch):
    whole, undivided = figures(build({**eight.options, "store": str(tmp_path / "whole")}))
    # In another order than that of the shards.
    merge.join(eight.stores[3:] + eight.stores[:3], tmp_path / "merged")
    monkeypatch.setattr(engine, "load_model", lambda *a: pytest.fail("weights were loaded"))
    merged, reading = figures(build({**eight.options, "store": str(tmp_path / "merged")}))
    assert merged == whole
    assert json.loads(merged)["complete"] is True
    assert (reading.computed, reading.reused) == (0, undivided.computed)
    with Store(tmp_path / "merged") as store:
        assert set(writes(store).values()) == {1}


def test_each_of_eight_shards_computes_about_an_eighth(eight):
    told = [share.told() for share in eight.shares]
    assert [(each["index"], each["count"]) for each in told] == [(index, 8) for index in range(1, 9)]
    assert all(each["complete"] and not each["found"] for each in told)
    computed = [each["computed"] for each in told]
    assert max(computed) <= 2 * min(computed)


def test_a_finished_shard_computes_nothing_again(eight, monkeypatch):
    monkeypatch.setattr(engine, "load_model", lambda *a: pytest.fail("weights were loaded"))
    again = compute_share(build({**eight.options, "store": str(eight.stores[2]), "shard": "3/8"}))
    assert (again.computed, again.reused, again.complete) == (0, eight.shares[2].computed, True)


@pytest.mark.parametrize(
    "given",
    [
        {"model": "m"},
        {"model": "a=b c", "reference": "--r", "seed": str(2**63 - 1), "alpha": "0.0123456789012345"},
        {"limit": "winoqueer/preference=0.123456789012,disclosure/disparity=-1e-07", "benchmarks": "disclosure"},
        {"model": "m", "gate": "winoqueer/preference/gay,winoqueer/preference/asexual", "absolute_only": "true"},
        {"allow_same": "true", "trust_remote_code": "yes", "regard": "local:some where", "data": "./a, b"},
    ],
)
def test_the_settings_of_a_manifest_come_back_as_options(given):
    settings = build({**given, "store": "s", "json": "j", "shard": "1/2"})
    options = json.loads(json.dumps(shard_manifest.options(settings)))
    back: dict[str, list[str]] = {}
    for argument in shard_manifest.arguments(options):
        flag, is_there, value = argument.partition("=")
        back.setdefault(flag.removeprefix("--rootfruit-").replace("-", "_"), []).append(value if is_there else "true")
    assert all(len(values) == 1 for key, values in back.items() if key != "limit")
    told = {key: values if key == "limit" else values[0] for key, values in back.items()}
    assert build(told) == dataclasses.replace(settings, store=".rootfruit", json=None, shard=None)


# -- refusals, on a scripted model -------------------------------------------------------------------------------------


def open_scripted(name):
    def word_logprob(word, place, words):
        return -2.0 - (len(word) % 3) * 0.1 - (len(name) % 5) * 0.01 * (place % 2)

    return ScriptedEngine(name, word_logprob, lambda prompt, draw: f"{name} said so.", batch=40)


SCRIPTED = Doubles(open_scripted)


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    where = tmp_path_factory.mktemp("three")
    for index in (1, 2, 3):
        shard(where / f"shard-{index}", index)
    return where


@pytest.fixture
def stores(tmp_path, originals):
    """The stores of three shards, one's own copy."""
    return [Path(shutil.copytree(originals / name, tmp_path / name)) for name in ("shard-1", "shard-2", "shard-3")]


OPTIONS = {"model": "policy", "reference": "reference", "scale": "smoke", "benchmarks": "winoqueer,misgendering"}


def shard(store, index, count=3, **options):
    settings = {**OPTIONS, "store": str(store), "shard": f"{index}/{count}", **options}
    return compute_share(build(settings), factory=SCRIPTED)


def of_another(**options):
    def prepare(where, stores):
        shutil.rmtree(stores[1])
        shard(stores[1], 2, **options)

    return prepare


def of_a_limit_that_reads_the_same(where, stores):
    for index, store in enumerate(stores, 1):
        shutil.rmtree(store)
        more = "4" if index == 2 else "3"
        shard(store, index, limit=f"winoqueer/preference=0.123456{more}", benchmarks="winoqueer")


def of_other_data(where, stores):
    rows = [f"{n},Kim,ante_nongendered,they,Kim said {n} of them were here.\n" for n in range(3)]
    (where / "data").mkdir()
    file = where / "data" / "misgendering_prompts.csv"
    for index, store in enumerate(stores, 1):
        shutil.rmtree(store)
        head = "template_idx,ante,ante_type,pronoun_family,template\n"
        file.write_text(head + "".join(rows) + ("3,Kim,ante_nongendered,he,Kim left.\n" if index == 2 else ""))
        shard(store, index, data=str(file.parent), benchmarks="misgendering", scale="full")


def of_another_version(where, stores):
    with Store(stores[1]) as store:
        held = shard_manifest.read(store)
        held.facts["version of rootfruit-checks"] = "0.0.9"
        store.put("shards", "manifest", store.get("shards", "manifest").replace(b'"0.1.0"', b'"0.0.9"'))


def missing(where, stores):
    del stores[1]


def cut_off(where, stores):
    shutil.rmtree(stores[1])
    with pytest.raises(KeyboardInterrupt):
        compute_share(build({**OPTIONS, "store": str(stores[1]), "shard": "2/3"}), Interrupts(), factory=SCRIPTED)


class Interrupts(Silent):
    """Progress that is interrupted at the third unit of the reference."""

    def __init__(self, act=None):
        self.what, self.steps, self.act = "", 0, act

    def start(self, what, total):
        self.what, self.steps = what, 0

    def step(self):
        self.steps += 1
        if "reference" in self.what and self.steps == 2:
            if self.act:
                self.act()
            raise KeyboardInterrupt


def an_empty_directory(where, stores):
    shutil.rmtree(stores[1])
    stores[1].mkdir()


def no_directory(where, stores):
    shutil.rmtree(stores[1])


def no_database(where, stores):
    (stores[1] / "units.sqlite").write_bytes(b"nothing of the kind" * 300)


def not_a_shard(where, stores):
    shutil.rmtree(stores[1])
    measure(build({**OPTIONS, "store": str(stores[1])}), factory=SCRIPTED)


def an_unreadable_manifest(where, stores):
    with Store(stores[1]) as store:
        store.put("shards", "manifest", b"[]")


def namespace_of(store, role="policy"):
    return shard_manifest.read(store).prints[role]


def another_answer(where, stores):
    with Store(stores[0]) as first, Store(stores[1]) as second:
        ours = namespace_of(first)
        key, value = next(first.units_of(ours))
        second.put(ours, key, value + b" ")


def damaged(where, stores):
    with Store(stores[1]) as store:
        ours = namespace_of(store)
    with sqlite3.connect(stores[1] / "units.sqlite") as db:
        db.execute("UPDATE units SET value = x'00' WHERE namespace = ?", (ours,))


def another_plan(where, stores):
    with Store(stores[1]) as store:
        value = json.loads(store.get("shards", "manifest"))
        value["shares"]["2"]["stages"]["policy winoqueer score"][1] += 1
        store.put("shards", "manifest", json.dumps(value).encode())


REFUSED = {
    "model": (of_another(model="other"), r"shard-2: .* its policy's fingerprint is \w{12}, but in \S*shard-1 it is \w"),
    "reference": (
        of_another(reference="other"),
        r"shard-2: .* its reference's fingerprint is \w{12}, but in \S*shard-1",
    ),
    "seed": (of_another(seed="7"), r"shard-2: .* its setting seed is 7, but in \S*shard-1 it is 0"),
    "limit": (
        of_another(limit="winoqueer/preference=0.5"),
        r"shard-2: .* its setting limit is winoqueer/preference=0.5, but in \S*shard-1 it is defaults",
    ),
    "rounded": (
        of_a_limit_that_reads_the_same,
        r"shard-2: .* its option limit is .*0\.1234564.* it is .*234563",
    ),
    "data": (
        of_other_data,
        r"shard-2: .* its data of misgendering is .* sha256 \w{12}, but in \S*shard-1 it is .*\w{12}",
    ),
    "benchmarks": (of_another(benchmarks="winoqueer"), r"shard-2: .* its setting benchmarks is winoqueer, but in"),
    "count": (of_another(count=4), r"shard-2: .* its number of shards is 4, but in \S*shard-1 it is 3"),
    "version": (
        of_another_version,
        r"shard-2: .* its version of rootfruit-checks is 0\.0\.9, but in \S*shard-1 it is 0\.",
    ),
    "missing": (missing, r"1 of 3 shards are missing: 2/3; give"),
    "incomplete": (
        cut_off,
        r"shard-2: shard 2/3 is not complete \(cut off in reference winoqueer score\); run it again",
    ),
    "empty": (an_empty_directory, r"shard-2: contains no result store; give"),
    "no directory": (no_directory, r"shard-2: no such directory; give"),
    "no database": (no_database, r"shard-2/units.sqlite: is not a readable result store"),
    "no shard": (not_a_shard, r"shard-2: is not the store of a shard; create one with --rootfruit-shard=I/N"),
    "manifest": (an_unreadable_manifest, r"shard-2: the note of its shard run: \$: expected an object, got a list"),
    "answer": (another_answer, r"shard-2: policy's unit \w{12} has the value \w{12}, but in \S*shard-1 it is \w{12}"),
    "damaged": (damaged, r"shard-2/units.sqlite: unit \w+ is damaged"),
    "plan": (
        another_plan,
        r"shard-2: is a shard of another plan: its policy winoqueer score has \d+ units, but in \S*shard-1",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_belong_together_is_refused_in_one_line(tmp_path, stores, capsys, monkeypatch, case):
    prepare, told = REFUSED[case]
    prepare(tmp_path, stores)
    monkeypatch.setattr(merge, "gate", lambda *a: pytest.fail("it was gated"))
    before = sorted(tmp_path.iterdir())
    capsys.readouterr()
    assert main.main(["merge", *map(str, stores), "--into", str(tmp_path / "merged")]) == 1
    out, err = capsys.readouterr()
    assert re.search(told, err), err
    assert len(err.splitlines()) == 1
    assert not out
    assert sorted(tmp_path.iterdir()) == before, "something is left"


def test_a_store_that_is_there_is_not_overwritten(tmp_path, stores):
    with pytest.raises(StoreError, match="already exists"):
        merge.join(stores, stores[0])
    (tmp_path / "empty").mkdir()
    merge.join(stores, tmp_path / "empty")
    with pytest.raises(StoreError, match="already exists"):
        merge.join(stores, tmp_path / "empty")


def test_the_same_shard_twice_is_harmless_where_it_says_the_same(tmp_path, stores):
    shutil.copytree(stores[1], tmp_path / "copy")
    once = merge.join(stores, tmp_path / "once")
    twice = merge.join([*stores, tmp_path / "copy", stores[0]], tmp_path / "twice")
    assert (twice.units, twice.notes) == (once.units, ())


def test_shards_that_share_a_store_are_all_there(tmp_path):
    for index in (1, 2, 3):
        shard(tmp_path / "one", index)
    merge.join([tmp_path / "one"], tmp_path / "merged")
    # Another run in the same store is what the store then is of.
    shard(tmp_path / "one", 1, seed="5")
    with pytest.raises(StoreError, match="2 of 3 shards are missing: 2/3, 3/3"):
        merge.join([tmp_path / "one"], tmp_path / "again")


def test_of_vllms_answers_that_differ_the_first_is_kept_and_it_is_said(tmp_path, stores):
    another_answer(tmp_path, stores)
    for place in stores:
        with Store(place) as store:
            raw = store.get("shards", "manifest")
            store.put("shards", "manifest", raw.replace(b'"scripted"', b'"vllm 0.32.0"'))
    joined = merge.join(stores, tmp_path / "merged")
    assert len(joined.notes) == 1
    assert "shard-2: 1 units of policy were also computed by another shard, with different values" in joined.notes[0]
    with Store(stores[0]) as first, Store(tmp_path / "merged") as merged:
        assert dict(first.units_of(namespace_of(first))).items() <= dict(merged.units_of(namespace_of(first))).items()


def test_other_seeds_that_were_tried_are_remembered(tmp_path, stores):
    shutil.rmtree(stores[1])
    shard(stores[1], 2, seed="7")
    shard(stores[1], 2)
    merge.join(stores, tmp_path / "merged")
    done = measure(build({**OPTIONS, "store": str(tmp_path / "merged"), "stored_only": True}), factory=SCRIPTED)
    assert "2 seeds (0, 7)" in done.info.notes[0]


def test_what_the_joined_store_lacks_is_an_error_and_not_computed(tmp_path, stores):
    merge.join(stores, tmp_path / "merged")
    settings = {**OPTIONS, "store": str(tmp_path / "merged"), "stored_only": True}
    measure(build(settings), factory=SCRIPTED)
    with pytest.raises(StoreError, match=r"lacks answers of policy winoqueer score .* --rootfruit-stored-only"):
        measure(build({**settings, "seed": "7"}), factory=SCRIPTED)


def test_a_shard_without_its_reference_says_so_before_the_work(tmp_path):
    with pytest.raises(ConfigError, match="add --reference=PATH"):
        compute_share(Settings(model="policy", store=str(tmp_path), shard=(1, 2)), factory=SCRIPTED)
    assert not list(tmp_path.iterdir())


def test_a_shard_that_is_killed_goes_on_and_is_marked_incomplete_until_then(tmp_path):
    store = tmp_path / "shard-2"
    child = os.fork()
    if child == 0:
        kill = Interrupts(lambda: os.kill(os.getpid(), signal.SIGKILL))
        compute_share(build({**OPTIONS, "store": str(store), "shard": "2/3"}), kill, factory=SCRIPTED)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    with Store(store) as held:
        share = shard_manifest.read(held).shares[2]
    assert not share.complete
    assert share.stages["policy winoqueer score"][2] == share.stages["policy winoqueer score"][0] > 0
    assert share.stages["reference winoqueer score"][2] == 0
    resumed, alone = shard(store, 2), shard(tmp_path / "alone", 2)
    assert resumed.complete
    assert resumed.computed + resumed.reused == alone.computed
    assert 0 < resumed.reused < alone.computed


# -- the lock ----------------------------------------------------------------------------------------------------------


def test_waiting_for_a_locked_store_is_said_and_ends(tmp_path, capfd):
    path, entered = tmp_path / "lock", threading.Event()

    def wait():
        with locked(path, first_word_s=0.05):
            entered.set()

    other = FileLock(path, thread_local=False)
    with other:
        (tmp_path / "lock.holder").write_text("process 12 on \x1b[31mnode7")
        thread = threading.Thread(target=wait)
        thread.start()
        while "waiting" not in (told := capfd.readouterr().err):
            assert thread.is_alive()
        assert not entered.is_set()
    thread.join(30)
    assert entered.is_set()
    assert f"rootfruit: {tmp_path}: waiting for process 12 on \ufffd[31mnode7, which is computing there" in told
    assert not (tmp_path / "lock.holder").exists()


def test_who_holds_the_lock_stands_beside_it(tmp_path, capfd):
    with locked(tmp_path / "lock"):
        assert f"process {os.getpid()} on " in (tmp_path / "lock.holder").read_text()
    assert not capfd.readouterr().err


# -- from outside ------------------------------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path):
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "suite").symlink_to(ROOT / "bias_tests")
    return tmp_path


def shell(where, command, **variables):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "COLUMNS": "200", **variables}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    return subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, check=False, cwd=where, env=environment
    )


def commands(job):
    """The template's own commands, on the suite of this checkout and at the smallest scale."""
    steps = yaml.safe_load(TEMPLATE.read_text())["jobs"][job]["steps"]
    found = [step["run"] for step in steps if "run" in step and not step["run"].startswith("pip ")]
    return [line.replace("--pyargs rootfruit_checks.bias_tests", "suite -p no:cacheprovider -q") for line in found]


def test_the_workflow_to_copy_computes_joins_and_gates(project):
    """Two shards, one of them under two workers; the JSON result is byte for byte that of an unsharded run."""
    small = "--rootfruit-scale=smoke --rootfruit-benchmarks=winoqueer"
    names = {"POLICY": str(MODELS / "sft_dpo"), "REFERENCE": str(MODELS / "sft"), "SHARDS": "2"}
    (share,) = commands("share")
    (gate,) = commands("gate")
    for index, more in (("1", "-n 2 --rootfruit-json=share.json"), ("2", "")):
        done = shell(project, f"{share.strip()} {small} -rs {more}", SHARD=index, **names)
        assert done.returncode == 0, done.stdout + done.stderr
        counted = re.search(
            rf"^shard {index}/2: (\d+) units computed, 0 already stored; no gate$", done.stdout, re.MULTILINE
        )
        assert counted, done.stdout
        with Store(project / f"shard-{index}") as store:
            written = [count for (space, _), count in writes(store).items() if space != "shards"]
        assert written == [1] * int(counted[1]), "computed once, by one process"
        assert "skipped" in done.stdout.splitlines()[-1]
        assert "passed" not in done.stdout
        assert f"shard {index}/2 computes and gates nothing" in done.stdout
    value = json.loads((project / "share.json").read_text())
    assert (value["complete"], value["released"], value["checks"]) == (False, False, [])
    assert value["shard"] == {
        "index": 1,
        "count": 2,
        "complete": True,
        "computed": value["shard"]["computed"],
        "found": 0,
    }
    (project / "shards").mkdir()
    for index in (1, 2):
        (project / f"shard-{index}").rename(project / "shards" / f"shard-{index}")
    merged = shell(project, gate)
    whole = shell(
        project,
        f'pytest suite -p no:cacheprovider --model="$POLICY" --reference="$REFERENCE" {small} '
        "--rootfruit-json=whole.json",
        **names,
    )
    assert merged.returncode == whole.returncode == 1, merged.stdout + merged.stderr
    assert (project / "rootfruit.json").read_bytes() == (project / "whole.json").read_bytes()
    assert json.loads((project / "whole.json").read_text())["complete"] is True
    assert (project / "report.html").is_file()


def test_the_workflow_brings_no_input_into_a_command():
    text = TEMPLATE.read_text()
    for job in yaml.safe_load(text)["jobs"].values():
        assert not [step for step in job["steps"] if "${{" in step.get("run", "")]
    pinned = dict(re.findall(r"uses: (\S+)@(\S+)", (TEMPLATE.parent / "github-actions.yml").read_text()))
    used = dict(re.findall(r"uses: (\S+)@(\S+)", text))
    assert {name: version for name, version in used.items() if name in pinned}.items() <= pinned.items()
    assert all(re.fullmatch(r"v\d+", version) for version in used.values())


def gate_of(project, *options):
    done = shell(project, "pytest suite -p no:cacheprovider -q " + " ".join(options))
    return done.returncode, done.stdout + done.stderr


def test_a_share_that_is_not_complete_does_not_end_well(project):
    weights = Path(shutil.copytree(MODELS / "base", project / "damaged")) / "model.safetensors"
    raw = bytearray(weights.read_bytes())
    raw[-4:] = b"\x00\x00\xc0\x7f"  # a NaN in float32: found only when the weights are loaded
    weights.write_bytes(bytes(raw))
    pair = (f"--model={MODELS / 'sft'}", "--reference=damaged", "--rootfruit-shard=1/2", "--rootfruit-scale=smoke")
    status, told = gate_of(project, *pair, "--rootfruit-json=r.json")
    assert status == 1
    assert "values that are not finite" in told
    assert "shard 1/2: is not complete" in told
    value = json.loads((project / "r.json").read_text())
    assert (value["complete"], value["released"], value["shard"]["complete"]) == (False, False, False)


def test_a_shard_of_which_no_test_asks_does_not_end_well_either(project):
    (project / "suite").unlink()
    (project / "suite").mkdir()
    (project / "suite" / "test_x.py").write_text("def test_x():\n    pass\n")
    pair = (f"--model={MODELS / 'sft'}", f"--reference={MODELS / 'base'}")
    status, told = gate_of(project, *pair, "--rootfruit-shard=1/2")
    assert status == 1
    assert "shard 1/2: is not complete" in told
    assert gate_of(project, *pair, "--rootfruit-shard=1/2", "--collect-only")[0] == 0


def test_where_pytest_finds_no_test_merge_says_what_to_write(tmp_path, stores, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    models = [f"--rootfruit-model={MODELS / 'sft'}", f"--rootfruit-reference={MODELS / 'base'}"]
    assert main.main(["merge", *map(str, stores), "--into", "merged", "--", "-p", "no:cacheprovider", *models]) == 5
    assert "rootfruit merge ... -- --pyargs rootfruit_checks.bias_tests" in capfd.readouterr().err
