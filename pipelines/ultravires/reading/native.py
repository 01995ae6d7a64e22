"""The native scanner (`pipelines/native`, Rust): many records taken apart in one pass, without an object for each value.

It is built where the project is installed, if Rust is there. Where it is not, `is_available` is false and everything is
read by `Source.events`: the rows are the same, in several times the time.

All it is given are bytes, and numbers of rows that it counted itself; what it gives back are Arrow's buffers.
"""

import ctypes
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ultravires.reading.columns import ABSENT, NULL, Codes, Places
from ultravires.reading.source import Options

INTERFACE = 1
"""Of the library that this module knows how to call."""
ODD, SUSPECT = 1, 2
DECLINED = -1
_SUFFIX = {"darwin": "dylib", "win32": "dll"}.get(sys.platform, "so")
LIBRARY = Path(__file__).with_name(f"libultravires_native.{_SUFFIX}")
_UNIT, _GROUP = "\x1f", "\x1d"
_HASH_BYTES = 16
_NO_PLACES = np.zeros(0, np.int64)
_NO_TEXTS = pa.array([], pa.large_string())
_ID_CHARACTERS = 32

_SIZE, _POINTER = ctypes.c_size_t, ctypes.c_void_p
_FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "uv_interface": (ctypes.c_uint32, []),
    "uv_layout_new": (_POINTER, [ctypes.c_char_p, _SIZE, _SIZE, _SIZE]),
    "uv_layout_free": (None, [_POINTER]),
    "uv_scan_new": (_POINTER, [_POINTER, ctypes.c_char_p, _SIZE, _POINTER, _SIZE]),
    "uv_scan_free": (None, [_POINTER]),
    "uv_count": (ctypes.c_int64, [_POINTER]),
    "uv_records_at": (ctypes.c_int64, [_POINTER] * 5),
    "uv_kinds": (ctypes.c_int64, [_POINTER, _SIZE, _POINTER, _SIZE, _POINTER]),
    "uv_text_bytes": (ctypes.c_int64, [_POINTER, _SIZE, _POINTER, _SIZE]),
    "uv_texts": (
        ctypes.c_int64,
        [_POINTER, ctypes.c_char_p, _SIZE, _SIZE, _POINTER, _SIZE, _POINTER, _POINTER, _POINTER, _SIZE],
    ),
    "uv_record_bytes": (ctypes.c_int64, [_POINTER, _POINTER, _SIZE]),
    "uv_records": (
        ctypes.c_int64,
        [
            *(_POINTER, ctypes.c_char_p, _SIZE, _POINTER, _SIZE),
            *(_POINTER, _SIZE, _POINTER, _POINTER, ctypes.c_char_p, _SIZE, _POINTER, _POINTER, _SIZE),
        ],
    ),
    "uv_codes": (
        ctypes.c_int64,
        [_POINTER, ctypes.c_char_p, _SIZE, _POINTER, _SIZE, _POINTER, _SIZE, _POINTER, _POINTER],
    ),
    "uv_record_hashes": (
        ctypes.c_int64,
        [_POINTER, ctypes.c_char_p, _SIZE, _POINTER, _SIZE, ctypes.c_char_p, _SIZE, _SIZE, _POINTER],
    ),
    "uv_sorted_hashes": (
        ctypes.c_int64,
        [_POINTER, ctypes.c_char_p, _SIZE, _SIZE, _POINTER, _SIZE, ctypes.c_char_p, _SIZE, _SIZE, _POINTER],
    ),
    "uv_event_ids": (ctypes.c_int64, [ctypes.c_char_p, _SIZE, _SIZE, *[_POINTER] * 8]),
}


@cache
def _library() -> ctypes.CDLL | None:
    """The built library; None where there is none, or one of another version."""
    try:
        library = ctypes.CDLL(str(LIBRARY))
        for name, (result, arguments) in _FUNCTIONS.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError):
        return None
    return library if library.uv_interface() == INTERFACE else None


def is_available() -> bool:
    """Whether the library was built here."""
    return _library() is not None


class Layout:
    """What is looked for in records: `paths` of fields, arrays that may wrap them, names of secrets, limits."""

    def __init__(self, paths: Sequence[str], arrays: Sequence[str], options: Options) -> None:
        self.paths = tuple(paths)
        library = _library()
        assert library is not None, "asked for the native scanner where there is none"
        groups = (self.paths, tuple(arrays), sorted(options.redact))
        text = _GROUP.join(_UNIT.join(group) for group in groups).encode()
        self._handle = library.uv_layout_new(text, len(text), options.max_record_bytes, options.max_depth)
        self._free = library.uv_layout_free
        assert self._handle, "the native scanner refuses this layout"

    def scan(self, texts: Sequence[bytes]) -> "Scan":
        """The records of some whole texts."""
        library = cast(ctypes.CDLL, _library())
        data = texts[0] if len(texts) == 1 else b"".join(texts)
        ends = np.cumsum([len(text) for text in texts], dtype=np.int64)
        handle = library.uv_scan_new(self._handle, data, len(data), _at(ends), len(ends))
        if not handle:
            raise RuntimeError("the native scanner failed in uv_scan_new")
        return Scan(library, handle, data, ends)

    def __del__(self) -> None:
        if handle := self.__dict__.get("_handle"):
            self._free(handle)


class Scan:
    """The records of some texts, one after the other; a `Scanned` (`reading.columns`).

    `counts` says how many each text holds; DECLINED where it is not plainly one array of JSON objects, or one object a
    line. `flags` has ODD and SUSPECT for each record. ODD: not written as we would write it, or to be understood in two
    ways. SUSPECT: it may hold a secret that is no plain string.
    """

    def __init__(self, library: ctypes.CDLL, handle: int, data: bytes, text_ends: Places) -> None:
        self._library = library
        self._handle = handle
        self._data = data
        self._text_ends = text_ends
        n_records = int(library.uv_count(handle))
        self.counts = np.empty(len(text_ends), np.int64)
        self.starts = np.empty(n_records, np.int64)
        self.ends = np.empty(n_records, np.int64)
        self.flags = np.empty(n_records, np.uint8)
        self._call("uv_records_at", _at(self.counts), _at(self.starts), _at(self.ends), _at(self.flags))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._library.uv_scan_free(self._handle)
        self._handle = 0

    def _call(self, name: str, *arguments: Any) -> int:
        """Calls a function of this scan."""
        assert self._handle, "a scan that was closed"
        answer = int(getattr(self._library, name)(self._handle, *arguments))
        if answer < 0:
            raise RuntimeError(f"the native scanner failed in {name}")
        return answer

    def _text(self) -> tuple[bytes, int]:
        return self._data, len(self._data)

    def record(self, row: int) -> bytes:
        """The bytes of one record."""
        return self._data[self.starts[row] : self.ends[row]]

    def offset(self, row: int) -> int:
        """Where a record starts in its text."""
        text = int(np.searchsorted(self._text_ends, self.starts[row], side="right"))
        return int(self.starts[row]) - (int(self._text_ends[text - 1]) if text else 0)

    def kinds(self, field: int, rows: Places) -> npt.NDArray[np.uint8]:
        kinds = np.empty(len(rows), np.uint8)
        self._call("uv_kinds", field, _at(rows), len(rows), _at(kinds))
        return kinds

    def texts(self, field: int, rows: Places) -> pa.StringArray:
        n = len(rows)
        size = self._call("uv_text_bytes", field, _at(rows), n)
        offsets, texts = np.empty(n + 1, np.int32), pa.allocate_buffer(size)
        valid = np.zeros((n + 7) // 8, np.uint8)
        self._call(
            "uv_texts", *self._text(), field, _at(rows), n, _at(offsets), _at(valid), texts.address if size else 0, size
        )
        return pa.StringArray.from_buffers(n, pa.py_buffer(offsets), texts, pa.py_buffer(valid))

    def codes(self, fields: Sequence[int], rows: Places) -> tuple[Codes, Places]:
        wanted = np.array(fields, np.uint32)
        codes, firsts = np.empty(len(rows), np.int32), np.empty(len(rows), np.int64)
        n = self._call(
            "uv_codes", *self._text(), _at(wanted), len(wanted), _at(rows), len(rows), _at(codes), _at(firsts)
        )
        return codes, firsts[:n]

    def records(
        self, rows: Places, key: bytes, places: Places = _NO_PLACES, others: pa.LargeStringArray = _NO_TEXTS
    ) -> pa.LargeStringArray:
        """The whole records as they stand in the text, but for secrets that are plain strings (`Redactor.hide` under
        this key); those at `places` (ascending) in other words.
        """
        n = len(rows)
        size = self._call("uv_record_bytes", _at(rows), n) + others.nbytes
        offsets, texts = np.empty(n + 1, np.int64), pa.allocate_buffer(size)
        self._call(
            "uv_records",
            *(*self._text(), _at(rows), n),
            *(_at(places), len(places), *_addresses(others), key, len(key)),
            *(_at(offsets), texts.address if size else 0, size),
        )
        return pa.LargeStringArray.from_buffers(n, pa.py_buffer(offsets), texts)

    def record_hashes(self, rows: Places, key: bytes) -> pa.StringArray:
        """`keyed_hash` of each record."""
        out = np.empty(2 * _HASH_BYTES * len(rows), np.uint8)
        self._call(
            "uv_record_hashes", *self._text(), _at(rows), len(rows), key, len(key), _HASH_BYTES, _at(out)
        )
        return _of_equal_length(out, 2 * _HASH_BYTES)

    def hashes(self, field: int, rows: Places, key: bytes) -> pa.StringArray:
        is_something = ~np.isin(self.kinds(field, rows), (ABSENT, NULL))
        some = rows[is_something]
        out = np.empty(2 * _HASH_BYTES * len(some), np.uint8)
        self._call("uv_sorted_hashes", *self._text(), field, _at(some), len(some), key, len(key), _HASH_BYTES, _at(out))
        hashes = _of_equal_length(out, 2 * _HASH_BYTES)
        if len(some) == len(rows):
            return hashes
        return pc.replace_with_mask(pa.nulls(len(rows), pa.string()), pa.array(is_something), hashes)


def event_ids(
    log: str, natives: pa.StringArray, moments: pa.Int64Array, actions: pa.StringArray, outcomes: pa.StringArray
) -> pa.StringArray:
    """`reading.source.event_id` of many events of one log. No native id and no moment is null."""
    library = _library()
    assert library is not None, "asked for the native scanner where there is none"
    n, name = len(natives), log.encode()
    out = np.empty(_ID_CHARACTERS * n, np.uint8)
    at = np.ascontiguousarray(moments.to_numpy())
    strings = [pa.concat_arrays([column.fill_null("")]) for column in (natives, actions, outcomes)]
    of_natives, of_actions, of_outcomes = (_addresses(column) for column in strings)
    answer = library.uv_event_ids(name, len(name), n, *of_natives, _at(at), *of_actions, *of_outcomes, _at(out))
    if answer < 0:
        raise RuntimeError("the native scanner failed in uv_event_ids")
    return _of_equal_length(out, _ID_CHARACTERS)


def _at(array: npt.NDArray[Any]) -> int:
    return array.ctypes.data


_NO_STRINGS = np.zeros(1, np.int64)


def _addresses(strings: pa.Array) -> tuple[int, int]:
    """Where the offsets and the bytes of an array are, which has no offset of its own."""
    if not len(strings):
        return _at(_NO_STRINGS), 0
    _, offsets, texts = strings.buffers()
    return offsets.address, texts.address if texts is not None and texts.size else 0


def _of_equal_length(characters: npt.NDArray[np.uint8], length: int) -> pa.StringArray:
    offsets = np.arange(0, len(characters) + 1, length, dtype=np.int32)
    return pa.StringArray.from_buffers(len(characters) // length, pa.py_buffer(offsets), pa.py_buffer(characters))
