"""Cells of a table as the values they were before: JSON, and structs as query engines print them."""

import re
from typing import Any

import msgspec

from ultravires.reading.dotted_names import nested

_MEMBER = re.compile(r"([A-Za-z_][\w-]{0,100})=")
_TEXT_END = re.compile(r", (?=[A-Za-z_][\w-]{0,100}=)|[{}\[\]]")
_BETWEEN = ", "
_DEEPEST = 8
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None}
_UNDECODABLE = (msgspec.DecodeError, UnicodeError, RecursionError)


def record_of_cells(cells: dict[str, str]) -> dict[str, Any]:
    """An object of a row's cells. Numbers stay text: readers take both, and an account's id may begin with a zero."""
    return nested({column: value_of_cell(cell) for column, cell in cells.items()})


def value_of_cell(cell: str) -> Any:
    """JSON decoded, and the three words that are no text; anything else as it is."""
    if cell in _WORDS:
        return _WORDS[cell]
    if cell[:1] not in ("{", "["):
        return cell
    try:
        return msgspec.json.decode(cell)
    except _UNDECODABLE:
        return cell


def decoded_text(value: Any) -> Any:
    """What stands in a text as JSON; anything else as it is."""
    return value_of_cell(value) if type(value) is str and value[:1] in ("{", "[") else value


def struct_of(written: str) -> Any:
    """`{type=AssumedRole, sessioncontext={...}}`, as Trino, Presto and Athena print a row type, and lists of such.

    They quote no text, so it is taken apart only where that can be done in one way: a name that stands twice, or an odd
    brace, may be somebody's own text that pretends to be a member. Then, and for any other text, it is the text itself.
    """
    value, end = _value_at(written, 0, 0) if written[:1] in ("{", "[") else (written, len(written))
    return value if end == len(written) else written


def _value_at(written: str, start: int, depth: int) -> tuple[Any, int]:
    """The struct, list or text that starts here, and where it ends; -1 where it cannot be read in one way."""
    if depth > _DEEPEST:
        return None, -1
    if written.startswith("{", start):
        return _struct_at(written, start, depth)
    if written.startswith("[", start):
        return _list_at(written, start, depth)
    stop = _TEXT_END.search(written, start)
    end = stop.start() if stop else len(written)
    text = written[start:end]
    return (None if text in ("null", "") else text), end


def _struct_at(written: str, start: int, depth: int) -> tuple[dict[str, Any] | None, int]:
    found: dict[str, Any] = {}
    position = start + 1
    while member := _MEMBER.match(written, position):
        value, position = _value_at(written, member.end(), depth + 1)
        if position < 0 or member[1] in found:
            break
        found[member[1]] = value
        if written.startswith("}", position):
            return found, position + 1
        if not written.startswith(_BETWEEN, position):
            break
        position += len(_BETWEEN)
    return None, -1


def _list_at(written: str, start: int, depth: int) -> tuple[list[Any] | None, int]:
    """A list of structs: texts in a list would end at a comma of their own."""
    found: list[Any] = []
    position = start + 1
    if written.startswith("]", position):
        return found, position + 1
    while written.startswith("{", position):
        value, position = _value_at(written, position, depth + 1)
        if position < 0:
            break
        found.append(value)
        if written.startswith("]", position):
            return found, position + 1
        if not written.startswith(_BETWEEN, position):
            break
        position += len(_BETWEEN)
    return None, -1
