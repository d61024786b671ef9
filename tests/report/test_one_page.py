"""The page that a run makes, that of its store, and that of merged shards are one but for their time stamp."""

from __future__ import annotations

from hostile import PAIR, gate, merge

from rootfruit_checks.report import result_file
from rootfruit_checks.report.audit_page import digest


def test_the_page_of_the_run_of_its_store_and_of_merged_shards_is_one(tmp_path):
    whole = gate(tmp_path, *PAIR, "-p", "no:html", "--rootfruit-store=whole", "--rootfruit-report=whole.html")
    assert whole.returncode == 1, whole.stdout
    for index in (1, 2):
        done = gate(tmp_path, *PAIR, "-p", "no:html", f"--rootfruit-shard={index}/2", f"--rootfruit-store=s{index}")
        assert done.returncode == 0, done.stdout
    assert merge(tmp_path, "s1", "s2").returncode == 1
    made = digest((tmp_path / "whole.html").read_text("utf-8"))
    for store in ("whole", "merged"):
        page = tmp_path / f"{store}-again.html"
        assert result_file.write_page(page, result_file.read(tmp_path / store)) == made, store
        assert digest(page.read_text("utf-8")) == made
