"""The strict readers: what is written comes back, and every fault is told with file and line."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rootfruit_checks.base.errors import DataError
from rootfruit_checks.data.readers import filled, read_csv, read_jsonl

HEADER = ("id", "text")
once = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
cells = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)


@once
@given(
    rows=st.lists(st.tuples(cells, cells), min_size=1, max_size=8),
    end=st.sampled_from(["\n", "\r\n"]),
    mark=st.sampled_from(["", "\ufeff"]),
    last=st.booleans(),
)
def test_csv_comes_back_as_written(tmp_path, rows, end, mark, last):
    out = io.StringIO()
    # Cells with a line end in them are quoted by the writer; all are, so that an empty row stays a row.
    csv.writer(out, lineterminator=end, quoting=csv.QUOTE_ALL).writerows([HEADER, *rows])
    text = mark + out.getvalue()
    path = tmp_path / "rows.csv"
    path.write_bytes((text if last else text.removesuffix(end)).encode())
    assert [tuple(row.values()) for _, row in read_csv(path, HEADER)] == rows


@once
@given(rows=st.lists(st.tuples(cells, st.integers()), min_size=1, max_size=8), end=st.sampled_from(["\n", "\r\n"]))
def test_jsonl_comes_back_as_written(tmp_path, rows, end):
    path = tmp_path / "rows.jsonl"
    lines = [json.dumps({"text": text, "id": number, "more": [1]}) for text, number in rows]
    path.write_bytes((end.join(lines) + end).encode())
    assert [(row["text"], row["id"]) for _, row in read_jsonl(path, HEADER)] == [(t, str(n)) for t, n in rows]


def test_a_row_is_named_by_its_first_line(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes(b'id,text\n1,"two\nlines"\n2,b\n')
    assert [line for line, _ in read_csv(path, HEADER)] == [2, 4]


CSV_FAULTS = {
    "another header": (b"id,words\n1,a\n", ":1: header is 'id,words', expected 'id,text'"),
    "a header that is longer": (b"id,text,more\n1,a,b\n", ":1: header"),
    "a header in another order": (b"text,id\na,1\n", ":1: header"),
    "a short row": (b"id,text\n1,a\n2\n", ":3: 1 cells where the header has 2"),
    "a long row": (b"id,text\n1,a,b\n", ":2: 3 cells"),
    "a blank line": (b"id,text\n1,a\n\n2,b\n", ":3: 0 cells"),
    "a bad byte": (b"id,text\n1,a\n2,caf\xe9\n", ":3: byte 5 is not UTF-8"),
    "a NUL": (b"id,text\n1,a\0\n", ":2: holds a NUL"),
    "an open quote": (b'id,text\n1,a\n2,"b\n3,c\n4,d\n', ":3: the row that begins here is not CSV"),
    "a quote inside a cell": (b'id,text\n1,"a"b\n', ":2: the row that begins here is not CSV"),
    "a UTF-16 file": ("id,text\n1,a\n".encode("utf-16"), ":1: byte 0 is not UTF-8"),
    "nothing": (b"", ": is empty"),
    "a header alone": (b"id,text\n", ": has a header and no rows"),
}


@pytest.mark.parametrize("fault", CSV_FAULTS)
def test_csv_faults_are_told_with_file_and_line(tmp_path, fault):
    content, expected = CSV_FAULTS[fault]
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    with pytest.raises(DataError) as told:
        list(read_csv(path, HEADER))
    assert str(told.value).startswith(f"{path}{expected}")
    assert "\n" not in str(told.value)


JSON_FAULTS = {
    "no JSON": (b'{"id": 1, "text": "a"}\n{"id": 2,\n', ":2: is not JSON"),
    "a blank line": (b'{"id": 1, "text": "a"}\n\n', ":2: is not JSON"),
    "a list": (b"[1, 2]\n", ":1: is not a JSON object"),
    "a key that lacks": (b'{"id": 1}\n', ":1: lacks text"),
    "a null": (b'{"id": 1, "text": null}\n', ":1: text is null"),
    "a nested value": (b'{"id": 1, "text": {"a": 1}}\n', ":1: text is"),
    "half a character": (b'{"id": 1, "text": "\\ud83d"}\n', ":1: text holds half of a character"),
    "a spelled NUL": (b'{"id": 1, "text": "\\u0000"}\n', ":1: text holds a NUL"),
    "a bad byte": (b'{"id": 1, "text": "\xff"}\n', ":1: byte 19 is not UTF-8"),
    "nesting without end": (b"[" * 200_000 + b"\n", ":1: is not JSON"),
    "nothing": (b"", ": is empty"),
}


@pytest.mark.parametrize("fault", JSON_FAULTS)
def test_jsonl_faults_are_told_with_file_and_line(tmp_path, fault):
    content, expected = JSON_FAULTS[fault]
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content)
    with pytest.raises(DataError) as told:
        list(read_jsonl(path, HEADER))
    assert str(told.value).startswith(f"{path}{expected}")


def test_whole_numbers_read_as_csv_has_them(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"id": 3.0, "text": true}\n')
    assert [row for _, row in read_jsonl(path, HEADER)] == [{"id": "3", "text": "True"}]


def test_a_missing_file_and_a_directory_are_told(tmp_path):
    for path, told in ((tmp_path / "none.csv", "no such file"), (tmp_path, "is a directory")):
        with pytest.raises(DataError, match=told):
            list(read_csv(path, HEADER))


@pytest.mark.parametrize(
    "content", [b"id,text\n" + b"1,abcdefgh\n" * 120_000, b'id,text\n1,"' + b"abcdefgh\n" * 120_000]
)
def test_memory_does_not_grow_with_the_file(tmp_path, content):
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    rows = read_csv(path, HEADER)
    tracemalloc.start()
    try:
        for _ in rows:
            pass
    except DataError as error:
        assert "field larger" in str(error)  # noqa: PT017  the endless quote may be told, the long file not
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 900_000 < len(content)


def test_a_file_without_line_ends_is_refused_in_bounded_memory(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes(b"a" * 3_000_000)
    with pytest.raises(DataError, match=r":1: is longer than 1048576 bytes"):
        list(read_csv(path, HEADER))


@pytest.mark.parametrize("text", ["{name} is here.", "Ann is [identity].", "Ann is <gender>.", " ", ""])
def test_unfilled_texts_are_refused(text):
    with pytest.raises(DataError, match=r"^f\.csv:7: (a placeholder was left unfilled|the text is blank)"):
        filled("f.csv", 7, text)


@pytest.mark.parametrize("text", ["Ann is 5 < 6 and 7 > 2.", "Ann (she) is here. ", "a } b { c"])
def test_other_texts_stay_as_they_are(text):
    assert filled("f.csv", 7, text) == text
