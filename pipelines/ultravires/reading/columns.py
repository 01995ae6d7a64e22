"""Reading by the column: what the records of a batch mean, told column by column and once for equal fields.

`Source.events` says what one record means; it decodes all of it and costs about as much as everything else. Most
records of a log say the same again in most of their fields. So a source may also say it by the column (`Columnar`):
which fields its `events` looks at, which records are of the usual kind, and what their columns are. The others are read
by `events`, and for every record that both can read both must say the same: the tests hold a source to that.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ultravires.schema import KEY

if TYPE_CHECKING:
    from ultravires.reading.source import Options

Places = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int32]

ABSENT, STRING, NUMBER, TRUE, FALSE, NULL, OBJECT, ARRAY, ESCAPED = range(9)
"""What a field holds, as `Fields.kinds` says it; ESCAPED is a string that is written with escapes."""
UNSURE = 255
"""What `Fields.inner_json` says of a string that only `events` can decode."""

_decode = msgspec.json.Decoder().decode


Way = tuple[str | None, ...]
"""How a string lies in a field: the names of the members that lead to it, None for an element of an array."""


@dataclass(frozen=True)
class Leaves:
    """The strings inside of some objects and arrays, in their order.

    Of each string `places` has the place of its row, and `codes` the place of its way among the different `ways`.
    `texts` gives the strings themselves of those that a mask chooses.
    """

    places: Codes
    codes: Codes
    ways: list[Way]
    texts: Callable[[Mask], pa.StringArray]

    def are(self, answers: Sequence[bool]) -> Mask:
        """A mask of the strings, from an answer for each of `ways`."""
        return np.array(answers, np.bool_)[self.codes]


class Scanned(Protocol):
    """Records in one text, taken apart as far as the wanted fields; a field is known by its place among the paths."""

    def kinds(self, field: int, rows: Places) -> npt.NDArray[np.uint8]: ...
    def texts(self, field: int, rows: Places) -> pa.StringArray:
        """What is between the quotes of a string; the JSON text of any other value; null where the field is absent."""

    def codes(self, fields: Sequence[int], rows: Places) -> tuple[Codes, Places]:
        """Rows with equal fields (in kind and text) have equal codes, counted from 0 in the order in which they come;
        and for each code the place in `rows` of its first.
        """

    def leaves(self, field: int, rows: Places, most_steps: int) -> Leaves:
        """The strings in the rows that hold an object or an array, up to so many steps deep."""

    def moments(self, field: int, rows: Places) -> tuple[Places, npt.NDArray[np.uint8]]:
        """The times that the rows' texts are, in microseconds since 1970, and STRING; ABSENT where there is no text,
        UNSURE where only `reading.values.micros` can read it.
        """

    def inner_json(self, field: int, rows: Places) -> tuple[npt.NDArray[np.uint8], pa.StringArray]:
        """What JSON is written inside of strings, with its text as we would write it. STRING, and what is between the
        quotes, for a string that does not begin as an object or an array; UNSURE where that is not plainly written or
        no JSON; any other value as it is.
        """

    def json_hashes(self, texts: pa.StringArray, key: bytes) -> pa.StringArray:
        """`reading.source.hash_arguments` of JSON texts as we would write them, under this key; null for null."""


@dataclass(frozen=True)
class Distinct:
    """The different values that some fields hold together: `values` decoded, as many in each as fields were asked for
    (None where absent), and for each row the place of its own among them.
    """

    codes: Codes
    values: list[tuple[Any, ...]]

    def column(self, meaning: Callable[..., Any], kind: pa.DataType) -> pa.DictionaryArray:
        """What each row's values mean, by a function that is called once for equal ones."""
        return self.spread([meaning(*values) for values in self.values], kind)

    def spread(self, meanings: Iterable[Any], kind: pa.DataType) -> pa.DictionaryArray:
        """For each row the one of `meanings`, of which there is one for each of `values`."""
        return pa.DictionaryArray.from_arrays(pa.array(self.codes), pa.array(meanings, kind))


class Fields:
    """The fields of some records of a batch, by their dotted paths. What was not asked for in `paths` is not there."""

    def __init__(self, scanned: Scanned, paths: Sequence[str], rows: Places) -> None:
        self._scanned = scanned
        self._paths = paths
        self.rows = rows
        self._distinct: dict[tuple[str, ...], Distinct] = {}

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return {path.removeprefix("~"): place for place, path in enumerate(self._paths)}

    def at(self, rows: Places) -> "Fields":
        """The same fields of some of these records, in their order; different values are not looked for again."""
        if len(rows) == len(self.rows):
            return self
        fields = Fields(self._scanned, self._paths, rows)
        places = np.searchsorted(self.rows, rows)
        for paths, found in self._distinct.items():
            left, codes = np.unique(found.codes[places], return_inverse=True)
            values = [found.values[code] for code in left.tolist()]
            fields._distinct[paths] = Distinct(codes.astype(np.int32), values)
        return fields

    def where(self, mask: Mask) -> "Fields":
        """The same fields of fewer records."""
        return Fields(self._scanned, self._paths, self.rows[mask])

    def kinds(self, path: str) -> npt.NDArray[np.uint8]:
        """What the field holds in each record: ABSENT, STRING ..."""
        return self._scanned.kinds(self._places[path], self.rows)

    def json(self, path: str) -> pa.StringArray:
        """The JSON text of the value, of a string what is between its quotes; null where the field is absent."""
        return self._scanned.texts(self._places[path], self.rows)

    def text(self, path: str) -> pa.StringArray:
        """The value where it is a string with something in it, else null; as `reading.values.text`."""
        texts = self.json(path)
        is_text = (self.kinds(path) == STRING) & (pc.binary_length(texts).fill_null(0).to_numpy() > 0)
        return texts if is_text.all() else pc.if_else(pa.array(is_text), texts, None)

    def leaves(self, path: str, most_steps: int) -> Leaves:
        """The strings inside of the field where it is an object or an array, up to so many steps deep."""
        return self._scanned.leaves(self._places[path], self.rows, most_steps)

    def moments(self, path: str) -> tuple[Places, npt.NDArray[np.uint8]]:
        """The times that the field's texts are, as far as they are in the usual form (`Scanned.moments`)."""
        return self._scanned.moments(self._places[path], self.rows)

    def inner_json(self, path: str) -> tuple[npt.NDArray[np.uint8], pa.StringArray]:
        """What JSON is written inside of the field's strings, and its text (`Scanned.inner_json`)."""
        return self._scanned.inner_json(self._places[path], self.rows)

    def json_hashes(self, texts: pa.StringArray, key: bytes) -> pa.StringArray:
        """The keyed hash of each JSON text, as `reading.source.hash_arguments` of what it decodes to; null for null."""
        return self._scanned.json_hashes(texts, key)

    def distinct(self, *paths: str) -> Distinct:
        """The different values that these fields hold together, decoded; found once."""
        if paths not in self._distinct:
            self._distinct[paths] = self._find_distinct(paths)
        return self._distinct[paths]

    def distinct_texts(self, path: str) -> tuple[Codes, list[str | None]]:
        """The different values of one field as JSON texts, and for each row the place of its own among them."""
        codes, firsts = self._scanned.codes([self._places[path]], self.rows)
        return codes, Fields(self._scanned, self._paths, self.rows[firsts]).json(path).to_pylist()

    def _find_distinct(self, paths: Sequence[str]) -> Distinct:
        codes, firsts = self._scanned.codes([self._places[path] for path in paths], self.rows)
        of_firsts = Fields(self._scanned, self._paths, self.rows[firsts])
        return Distinct(codes, list(zip(*map(of_firsts._decoded, paths), strict=True)))

    def _decoded(self, path: str) -> list[Any]:
        pairs = zip(self.kinds(path).tolist(), self.json(path).to_pylist(), strict=True)
        return [text if kind in (STRING, ABSENT) else _decode(text) for kind, text in pairs]


@dataclass(frozen=True)
class Columnar:
    """How a source reads by the column.

    `paths` are the fields that it looks at under some options, dotted. `takes` says which records `columns` knows the
    meaning of: each of them is one event with a vendor's id. `columns` gives the columns of EVENTS that have something
    in them, but for those that the reading itself knows (ids, hashes, provenance, `raw`); a column of few different
    values as a DictionaryArray. A record comes to neither where a field holds a string with escapes, where a name
    stands twice in an object, where its text is not as we would write it, or where it may hold a secret that is no
    plain string: `events` reads those.
    A field `attributes/<key>` is one of a list of `{"key": ..., "value": ...}`, of the record or around it; a field
    with `~` before it is wanted also where it is a string with escapes.
    `ignores` says which records hold no event; none where it is not given.
    `arrays` names the arrays that records may be wrapped in, as in `{"Records": [`; `nestings` those that records lie
    inside of, each in the elements of the one before: `resourceSpans.scopeSpans.spans`.
    """

    paths: "Callable[[Options], tuple[str, ...]]"
    takes: Callable[[Fields], Mask]
    columns: "Callable[[Fields, Options], Mapping[str, pa.Array]]"
    ignores: Callable[[Fields], Mask] | None = None
    arrays: tuple[str, ...] = ()
    nestings: tuple[str, ...] = ()


def key_lists(count: int, keys: Sequence[tuple[str, pa.Array, str]]) -> pa.ListArray:
    """The column `keys` of `count` events: of each those of `keys`, in this order, whose value is not null.

    A key is its kind, its values (one a row) and its role.
    """
    keys = [(kind, _plain(values), role) for kind, values, role in keys]
    keys = [key for key in keys if key[1].null_count < count] or keys
    present = np.stack([values.is_valid().to_numpy(zero_copy_only=False) for _, values, _ in keys], axis=1)
    rows, which = np.nonzero(present)
    values = pa.concat_arrays([column for _, column, _ in keys])
    kinds, roles = (pa.array([key[part] for key in keys], pa.string()).take(pa.array(which)) for part in (0, 2))
    structs = pa.StructArray.from_arrays([kinds, values.take(pa.array(which * count + rows)), roles], fields=list(KEY))
    offsets = np.zeros(count + 1, np.int32)
    np.cumsum(present.sum(axis=1), out=offsets[1:])
    return pa.ListArray.from_arrays(pa.array(offsets), structs)


def _plain(values: pa.Array) -> pa.Array:
    return values.dictionary_decode() if isinstance(values, pa.DictionaryArray) else values
