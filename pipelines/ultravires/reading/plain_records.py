"""Records that are written exactly as we would write them: read by their Struct, without a dictionary of all they hold.

A source names the fields that it looks at in a `Record`. Of most records msgspec then makes few objects: what repeats
from record to record stays bytes, and is decoded once for equal bytes (`Part`). Such a record is only taken where
writing it back gives the very same bytes, which shows that it hides nothing: no repeated name, no blank, no odd number
or escape, no field that the Struct does not know. Then its bytes are its `raw`. All other records, and those with a
secret, are decoded to a dictionary, written back and redacted; the Struct is filled from the dictionary, so that the
source's one function of meaning reads both.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache, wraps
from typing import Any, ParamSpec, Self, TypeVar, get_args, get_origin

import msgspec
from msgspec import UNSET, Raw, UnsetType

from ultravires.reading.redaction import Redactor
from ultravires.reading.source import NotParsed, Options

Repeated = Raw | UnsetType
"""Of a field whose value repeats from record to record; the source finds it decoded."""
RepeatedItems = list[Raw] | UnsetType
"""Of an array whose elements repeat."""
Whole = Any
"""Of a field whose value differs in nearly every record."""
Text = str | UnsetType

_MOST_PARTS = 16_384
_LONGEST_PART = 4_096
"""Bytes. Together with `_MOST_PARTS` it bounds what a log of ever new parts can make us remember."""
_UNDECODABLE = (msgspec.DecodeError, UnicodeError, RecursionError)
_MISSING, _ODD = object(), object()
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode

P = ParamSpec("P")
T = TypeVar("T")


class Record(msgspec.Struct, gc=False):
    """The fields of one log's records that its source looks at, and the usual others in the order of the log.

    A field is unset where the record does not have it. Where a record is odd a field may hold any JSON value.
    """

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Self:
        """The fields of a decoded record, whatever their types are."""
        names = zip(cls.__struct_fields__, cls.__struct_encode_fields__, strict=True)
        return cls(**{field: value[name] for field, name in names if name in value})


class Part(dict[str, Any]):
    """An object that lies in many records with the same bytes: decoded once, and told from others by identity, so
    that what it means can be remembered (`remembered`).
    """

    __slots__ = ()
    __hash__ = object.__hash__  # type: ignore[assignment]
    __eq__ = object.__eq__
    __ne__ = object.__ne__


def remembered(meaning: Callable[P, T]) -> Callable[P, T]:
    """What a function says of an object, found once for each different `Part`; its other arguments must be hashable.
    Of any other object it is asked each time.
    """
    known = lru_cache(maxsize=_MOST_PARTS)(meaning)

    @wraps(meaning)
    def say(*arguments: P.args, **named: P.kwargs) -> T:
        of: Callable[..., T] = known if type(arguments[0]) is Part else meaning
        return of(*arguments, **named)

    return say


class PlainReader:
    """Takes the plain records of one kind; None for every other."""

    def __init__(self, kind: type[Record], options: Options) -> None:
        self._decode = msgspec.json.Decoder(kind).decode
        self._redactor = Redactor(options)
        hints = msgspec.structs.fields(kind)
        self._parts = [field.name for field in hints if Raw in (field.type, *get_args(field.type))]
        self._items = [
            field.name for field in hints if any(get_origin(one) is list for one in (field.type, *get_args(field.type)))
        ]
        self._values = [field.name for field in hints if field.type is Any]
        self._texts = [field.name for field in hints if str in (field.type, *get_args(field.type))]
        self._known: dict[bytes, Any] = {}

    def read(self, data: bytes) -> Record | None:
        """The record of these bytes, its parts decoded. Its `raw` is these bytes, and nothing in it is a secret."""
        try:
            record = self._decode(data)
            if _encode(record) != data or not self._is_clean(record, data):
                return None
        except (*_UNDECODABLE, NotParsed):
            return None
        return record

    def _is_clean(self, record: Record, data: bytes) -> bool:
        """Decodes the parts; false where one is odd, or where redaction would change the record."""
        redact = self._redactor.redact
        for name in self._parts:
            raw = getattr(record, name)
            if raw is not UNSET:
                part = self._part(bytes(raw))
                if part is _ODD:
                    return False
                setattr(record, name, part)
        for name in self._items:
            raws = getattr(record, name)
            if raws is not UNSET:
                items = [self._part(bytes(raw)) for raw in raws]
                if _ODD in items:
                    return False
                setattr(record, name, items)
        for name in self._values:
            value = getattr(record, name)
            if value and redact(value) is not value:
                return False
        if b'\\"' in data:
            return all(redact(text) is text for name in self._texts if (text := getattr(record, name)) is not UNSET)
        return True

    def _part(self, data: bytes) -> Any:
        known = self._known.get(data, _MISSING)
        return self._new_part(data) if known is _MISSING else known

    def _new_part(self, data: bytes) -> Any:
        """Decoded, or _ODD where it is not plain or holds a secret."""
        value = _decode(data)
        is_plain = _encode(value) == data and self._redactor.redact(value) is value
        part = (Part(value) if type(value) is dict else value) if is_plain else _ODD
        if len(data) <= _LONGEST_PART:
            if len(self._known) >= _MOST_PARTS:
                self._known.clear()
            self._known[data] = part
        return part


@lru_cache(maxsize=32)
def _reader(kind: type[Record], redact: frozenset[str], max_depth: int) -> PlainReader:
    return PlainReader(kind, Options(hash_key=b"only looked for", redact=redact, max_depth=max_depth - 1))


def plainly(
    kind: type[Record], source: str, options: Options, otherwise: Callable[[bytes], Any]
) -> Callable[[bytes], Any]:
    """How the bytes of a record are decoded: to a Record where it is plain, else by `otherwise` to a dictionary. Where
    the configuration names fields that the source must not see, all are decoded to dictionaries.
    """
    if options.fields.keys() & {source, "*"}:
        return otherwise
    read = _reader(kind, options.redact, options.max_depth).read

    def decode(data: bytes) -> Any:
        record = read(data)
        return otherwise(data) if record is None else record

    return decode
