"""The store keeps what it was given, across kills, and says so when it cannot."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import time

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stored import writes

from rootfruit_checks.app.cli.main import main
from rootfruit_checks.base import untrusted
from rootfruit_checks.base.errors import StoreError
from rootfruit_checks.base.types import Measurement, PairMeasurement
from rootfruit_checks.observations.frame import to_frame
from rootfruit_checks.observations.stored_frames import load_frame
from rootfruit_checks.store.store import Store, address


def test_what_is_put_is_got_and_survives_reopening(tmp_path):
    with Store(tmp_path / "s") as store:
        assert store.get("n", "k") is None
        store.put("n", "k", b"\x00value")
    with Store(tmp_path / "s") as store:
        assert store.get("n", "k") == b"\x00value"
        assert store.get("other", "k") is None
        assert writes(store) == {("n", "k"): 1}


def test_a_unit_written_twice_is_counted(tmp_path):
    with Store(tmp_path) as store:
        store.put("n", "k", b"1")
        store.put("n", "k", b"1")
        assert writes(store) == {("n", "k"): 2}


def test_a_damaged_value_is_an_error_not_an_answer(tmp_path):
    with Store(tmp_path) as store:
        store.put("n", "k", b"good")
        path = store.database
    with sqlite3.connect(path) as db:
        db.execute("UPDATE units SET value = x'00'")
    with Store(tmp_path) as store, pytest.raises(StoreError, match="damaged"):
        store.get("n", "k")


def test_a_file_that_is_no_database_is_an_error(tmp_path):
    (tmp_path / "units.sqlite").write_bytes(b"this is not a database, not even nearly" * 50)
    with pytest.raises(StoreError, match="not a readable result store"):
        Store(tmp_path)


def test_another_schema_is_refused(tmp_path):
    Store(tmp_path).close()
    with sqlite3.connect(tmp_path / "units.sqlite") as db:
        db.execute("PRAGMA user_version=99")
    with pytest.raises(StoreError, match="another version"):
        Store(tmp_path)


def test_a_file_in_the_way_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="--rootfruit-store"):
        Store(tmp_path / "file")


def test_attempts_with_other_seeds_are_remembered(tmp_path):
    with Store(tmp_path) as store:
        assert store.attempt("plan", 0) == [0]
        assert store.attempt("plan", 0) == [0]
        assert store.attempt("plan", 3) == [0, 3]
        assert store.attempt("other", 9) == [9]


@given(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=5))
def test_an_address_does_not_depend_on_order(parts):
    assert address(parts) == address(dict(reversed(parts.items())))


def measured(*samples):
    return to_frame([PairMeasurement("winoqueer", sample, "policy", 0.5, 0.5, 0.5) for sample in samples])


def test_tables_are_written_whole(tmp_path):
    frame = measured("x", "y")
    with Store(tmp_path) as store:
        assert load_frame(store, "t") is None
        store.save_table("t", frame)
        pd.testing.assert_frame_equal(load_frame(store, "t"), frame, check_dtype=False)
        store.table_path("t").write_bytes(b"PAR1 but not really")
        with pytest.raises(StoreError, match="is damaged"):
            load_frame(store, "t")


def test_a_table_of_which_the_kill_came_too_early_is_made_again(tmp_path):
    with Store(tmp_path) as store:
        pd.DataFrame({"a": [1]}).to_parquet(store.table_path("t"))
        assert load_frame(store, "t") is None


def test_export_gathers_the_tables_or_says_why_not(tmp_path, capsys):
    with Store(tmp_path / "s") as store:
        store.save_table("one", measured("x"))
        store.save_table("two", measured("y", "z"))
        store.save_table("who", to_frame([Measurement("mine", "w", "policy", "regard", 0.0, "neutral")]))
    assert main(["export", str(tmp_path / "s"), str(tmp_path / "out.parquet")]) == 0
    found = pd.read_parquet(tmp_path / "out.parquet")
    assert list(found["table"]) == ["one", "two", "two", "who"]
    assert list(found["d_full"].fillna(-1.0)) == [0.5, 0.5, 0.5, -1.0]
    assert list(found["label"]) == ["", "", "", "neutral"]
    assert main(["export", str(tmp_path / "s"), str(tmp_path / "no" / "out.parquet")]) == 1
    assert main(["export", str(tmp_path / "none"), str(tmp_path / "out.parquet")]) == 1
    (tmp_path / "s" / "tables" / "one.parquet").write_bytes(b"PAR1")
    assert main(["export", str(tmp_path / "s"), str(tmp_path / "out.parquet")]) == 1
    told = capsys.readouterr().err.splitlines()
    assert [line.startswith("rootfruit: ") for line in told] == [True] * 3


def test_a_full_disk_is_an_error_of_the_store(tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("rootfruit_checks.store.store.write_atomic", full)
    with Store(tmp_path) as store, pytest.raises(StoreError, match="No space left"):
        store.save_table("t", pd.DataFrame({"a": [1]}))


def test_damaged_pages_are_an_error_of_the_store(tmp_path):
    with Store(tmp_path) as store:
        for number in range(200):
            store.put("n", str(number), b"x" * 500)
        path = store.database
    raw = bytearray(path.read_bytes())
    raw[4096:] = b"\xa5" * (len(raw) - 4096)
    path.write_bytes(bytes(raw))
    with Store(tmp_path) as store, pytest.raises(StoreError, match="cannot be"):
        store.get("n", "7")


def _open_at_once(barrier, path, told):
    faults = []
    for number in range(40):
        barrier.wait()
        try:
            Store(path / str(number)).close()
        except StoreError as error:
            faults.append(str(error))
    told.put(faults)


def test_a_fresh_store_may_be_opened_by_several_processes_at_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    barrier, told = context.Barrier(3), context.Queue()
    processes = [context.Process(target=_open_at_once, args=(barrier, tmp_path, told)) for _ in range(3)]
    for process in processes:
        process.start()
    assert [told.get(timeout=60) for _ in processes] == [[], [], []]
    for process in processes:
        process.join()


def test_what_another_process_removes_is_no_error_and_a_broken_link_is(tmp_path):
    """SQLite's journal goes while somebody else opens the store."""
    untrusted.check_regular(tmp_path / "units.sqlite-journal", StoreError, missing_ok=True)
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(StoreError, match="no such file"):
        untrusted.check_regular(tmp_path / "link", StoreError, missing_ok=True)


_WRITER = """
import sys
from rootfruit_checks.store.store import Store
store = Store(sys.argv[1])
for i in range(100000):
    store.put("n", str(i), str(i).encode() * 100)
    print(i, flush=True)
"""


@pytest.mark.parametrize("delay", [0.02, 0.1, 0.3])
def test_what_was_acknowledged_survives_a_kill(tmp_path, delay):
    process = subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    time.sleep(delay)
    os.kill(process.pid, signal.SIGKILL)
    told = [int(line) for line in process.stdout.read().splitlines()]
    process.wait()
    with Store(tmp_path) as store:
        for i in [0, *told]:
            assert store.get("n", str(i)) == str(i).encode() * 100
        assert set(writes(store).values()) == {1}


def test_a_store_ignores_itself_in_git_and_is_tagged_as_a_cache(tmp_path):
    git = ["git", "-C", str(tmp_path)]
    subprocess.run([*git, "init", "-q"], check=True)
    (tmp_path / "mine.txt").write_text("x")
    with Store(tmp_path / ".rootfruit" / "nested"):
        pass
    seen = subprocess.run([*git, "status", "--porcelain", "-uall"], check=True, capture_output=True, text=True).stdout
    assert seen.split() == ["??", "mine.txt"]
    tag = (tmp_path / ".rootfruit" / "nested" / "CACHEDIR.TAG").read_text()
    assert tag.startswith("Signature: 8a477f597d28d172789f06886806bc55\n")


def test_a_directory_that_was_there_keeps_its_own_files(tmp_path):
    (tmp_path / ".gitignore").write_text("theirs\n")
    with Store(tmp_path):
        pass
    assert (tmp_path / ".gitignore").read_text() == "theirs\n"
    assert not (tmp_path / "CACHEDIR.TAG").exists()
