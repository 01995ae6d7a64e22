"""The files of a review: each format opened again and read, with the texts that logs could hold."""

import csv
import io
import stat
import sys
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest
from ultravires.errors import UsageError
from ultravires.review.columns import DECISIONS, Sheet
from ultravires.review.writing import as_csv, as_page, as_workbook, check_out, quoted, unquoted, write_review

NAMESPACE = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
HOSTILE = (
    "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'=1", "'", "''=x", "\uff1d1", "<script>alert(1)</script>",
    "{=1}", "http://example.org", "12", "a\x00b\x1b[31m", "\u202eexe", "&amp;", '"quoted", and ; more', "_x0041_",
)  # fmt: skip


def hostile_sheet(*texts: str) -> Sheet:
    return Sheet("Decisions", DECISIONS, [(text, text, *("" for _ in DECISIONS[2:])) for text in texts])


SHEETS = [Sheet(name, ("what", "value"), []) for name in ("Summary", "Identities", "Entitlements")] + [
    hostile_sheet("robot")
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_csv_cell_is_never_a_formula_and_comes_back(text: str) -> None:
    """What a spreadsheet would compute stands behind an apostrophe, and reading takes that off again."""
    assert not quoted(text).startswith(tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"))
    assert unquoted(quoted(text)) == text
    content = as_csv([hostile_sheet(text)]).decode()
    ((_, row),) = [list(csv.reader(io.StringIO(content, newline="")))]
    assert [unquoted(cell) for cell in row[:2]] == [text, text]


def cells_of(workbook: bytes, sheet: int) -> list[tuple[str | None, str]]:
    """(type, text) of each cell that holds something, read without a library for it."""
    with zipfile.ZipFile(io.BytesIO(workbook)) as archive:
        shared = ElementTree.fromstring(archive.read("xl/sharedStrings.xml"))
        strings = ["".join(part.text or "" for part in item.iter(f"{NAMESPACE}t")) for item in shared]
        page = ElementTree.fromstring(archive.read(f"xl/worksheets/sheet{sheet}.xml"))
    assert not list(page.iter(f"{NAMESPACE}f")), "a formula"
    assert not list(page.iter(f"{NAMESPACE}hyperlink")), "a link"
    found = []
    for cell in page.iter(f"{NAMESPACE}c"):
        value = cell.find(f"{NAMESPACE}v")
        if value is not None:
            found.append((cell.get("t"), strings[int(value.text or "")] if cell.get("t") == "s" else str(value.text)))
    return found


def test_a_workbook_holds_text_alone() -> None:
    """Whatever a log said: every cell is a string, none a formula, a number or a link."""
    pytest.importorskip("xlsxwriter")
    cells = cells_of(as_workbook([hostile_sheet(*HOSTILE)]), 1)
    assert {kind for kind, _ in cells} == {"s"}
    # What XML cannot hold is written as Excel writes it: https://learn.microsoft.com/openspecs/office_standards
    excel = {"a\x00b\x1b[31m": "a_x0000_b_x001B_[31m", "\r=1": "_x000D_=1", "_x0041_": "_x005F_x0041_"}
    told = [text for _, text in cells[len(DECISIONS) :]]
    assert told == [excel.get(text, text) for text in HOSTILE for _ in range(2)]


def test_a_workbook_has_its_four_sheets_and_columns_to_fill_in() -> None:
    """The last columns of Decisions are empty."""
    pytest.importorskip("xlsxwriter")
    content = as_workbook(SHEETS)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        book = ElementTree.fromstring(archive.read("xl/workbook.xml"))
    assert [sheet.get("name") for sheet in book.iter(f"{NAMESPACE}sheet")] == [
        "Summary",
        "Identities",
        "Entitlements",
        "Decisions",
    ]
    texts = [text for _, text in cells_of(content, 4)]
    assert texts[: len(DECISIONS)] == list(DECISIONS)
    assert DECISIONS[-4:] == ("decision", "reason", "until", "reviewer")
    assert texts[len(DECISIONS) :] == ["robot", "robot"]


def test_a_cell_that_excel_could_not_hold_says_so() -> None:
    """It takes 32,767 characters, counted in UTF-16."""
    pytest.importorskip("xlsxwriter")
    long = [text for _, text in cells_of(as_workbook([hostile_sheet("\U0001f600" * 20_000)]), 1)][-1]
    assert len(long.encode("utf-16-le")) // 2 <= 32_767
    assert long.endswith("has all of it)")


def test_a_page_escapes_what_logs_say() -> None:
    """No element and no unseen character of theirs."""
    page = as_page([hostile_sheet(*HOSTILE)]).decode()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page and "&amp;amp;" in page
    assert "\u202e" not in page and "\x1b" not in page and "\\u202e" in page


def test_a_file_is_its_owners_and_never_written_over(tmp_path: Path) -> None:
    """Only --force replaces, and only a file."""
    out = tmp_path / "review.csv"
    check_out(out, is_forced=False)
    write_review(SHEETS, out)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    with pytest.raises(UsageError, match="stands already"):
        check_out(out, is_forced=False)
    check_out(out, is_forced=True)
    (tmp_path / "folder.csv").mkdir()
    for wrong in ("folder.csv", "review.ods", "review", "nowhere/review.csv"):
        with pytest.raises(UsageError):
            check_out(tmp_path / wrong, is_forced=True)


def test_without_the_library_one_line_says_how_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The other formats need none."""
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    with pytest.raises(UsageError, match=r"pip install 'ultravires\[review\]'"):
        check_out(tmp_path / "review.xlsx", is_forced=False)
    check_out(tmp_path / "review.html", is_forced=False)
