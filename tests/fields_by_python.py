"""Records taken apart by plain Python, as `reading.columns.Scanned` describes it: slow, and plainly right."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from ultravires.reading.columns import ABSENT, ARRAY, FALSE, NULL, NUMBER, OBJECT, STRING, TRUE, Codes, Fields, Places

_NOTHING = object()
_KINDS = {int: NUMBER, float: NUMBER, dict: OBJECT, list: ARRAY, type(None): NULL}


class Unreadable(Exception):
    """A wanted string holds an escape, and so the record is not read by the column."""


class ScannedByPython:
    """Of every record the wanted fields: what they hold, and their text."""

    def __init__(self, records: Sequence[dict[str, Any]], paths: Sequence[str]) -> None:
        fields = [[field_of(record, path) for record in records] for path in paths]
        self._kinds = [np.array([kind for kind, _ in field], np.uint8) for field in fields]
        self._texts = [pa.array([text for _, text in field], pa.string()) for field in fields]

    def kinds(self, field: int, rows: Places) -> np.ndarray:
        return self._kinds[field][rows]

    def texts(self, field: int, rows: Places) -> pa.StringArray:
        return self._texts[field].take(pa.array(rows))

    def codes(self, fields: Sequence[int], rows: Places) -> tuple[Codes, Places]:
        columns = [
            part for field in fields for part in (self.kinds(field, rows).tolist(), self.texts(field, rows).to_pylist())
        ]
        places: dict[tuple[Any, ...], int] = {}
        firsts: list[int] = []
        codes = []
        for row, held in enumerate(zip(*columns, strict=True)):
            code = places.setdefault(held, len(places))
            if code == len(firsts):
                firsts.append(row)
            codes.append(code)
        return np.array(codes, np.int32), np.array(firsts, np.int64)


def field_of(record: dict[str, Any], path: str) -> tuple[int, str | None]:
    """What the field holds, and its text. Raises Unreadable for a string that is not written as it is."""
    value: Any = record
    for name in path.split("."):
        value = value.get(name, _NOTHING) if type(value) is dict else _NOTHING
    if value is _NOTHING:
        return ABSENT, None
    written = msgspec.json.encode(value).decode()
    if type(value) is not str:
        return (TRUE if value else FALSE) if type(value) is bool else _KINDS[type(value)], written
    if "\\" in written:
        raise Unreadable(path)
    return STRING, written[1:-1]


def fields_of(records: Sequence[bytes], paths: Sequence[str]) -> tuple[Fields, list[dict[str, Any]]]:
    """The wanted fields of all records that can be read by the column, and those records decoded."""
    readable = [record for record in map(msgspec.json.decode, records) if is_readable(record, paths)]
    return Fields(ScannedByPython(readable, paths), paths, np.arange(len(readable))), readable


def is_readable(record: Any, paths: Sequence[str]) -> bool:
    try:
        return type(record) is dict and all(field_of(record, path) for path in paths)
    except Unreadable:
        return False
