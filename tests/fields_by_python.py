"""The fields of records for reading by the column, taken apart by decoding whole records: slow, and plain to see."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from ultravires.reading.columns import (
    ABSENT,
    ARRAY,
    FALSE,
    NULL,
    NUMBER,
    OBJECT,
    STRING,
    TRUE,
    UNSURE,
    Codes,
    Fields,
    Leaves,
    Places,
    Way,
)
from ultravires.reading.values import canonical, text

_NOTHING = object()
_KINDS = {str: STRING, int: NUMBER, float: NUMBER, type(None): NULL, dict: OBJECT, list: ARRAY, object: ABSENT}


def all_fields(records: Sequence[bytes], paths: Sequence[str]) -> Fields:
    """The fields of all these records; each must be `is_scanned`."""
    return Fields(ScannedByPython(records, paths), paths, np.arange(len(records)))


def is_scanned(record: bytes, paths: Sequence[str]) -> bool:
    """Whether a record is read by the column: written as we would write it, its wanted strings without escapes."""
    value = msgspec.json.decode(record)
    wanted = [_member(value, path) for path in paths]
    has_escapes = any(type(found) is str and b"\\" in msgspec.json.encode(found) for found in wanted)
    return bool(msgspec.json.encode(value) == record) and not has_escapes


class ScannedByPython:
    """`reading.columns.Scanned` of decoded records."""

    def __init__(self, records: Sequence[bytes], paths: Sequence[str]) -> None:
        decoded = [msgspec.json.decode(record) for record in records]
        self._values = [[_member(record, path) for record in decoded] for path in paths]

    def kinds(self, field: int, rows: Places) -> npt.NDArray[np.uint8]:
        return np.array([_kind(value) for value in self._of(field, rows)], np.uint8)

    def texts(self, field: int, rows: Places) -> pa.StringArray:
        return pa.array([_text(value) for value in self._of(field, rows)], pa.string())

    def codes(self, fields: Sequence[int], rows: Places) -> tuple[Codes, Places]:
        columns = [[(_kind(value), _text(value)) for value in self._of(field, rows)] for field in fields]
        seen: dict[Any, int] = {}
        codes = np.array([seen.setdefault(said, len(seen)) for said in zip(*columns, strict=True)], np.int32)
        return codes, np.unique(codes, return_index=True)[1]

    def leaves(self, field: int, rows: Places, most_steps: int) -> Leaves:
        found = [
            (place, way, text)
            for place, value in enumerate(self._of(field, rows))
            for way, text in _leaves(value, (), most_steps)
            if way
        ]
        places, ways, texts = zip(*found, strict=True) if found else ((), (), ())
        known = list(dict.fromkeys(ways))
        codes = np.array([known.index(way) for way in ways], np.int32)
        array = pa.array(texts, pa.string())
        return Leaves(np.array(places, np.int32), codes, known, lambda mask: array.filter(pa.array(mask)))

    def moments(self, field: int, rows: Places) -> tuple[Places, npt.NDArray[np.uint8]]:
        texts = [text(value) for value in self._of(field, rows)]
        known = [UNSURE if value else ABSENT for value in texts]  # all of them are left to Python
        return np.zeros(len(texts), np.int64), np.array(known, np.uint8)

    def json_hashes(self, texts: pa.StringArray, key: bytes) -> pa.StringArray:
        values = [None if text is None else canonical(msgspec.json.decode(text)) for text in texts.to_pylist()]
        hashes = [value and hashlib.blake2b(value, key=key, digest_size=16).hexdigest() for value in values]
        return pa.array(hashes, pa.string())

    def _of(self, field: int, rows: Places) -> list[Any]:
        return [self._values[field][row] for row in rows.tolist()]


def _leaves(value: Any, way: Way, steps_left: int) -> Iterator[tuple[Way, str]]:
    if type(value) is str:
        yield way, value
    inside = value.items() if type(value) is dict else [(None, one) for one in value] if type(value) is list else ()
    for name, one in inside if steps_left else ():
        yield from _leaves(one, (*way, name), steps_left - 1)


def _member(record: Any, path: str) -> Any:
    value = record
    for name in path.split("."):
        value = value.get(name, _NOTHING) if type(value) is dict else _NOTHING
    return value


def _kind(value: Any) -> int:
    return (TRUE if value else FALSE) if type(value) is bool else _KINDS[type(value)]


def _text(value: Any) -> str | None:
    if value is _NOTHING or type(value) is str:
        return None if value is _NOTHING else value
    return msgspec.json.encode(value).decode()
