"""Digests of several files, against the same sums put together by hand."""

from __future__ import annotations

import hashlib

from rootfruit_checks.base.digests import folder_digest, text_digest


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_digest_of_texts_counts_names_lengths_and_contents_and_no_line_ends(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"a\r\nb")
    two.write_bytes(b"\xff\r")
    expected = sha(b"x/one\x003\x00a\nbtwo\x002\x00\xff\r")
    assert text_digest([("x/one", one), ("two", two)]) == expected
    one.write_bytes(b"a\nb")
    assert text_digest([("x/one", one), ("two", two)]) == expected
    assert text_digest([("two", two), ("x/one", one)]) != expected
    assert text_digest([]) == sha(b"")


def test_a_digest_of_a_folder_takes_each_matching_file_once_and_no_folder(tmp_path):
    (tmp_path / "b.bin").write_bytes(b"2\r\n")
    (tmp_path / "a.json").write_bytes(b"1")
    (tmp_path / "other").write_bytes(b"3")
    (tmp_path / "c.bin").mkdir()
    expected = sha(f"a.json:{sha(b'1')};b.bin:{sha(b'2' + bytes([13, 10]))};".encode())
    assert folder_digest(tmp_path, ["*.bin", "*.json", "a*"]) == expected
    (tmp_path / "b.bin").write_bytes(b"2\n")
    assert folder_digest(tmp_path, ["*.bin", "*.json", "a*"]) != expected
