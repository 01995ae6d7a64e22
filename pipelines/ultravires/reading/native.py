"""The native scanner (`pipelines/native`, Rust): many records taken apart in one pass, with no object for each value.

It is built where the project is installed, if Rust is there. Where it is not, `is_available` is false and everything is
read by `Source.events`: the rows are the same, in several times the time.

All it is given are bytes, and numbers of rows that it counted itself; what it gives back are Arrow's buffers.
"""

import ctypes
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ultravires.reading.columns import Codes, Columnar, Leaves, Places, Way
from ultravires.reading.source import Options

INTERFACE = 3
"""Of the library that this module knows how to call."""
ODD, SUSPECT = 1 | 4, 2
DECLINED = -1
_SUFFIX = {"darwin": "dylib", "win32": "dll"}.get(sys.platform, "so")
LIBRARY = Path(__file__).with_name(f"libultravires_native.{_SUFFIX}")
_UNIT, _GROUP = "\x1f", "\x1d"
_HASH_BYTES = 16
_ID_CHARACTERS = 32

_SIZE, _POINTER, _BYTES, _DONE = ctypes.c_size_t, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int64
_TEXT = (_BYTES, _SIZE)
_ROWS = (_POINTER, _SIZE)
_STRINGS = (_POINTER, _POINTER)
_FUNCTIONS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "uv_interface": (ctypes.c_uint32, ()),
    "uv_layout_new": (_POINTER, (*_TEXT, _SIZE, _SIZE)),
    "uv_layout_free": (None, (_POINTER,)),
    "uv_scan_new": (_POINTER, (_POINTER, *_TEXT, *_ROWS)),
    "uv_scan_free": (None, (_POINTER,)),
    "uv_count": (_DONE, (_POINTER,)),
    "uv_records_at": (_DONE, (_POINTER,) * 6),
    "uv_kinds": (_DONE, (_POINTER, _SIZE, *_ROWS, _POINTER)),
    "uv_text_bytes": (_DONE, (_POINTER, *_TEXT, _SIZE, *_ROWS)),
    "uv_texts": (_DONE, (_POINTER, *_TEXT, _SIZE, *_ROWS, _POINTER, _POINTER, _POINTER, _SIZE)),
    "uv_record_bytes": (_DONE, (_POINTER, *_TEXT, _POINTER, *_ROWS, *_TEXT)),
    "uv_records": (_DONE, (_POINTER, *_TEXT, _POINTER, *_ROWS, *_TEXT, *_STRINGS, _SIZE)),
    "uv_leaves_new": (_POINTER, (_POINTER, *_TEXT, _SIZE, *_ROWS, _SIZE)),
    "uv_leaves_free": (None, (_POINTER,)),
    "uv_leaf_count": (_DONE, (_POINTER,)),
    "uv_step_count": (_DONE, (_POINTER,)),
    "uv_leaves_at": (_DONE, (_POINTER,) * 9),
    "uv_slices": (_DONE, (*_TEXT, _POINTER, *_ROWS, *_STRINGS, _SIZE)),
    "uv_codes": (_DONE, (_POINTER, *_TEXT, _POINTER, _SIZE, *_ROWS, _POINTER, _POINTER)),
    "uv_record_hashes": (_DONE, (_POINTER, *_TEXT, *_ROWS, *_TEXT, _SIZE, _POINTER)),
    "uv_inner_json": (_DONE, (_POINTER, *_TEXT, _POINTER, _SIZE, *_ROWS, _POINTER, _POINTER, _POINTER, _SIZE)),
    "uv_suspects": (_DONE, (_POINTER, _SIZE, *_STRINGS, _POINTER)),
    "uv_moments": (_DONE, (_POINTER, *_TEXT, _SIZE, *_ROWS, *_STRINGS)),
    "uv_json_hashes": (_DONE, (_SIZE, *_STRINGS, *_TEXT, _SIZE, _POINTER)),
    "uv_event_ids": (_DONE, (*_TEXT, _SIZE, *_STRINGS, _POINTER, *_STRINGS, *_STRINGS, _POINTER)),
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


def _call(name: str, *arguments: Any) -> int:
    library = _library()
    assert library is not None, "asked for the native scanner where there is none"
    answer = int(getattr(library, name)(*arguments))
    if answer < 0:
        raise RuntimeError(f"the native scanner failed in {name}")
    return answer


class Layout:
    """What is looked for in records: the fields, arrays and nestings of a source (`reading.columns`), names of secrets,
    limits.
    """

    def __init__(self, columnar: Columnar, options: Options) -> None:
        library = _library()
        assert library is not None, "asked for the native scanner where there is none"
        groups = (columnar.paths(options), columnar.arrays, sorted(options.redact), columnar.nestings)
        text = _GROUP.join(_UNIT.join(group) for group in groups).encode()
        self.handle = library.uv_layout_new(text, len(text), options.max_record_bytes, options.max_depth)
        self._free = library.uv_layout_free
        assert self.handle, "the native scanner refuses this layout"

    def scan(self, texts: Sequence[bytes]) -> "Scan":
        """The records of some whole texts."""
        data = texts[0] if len(texts) == 1 else b"".join(texts)
        ends = np.cumsum([len(text) for text in texts], dtype=np.int64)
        library = cast(ctypes.CDLL, _library())
        handle = library.uv_scan_new(self.handle, data, len(data), _at(ends), len(ends))
        if not handle:
            raise RuntimeError("the native scanner failed in uv_scan_new")
        return Scan(handle, self, data, ends)

    def may_hold_secrets(self, texts: pa.StringArray) -> bool:
        """Whether one of these JSON texts may: `Redactor.suspects` finds which."""
        strings, out = pa.concat_arrays([texts]), np.empty(len(texts), np.bool_)
        _call("uv_suspects", self.handle, len(texts), *_addresses(strings), _at(out))
        return bool(out.any())

    def __del__(self) -> None:
        if handle := self.__dict__.get("handle"):
            self._free(handle)


class Scan:
    """The records of some texts, one after the other; a `Scanned` (`reading.columns`).

    `counts` says how many each text holds; DECLINED where it is not plainly one array of JSON objects, or one object a
    line. `flags` has ODD and SUSPECT for each record. ODD: not written as we would write it, or to be understood in two
    ways. SUSPECT: it may hold a secret that is no plain string.
    """

    def __init__(self, handle: int, layout: Layout, data: bytes, text_ends: Places) -> None:
        self._handle = handle
        self._layout = layout
        self._data = data
        self._text_ends = text_ends
        n_records = _call("uv_count", handle)
        self.counts = np.empty(len(text_ends), np.int64)
        self._starts, self._ends, self._lines = (np.empty(n_records, np.int64) for _ in range(3))
        self.flags = np.empty(n_records, np.uint8)
        positions = (_at(self._starts), _at(self._ends), _at(self._lines))
        _call("uv_records_at", handle, _at(self.counts), *positions, _at(self.flags))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        cast(ctypes.CDLL, _library()).uv_scan_free(self._handle)
        self._handle = 0

    def _call(self, name: str, *arguments: Any) -> int:
        """Calls a function of this scan and its text."""
        assert self._handle, "a scan that was closed"
        return _call(name, self._handle, self._data, len(self._data), *arguments)

    def offset(self, row: int) -> int:
        """Where a record starts in its text; of one that lies inside of others where their line does."""
        line = int(self._lines[row])
        text = int(np.searchsorted(self._text_ends, line, side="right"))
        return line - (int(self._text_ends[text - 1]) if text else 0)

    def kinds(self, field: int, rows: Places) -> npt.NDArray[np.uint8]:
        kinds = np.empty(len(rows), np.uint8)
        _call("uv_kinds", self._handle, field, *_rows(rows), _at(kinds))
        return kinds

    def texts(self, field: int, rows: Places) -> pa.StringArray:
        n = len(rows)
        size = self._call("uv_text_bytes", field, *_rows(rows))
        offsets, texts = np.empty(n + 1, np.int32), pa.allocate_buffer(size)
        valid = np.zeros((n + 7) // 8, np.uint8)
        self._call("uv_texts", field, *_rows(rows), _at(offsets), _at(valid), *_room(texts))
        return pa.StringArray.from_buffers(n, pa.py_buffer(offsets), texts, pa.py_buffer(valid))

    def moments(self, field: int, rows: Places) -> tuple[Places, npt.NDArray[np.uint8]]:
        moments, known = np.empty(len(rows), np.int64), np.empty(len(rows), np.uint8)
        self._call("uv_moments", field, *_rows(rows), _at(moments), _at(known))
        return moments, known

    def inner_json(self, field: int, rows: Places) -> tuple[npt.NDArray[np.uint8], pa.StringArray]:
        size = self._call("uv_text_bytes", field, *_rows(rows))
        kinds, offsets = np.empty(len(rows), np.uint8), np.empty(len(rows) + 1, np.int32)
        texts = pa.allocate_buffer(size)
        self._call("uv_inner_json", self._layout.handle, field, *_rows(rows), _at(kinds), _at(offsets), *_room(texts))
        return kinds, pa.StringArray.from_buffers(len(rows), pa.py_buffer(offsets), texts)

    def codes(self, fields: Sequence[int], rows: Places) -> tuple[Codes, Places]:
        wanted = np.array(fields, np.uint32)
        codes, firsts = np.empty(len(rows), np.int32), np.empty(len(rows), np.int64)
        n = self._call("uv_codes", _at(wanted), len(wanted), *_rows(rows), _at(codes), _at(firsts))
        return codes, firsts[:n]

    def leaves(self, field: int, rows: Places, most_steps: int) -> Leaves:
        assert self._handle, "a scan that was closed"
        library = cast(ctypes.CDLL, _library())
        found = library.uv_leaves_new(self._handle, self._data, len(self._data), field, *_rows(rows), most_steps)
        if not found:
            raise RuntimeError("the native scanner failed in uv_leaves_new")
        try:
            n, n_steps = _call("uv_leaf_count", found), _call("uv_step_count", found)
            places, ways = np.empty(n, np.int32), np.empty(n, np.int32)
            starts, ends = np.empty(n, np.uint32), np.empty(n, np.uint32)
            befores, are_members = np.empty(n_steps, np.int32), np.empty(n_steps, np.bool_)
            names = np.empty((2, n_steps), np.uint32)
            columns = (places, ways, starts, ends, befores, names[0], names[1], are_members)
            _call("uv_leaves_at", found, *map(_at, columns))
        finally:
            library.uv_leaves_free(found)
        steps = zip(befores.tolist(), self._slices(*names).to_pylist(), are_members.tolist(), strict=True)
        return Leaves(places, ways, _ways(steps), lambda mask: self._slices(starts[mask], ends[mask]))

    def _slices(self, starts: npt.NDArray[np.uint32], ends: npt.NDArray[np.uint32]) -> pa.StringArray:
        """The texts between some places of the data, without their escapes."""
        offsets, texts = np.empty(len(starts) + 1, np.int32), pa.allocate_buffer(int((ends - starts).sum()))
        data = self._data, len(self._data)
        _call("uv_slices", *data, _at(starts), _at(ends), len(starts), _at(offsets), *_room(texts))
        return pa.StringArray.from_buffers(len(starts), pa.py_buffer(offsets), texts)

    def records(self, rows: Places, key: bytes) -> pa.StringViewArray:
        """The whole records, each as a text of its own; under a key without secrets that are plain strings
        (`Redactor.hide`). What can stay as it is is not copied.
        """
        wanted = (self._layout.handle, *_rows(rows), key, len(key))
        views, texts = np.empty((len(rows), 4), np.int32), pa.allocate_buffer(self._call("uv_record_bytes", *wanted))
        n_staying = self._call("uv_records", *wanted, _at(views), *_room(texts))
        buffers = [None, pa.py_buffer(views), pa.py_buffer(self._data if n_staying else b""), texts]
        return pa.Array.from_buffers(pa.string_view(), len(rows), buffers)

    def json_hashes(self, texts: pa.StringArray, key: bytes) -> pa.StringArray:
        known = texts.drop_null()
        strings = pa.concat_arrays([known])
        out = np.empty(2 * _HASH_BYTES * len(known), np.uint8)
        _call("uv_json_hashes", len(known), *_addresses(strings), key, len(key), _HASH_BYTES, _at(out))
        hashes = _of_equal_length(out, 2 * _HASH_BYTES)
        if len(known) == len(texts):
            return hashes
        return pc.replace_with_mask(pa.nulls(len(texts), pa.string()), texts.is_valid(), hashes)

    def record_hashes(self, rows: Places, key: bytes) -> pa.StringArray:
        """`keyed_hash` of each record as it stands in the text."""
        out = np.empty(2 * _HASH_BYTES * len(rows), np.uint8)
        self._call("uv_record_hashes", *_rows(rows), key, len(key), _HASH_BYTES, _at(out))
        return _of_equal_length(out, 2 * _HASH_BYTES)


def event_ids(
    log: str, natives: pa.StringArray, moments: pa.Int64Array, actions: pa.StringArray, outcomes: pa.StringArray
) -> pa.StringArray:
    """`reading.source.event_id` of many events of one log. No native id and no moment is null."""
    n, name = len(natives), log.encode()
    out = np.empty(_ID_CHARACTERS * n, np.uint8)
    at = np.ascontiguousarray(moments.to_numpy())
    strings = [pa.concat_arrays([column.fill_null("")]) for column in (natives, actions, outcomes)]
    of_natives, of_actions, of_outcomes = (_addresses(column) for column in strings)
    _call("uv_event_ids", name, len(name), n, *of_natives, _at(at), *of_actions, *of_outcomes, _at(out))
    return _of_equal_length(out, _ID_CHARACTERS)


def _ways(steps: Iterable[tuple[int, str, bool]]) -> list[Way]:
    """The whole way that ends with each step, from the way before it, the name, and whether it has one."""
    ways: list[Way] = []
    for before, name, is_member in steps:
        ways.append((*ways[before], name if is_member else None) if ways else ())
    return ways


def _at(array: npt.NDArray[Any]) -> int:
    return array.ctypes.data


def _rows(rows: Places) -> tuple[int, int]:
    assert rows.dtype == np.int64 and rows.flags.c_contiguous, "the scanner would read other numbers"
    return _at(rows), len(rows)


def _room(buffer: pa.Buffer) -> tuple[int, int]:
    return (buffer.address, buffer.size) if buffer.size else (0, 0)


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
