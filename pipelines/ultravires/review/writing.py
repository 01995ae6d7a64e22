"""A review as a file: a workbook, a CSV of its decisions, or a page. Whatever a log says is text, never a formula.

https://owasp.org/www-community/attacks/CSV_Injection names how a cell begins that a spreadsheet would compute.
"""

import csv
import io
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ultravires.errors import UsageError
from ultravires.review.columns import ANSWERED_IN, Sheet
from ultravires.store.atomic_file import write_bytes_atomically
from ultravires.tracing.visible import visible_lines

COMPUTED = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""How text begins that a spreadsheet computes; the last four are the wide forms of the first."""
_LONGEST_CELL = 32_767
_MOST_ROWS = 1_048_575
"""What Excel takes: https://support.microsoft.com/office/excel-specifications-and-limits-1672b34d-7043-467e-8e27-269d656771c3"""
_CUT = "… (cut: the file with the suffix csv or html has all of it)"
_WIDTHS = {"identity": 44, "entitlement_id": 26, "least_privilege": 50, "used": 40, "value": 60, "what": 36}


def check_out(out: Path, *, is_forced: bool) -> None:
    """UsageError where no review can be written there, before anything is read."""
    if out.suffix.lower() not in _WRITERS:
        raise UsageError(f"--out {out}: name a file that ends in {', '.join(sorted(_WRITERS))}")
    if out.suffix.lower() == ".xlsx":
        _xlsxwriter()
    if not out.absolute().parent.is_dir():
        raise UsageError(f"--out {out}: there is no folder {out.absolute().parent}")
    if out.exists() and not (is_forced and out.is_file()):
        raise UsageError(f"--out {out}: stands already; name another file, or say --force")


def write_review(sheets: list[Sheet], out: Path) -> None:
    """Write the tables to `out`, whole or not at all, for its owner only; the suffix decides how."""
    content = _WRITERS[out.suffix.lower()](sheets)
    try:
        write_bytes_atomically(out, content)
    except OSError as error:
        raise UsageError(f"--out {out}: cannot be written ({error.strerror}); choose another place") from error


def as_workbook(sheets: list[Sheet]) -> bytes:
    """One sheet a table, every cell of it text."""
    long = [sheet for sheet in sheets if len(sheet.rows) > _MOST_ROWS]
    if long:
        raise UsageError(f"{long[0].name}: more rows than a sheet holds; take --owner, or a file that ends in .csv")
    buffer = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    workbook = _xlsxwriter().Workbook(buffer, options)
    heading = workbook.add_format({"bold": True, "bottom": 1})
    plain = workbook.add_format({"text_wrap": True, "valign": "top", "num_format": "@"})
    asked = workbook.add_format({"text_wrap": True, "valign": "top", "num_format": "@", "bg_color": "#FFF8E1"})
    for sheet in sheets:
        page = workbook.add_worksheet(sheet.name)
        page.freeze_panes(1, 0)
        for nth, column in enumerate(sheet.columns):
            is_asked = sheet.name == "Decisions" and column in ANSWERED_IN
            page.set_column(nth, nth, _WIDTHS.get(column, 22), asked if is_asked else None)
            page.write_string(0, nth, column, heading)
            for row, values in enumerate(sheet.rows, start=1):
                if values[nth]:
                    page.write_string(row, nth, _fitting(values[nth]), plain)
        page.autofilter(0, 0, max(1, len(sheet.rows)), len(sheet.columns) - 1)
    workbook.close()
    return buffer.getvalue()


def as_csv(sheets: list[Sheet]) -> bytes:
    """The table of decisions, which is what comes back; it has all that the others have of a right."""
    decisions = next(sheet for sheet in sheets if sheet.name == "Decisions")
    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(decisions.columns)
    writer.writerows([quoted(value) for value in row] for row in decisions.rows)
    return buffer.getvalue().encode("utf-8", "replace")


def as_page(sheets: list[Sheet]) -> bytes:
    """All tables on one page that loads nothing."""
    page: str = _environment().get_template("review.html.j2").render(sheets=sheets)
    return page.encode("utf-8", "replace")


def quoted(text: str) -> str:
    """A cell that a spreadsheet would compute, behind an apostrophe; and one that begins with one, so that `unquoted`
    gives back what stood there.
    """
    return f"'{text}" if text.startswith((*COMPUTED, "'")) else text


def unquoted(text: str) -> str:
    """What `quoted` was given, and text that nobody quoted as it is."""
    return text[1:] if text.startswith("'") and text[1:].startswith((*COMPUTED, "'")) else text


def _fitting(text: str) -> str:
    """As much as a cell holds, counted as Excel does."""
    if len(text) * 2 <= _LONGEST_CELL or len(text.encode("utf-16-le")) // 2 <= _LONGEST_CELL:
        return text
    room = (_LONGEST_CELL - len(_CUT)) * 2
    return text.encode("utf-16-le")[:room].decode("utf-16-le", "ignore") + _CUT


def _xlsxwriter() -> ModuleType:
    try:
        import xlsxwriter
    except ImportError as error:
        raise UsageError(
            "a workbook needs XlsxWriter; install it with: pip install 'ultravires[review]', "
            "or name a file that ends in .csv or .html"
        ) from error
    module: ModuleType = xlsxwriter
    return module


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )


def _shown(value: Any) -> Any:
    """Text without unseen characters; its line breaks are ours, or those of a log, which turn nothing around."""
    return visible_lines(value) if isinstance(value, str) else value


_WRITERS: Mapping[str, Callable[[list[Sheet]], bytes]] = {".xlsx": as_workbook, ".csv": as_csv, ".html": as_page}
