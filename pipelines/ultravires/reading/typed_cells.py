"""Cells of a table as the values they were before: JSON, structs as query engines print them, and names with dots.

Trino, Presto and Athena print a row type as `{type=AssumedRole, sessioncontext={...}}` and do not quote its texts. So it
is taken apart only where that can be done in one way: a name that stands twice, or an odd brace, may be somebody's own
text that pretends to be a member.
"""

import re
from typing import Any

import msgspec

_MEMBER = re.compile(r"([A-Za-z_][\w-]{0,100})=")
_TEXT_END = re.compile(r", (?=[A-Za-z_][\w-]{0,100}=)|[{}\[\]]")
_BETWEEN = ", "
_DEEPEST = 8
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None}
_UNDECODABLE = (msgspec.DecodeError, UnicodeError, RecursionError)


def record_of_cells(cells: dict[str, str]) -> dict[str, Any]:
    """An object of a row's cells. A column `actor.id` is the member `id` of the member `actor`, where both can be."""
    record: dict[str, Any] = {}
    for column, cell in cells.items():
        value = value_of_cell(cell)
        *outer, name = column.split(".")
        inside = record
        for part in outer:
            inner = inside.setdefault(part, {})
            if not isinstance(inner, dict):
                break
            inside = inner
        else:
            inside.setdefault(name, value)
            continue
        record[column] = value
    return record


def value_of_cell(cell: str) -> Any:
    """Numbers stay text: an account's id is one that begins with a zero, and readers take both."""
    if cell in _WORDS:
        return _WORDS[cell]
    if cell[:1] not in ("{", "["):
        return cell
    try:
        return msgspec.json.decode(cell)
    except _UNDECODABLE:
        value, end = _value_at(cell, 0, 0)
        return value if end == len(cell) else cell


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
