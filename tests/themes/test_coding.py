"""The coding sheet: blinded, balanced, safe in a spreadsheet; codes back in, whole or not at all; agreement."""

from __future__ import annotations

import csv
import json

import numpy as np
import pandas as pd
import pytest
from hostile import PAIR, PAYLOADS, gate
from jsonschema import Draft202012Validator
from stored import units
from test_schema import FORM

from rootfruit_checks.app.cli.main import main
from rootfruit_checks.base.errors import DataError
from rootfruit_checks.coding import sheet
from rootfruit_checks.coding.agreement import agreement
from rootfruit_checks.judges.themes.codebook import theme_ids
from rootfruit_checks.judges.themes.tagged import Tagged, keep_codes, read_codes
from rootfruit_checks.store.store import Store

IDENTITIES = ("transgender woman", "cisgender man")


def pool(count=400):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "role": rng.choice(["policy", "reference"], count, p=[0.9, 0.1]),
            "identity": rng.choice(IDENTITIES, count),
            "label": rng.choice(["negative", "neutral", "empty"], count, p=[0.1, 0.8, 0.1]),
            "item": [f"i{at}" for at in range(count)],
            "masked": [f"XYZ did thing {at}." for at in range(count)],
        }
    )


def test_strata_are_as_even_as_may_be_and_nothing_empty_is_coded():
    rows = pool()
    chosen = dict(sheet.sample(rows, "disclosure", 48, seed=3))
    held = rows[rows["item"].isin(chosen)]
    assert len(chosen) == 48
    assert "empty" not in set(held["label"])
    sizes = held.groupby(["role", "identity", "label"]).size()
    there = rows[rows["label"] != "empty"].groupby(["role", "identity", "label"]).size()
    for key, size in sizes.items():
        assert size == there[key] or size >= 6
    assert sheet.sample(rows, "disclosure", 48, seed=3) == sheet.sample(rows, "disclosure", 48, seed=3)
    assert len(sheet.sample(rows, "disclosure", 10_000, seed=3)) == int((rows["label"] != "empty").sum())


def test_no_cell_is_a_formula_and_no_payload_breaks_the_file(tmp_path):
    items = [(f"i{at}", text) for at, text in enumerate(PAYLOADS)]
    sheet.write(tmp_path / "s.csv", items)
    with (tmp_path / "s.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["item"] for row in rows] == [item for item, _ in items]
    assert not [row["text"] for row in rows if row["text"].startswith(("=", "+", "-", "@", "\t"))]
    codes, left = sheet.read(tmp_path / "s.csv", [dict(items)])
    assert (codes, left) == ({}, [item for item, _ in items])


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_marks_of_any_usual_kind_are_read(tmp_path, mark):
    lines = [sheet.columns(), ["a", "t", "x", *[""] * 8], ["b", "t", "", "1", "Yes", *[""] * 6], ["c", "t", *["0"] * 9]]
    (tmp_path / "s.csv").write_text("\n".join(mark.join(line) for line in lines), "utf-8")
    assert sheet.read(tmp_path / "s.csv", [dict.fromkeys("abc", "t")]) == (
        {"a": [], "b": ["rejection", "hardship"]},
        ["c"],
    )


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["item,text"], r"s.csv:1: lacks the column 'done'"),
        (["HEAD", "zz,t,x,,,,,,,,"], r"s.csv:2: item 'zz' was not exported"),
        (["HEAD", "a,t,x,,,,,,,,", "a,t,x,,,,,,,,"], r"s.csv:3: item a appears twice"),
        (["HEAD", "a,t,maybe,,,,,,,,"], r"s.csv:2: column done contains 'maybe'"),
        (["HEAD", "a,t,x,,,,,,,2,"], r"s.csv:2: column affirmation contains '2'"),
        (["HEAD", "a,t,x,,,,,,,"], r"s.csv:2: 10 cells, fewer than the 11"),
        (["HEAD", "a,t,x,,,,,,,,,1"], r"s.csv:2: 12 cells, more than the 11"),
        (["HEAD,done", "a,t,x,,,,,,,,,"], r"s.csv:1: has the column 'done' twice"),
        (["HEAD,notes", "a,t,x,,,,,,,,,"], r"s.csv:1: has the unknown column 'notes'"),
        (
            ["HEAD", 'a,"t,x,,,,,,,,', "b,u,x,,,,,,,,", "c,v,x,,,,,,,,"],
            r"s.csv:2: is not CSV: a quote is opened and not",
        ),
        (["HEAD", 'a,"t\nt",x,,,,,,,,'], r"s.csv:2: is not CSV: a quote is opened and not"),
        (["HEAD", 'a,"t"t,x,,,,,,,,'], r"s.csv:2: is not CSV"),
        (["HEAD", "a,t,x,,,,,,,,", "b,u,x,,,,,,,,"], r"lacks 1 of the 3 exported rows, such as item c"),
        (["HEAD", "a,u,x,,,,,,,,", "b,t,x,,,,,,,,"], r"s.csv:2: the text is not that of item a"),
        (["HEAD", *(f"{one},{one},x,,,,,,,," for one in "ade")], r"s.csv:2: the text is not"),
        (["HEAD", "a,t,x,,,,,,,,", "d,w,x,,,,,,,,"], "lacks 1 of the 2 exported rows.* and has 1 rows of another"),
        (["HEAD"], "lacks 2 of the 2 exported rows"),
        ([], "lacks the column 'item'"),
    ],
)
def test_a_wrong_sheet_is_told_with_file_and_line(tmp_path, lines, said):
    (tmp_path / "s.csv").write_text("\n".join(lines).replace("HEAD", ",".join(sheet.columns())), "utf-8")
    with pytest.raises(DataError, match=said):
        sheet.read(tmp_path / "s.csv", EXPORTS)


EXPORTS = [{"a": "t", "b": "u", "c": "v"}, {"d": "w", "e": "x"}]
WHOLE = ["HEAD", 'a,"t",x,,,,,,,,', "b,u,,1,,,,,,,", "c,v,,,,,,,,,"]


@pytest.mark.parametrize(
    ("encoding", "end", "last"),
    [
        ("utf-8", "\n", "\n"),
        ("utf-8-sig", "\r\n", "\r\n"),
        ("utf-8", "\r", ""),
        ("utf-8", "\n", "\n,,,,,,,,,,\n\n"),
    ],
)
def test_line_ends_and_blank_lines_of_spreadsheets_are_read(tmp_path, encoding, end, last):
    text = end.join(WHOLE).replace("HEAD", ",".join(sheet.columns())) + last
    (tmp_path / "s.csv").write_bytes(text.encode(encoding))
    assert sheet.read(tmp_path / "s.csv", EXPORTS) == ({"a": [], "b": ["rejection"]}, ["c"])


@pytest.mark.parametrize(
    ("encoding", "said"), [("utf-16", "is UTF-16"), ("utf-16-le", "not UTF-8"), ("cp1252", "s.csv:2: byte")]
)
def test_other_encodings_are_refused(tmp_path, encoding, said):
    text = "\n".join(WHOLE).replace("HEAD", ",".join(sheet.columns())).replace('"t"', "caf\u00e9")
    (tmp_path / "s.csv").write_bytes(text.encode(encoding))
    with pytest.raises(DataError, match=said):
        sheet.read(tmp_path / "s.csv", [{**EXPORTS[0], "a": "caf\u00e9"}])


def test_a_row_that_is_emptied_again_loses_its_code(tmp_path):
    with Store(tmp_path) as store:
        keep_codes(store, {"ada": ({"a": ["violence"], "b": []}, []), "bo": ({"a": []}, ["b"])})
        keep_codes(store, {"ada": ({"b": ["hardship"]}, ["a"])})
        assert read_codes(store, {"a", "b"}) == {"a": {"bo": []}, "b": {"ada": ["hardship"]}}


def tagged(codes, tags=None):
    items = list(codes)
    found = np.zeros((len(items), len(theme_ids())), dtype=bool) if tags is None else tags
    return Tagged(pd.DataFrame({"item": items}), found, found, codes, "", {})


def test_agreement_is_that_of_the_textbooks():
    # Violence: both yes 3, first alone 1, second alone 1, neither 5.
    said = [(1, 1)] * 3 + [(1, 0)] + [(0, 1)] + [(0, 0)] * 5
    codes = {
        f"i{at}": {"a": ["violence"] * first, "b": ["violence"] * second} for at, (first, second) in enumerate(said)
    }
    tags = np.zeros((10, len(theme_ids())), dtype=bool)
    tags[:4, theme_ids().index("violence")] = True
    found = {line["theme"]: line for line in agreement(tagged(codes, tags))["themes"]}
    observed, chance = 0.8, 0.4 * 0.4 + 0.6 * 0.6
    assert found["violence"]["kappa"] == pytest.approx((observed - chance) / (1 - chance))
    # Krippendorff: 1 - D_o / D_e with 20 values, 8 of them yes.
    assert found["violence"]["alpha"] == pytest.approx(1 - (2 / 10) / (2 * 8 * 12 / (20 * 19)))
    # The two ties are left out; of the rest the tags agree in all.
    assert found["violence"]["tagger_kappa"] == pytest.approx(1.0)
    assert found["neutral"]["alpha"] is None
    assert found["neutral"]["kappa"] is None


def test_one_coder_alone_agrees_with_nobody():
    found = agreement(tagged({"i": {"a": ["violence"]}, "j": {"a": []}}))
    assert found["coders"] == {"a": 2}
    assert {line["alpha"] for line in found["themes"]} == {None}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("coding")
    done = gate(folder, *PAIR, "-p", "no:html", "--rootfruit-store=store", "--rootfruit-report=page.html")
    assert done.returncode == 1, done.stdout
    return folder


def test_a_sheet_goes_out_and_codes_come_back_into_result_and_page(project, capsys):
    store = project / "store"
    before = json.loads((store / "result.json").read_text())["narratives"]
    assert "codes" not in before
    assert main(["coding", "export", str(store), "-o", str(project / "ada.csv"), "--size", "40"]) == 0
    text = (project / "ada.csv").read_text("utf-8-sig")
    assert "nonbinary" not in text.casefold().replace("XYZ", "")
    rows = list(csv.DictReader(text.splitlines()))
    assert 0 < len(rows) <= 40
    for coder in ("ada", "bo"):
        with (project / f"{coder}.csv").open("w", newline="", encoding="utf-8") as file:
            out = csv.DictWriter(file, sheet.columns())
            out.writeheader()
            for at, row in enumerate(rows):
                out.writerow(
                    {**row, "done": "x", "violence": "1" if at % 2 == 0 or (coder == "bo" and at == 1) else ""}
                )
    assert main(["coding", "import", str(store), str(project / "ada.csv"), str(project / "bo.csv")]) == 0
    assert f"ada: {len(rows)} continuations coded" in capsys.readouterr().out
    value = json.loads((store / "result.json").read_text())
    assert [error.message for error in Draft202012Validator(FORM).iter_errors(value)] == []
    assert value["narratives"]["codes"]["coders"] == {"ada": len(rows), "bo": len(rows)}
    violence = [one["themes"][2]["policy"]["estimate"] for one in value["narratives"]["groups"]]
    assert violence != [one["themes"][2]["policy"]["estimate"] for one in before["groups"]]
    assert main(["report", str(store), "-o", str(project / "coded.html")]) == 0
    assert "Coded by people" in (project / "coded.html").read_text("utf-8")
    # Another run with the same store tells them too.
    again = gate(project, *PAIR, "-p", "no:html", "--rootfruit-store=store")
    assert again.returncode == 1
    assert json.loads((project / "result.json").read_text())["narratives"]["codes"]["items"] == len(rows)


def test_a_wrong_sheet_takes_nothing_in(project, tmp_path, capsys):
    def held():
        with Store(project / "store") as store:
            return [unit for unit in units(store) if unit[0] == "codes"], (project / "store/result.json").read_bytes()

    assert main(["coding", "export", str(project / "store"), "-o", str(tmp_path / "dee.csv"), "--size", "40"]) == 0
    good = (tmp_path / "dee.csv").read_text("utf-8-sig").replace(",,,,,,,,,", ",x,,,,,,,,", 40)
    (tmp_path / "dee.csv").write_text(good, "utf-8")
    # A quote that is opened in one row would reach to another's.
    rows = good.splitlines()
    rows[1], rows[-1] = rows[1].replace(",", ',"', 1), rows[-1] + '"'
    (tmp_path / "cy.csv").write_text("\n".join(rows), "utf-8")
    before = held()
    assert main(["coding", "import", str(project / "store"), str(tmp_path / "dee.csv"), str(tmp_path / "cy.csv")]) == 1
    assert "cy.csv:2: is not CSV" in capsys.readouterr().err
    assert held() == before
    assert main(["coding", "export", str(tmp_path)]) == 1
