"""Records that are written exactly as we would write them: read by their Struct, without a dictionary of all they hold.

A source names the fields that it looks at in a `Record`. Of most records msgspec then makes few objects: what repeats
from record to record stays bytes, and is decoded once for equal bytes (`Part`). Such a record is only taken where
writing it back gives the very same bytes, which shows that it hides nothing: no repeated name, no blank, no odd number
or escape, no field that the Struct does not know. Then its bytes are its `raw`. All other records are decoded to a
dictionary and written back; the Struct is filled from the dictionary, so that the source's one function of meaning
reads both.
"""

from collections.abc import Callable, Mapping
from functools import cache, lru_cache, wraps
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import msgspec
from msgspec import UNSET, Raw, UnsetType

from ultravires.reading.object_fields import Tree, has_text, tree_of
from ultravires.reading.options import Options
from ultravires.reading.redaction import LookedInto, Redactor

Repeated = Raw | UnsetType
"""Of a field whose value repeats from record to record; the source finds it decoded."""
RepeatedItems = list[Raw] | UnsetType
"""Of an array whose elements repeat."""
Whole = Any
"""Of a field whose value differs in nearly every record."""
Text = str | UnsetType
NoText = dict[str, Any] | list[Any] | int | float | None | UnsetType
"""Of a field that differs in nearly every record and holds an object; one that is written as text is not plain."""

_MOST_PARTS = 4_096
_LONGEST_PART = 2_048
"""Bytes. Together with `_MOST_PARTS` it bounds what a log of ever new parts can make us remember."""
_UNDECODABLE = (msgspec.DecodeError, UnicodeError, RecursionError)
_MISSING = object()
_HOLD_OBJECTS = (Repeated, Whole, NoText)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode

P = ParamSpec("P")
T = TypeVar("T")


class Record(msgspec.Struct):
    """The fields of one log's records that its source looks at, and the usual others in the order of the log.

    A field is unset where the record does not have it, and a text also where the record has another value there.
    """

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Self:
        """The fields of a decoded record. Any that is no `Text` may hold any JSON value."""
        return cls(
            **{
                field: value[name]
                for field, name, is_text in _fields_of(cls)
                if name in value and (not is_text or type(value[name]) is str)
            }
        )


@cache
def _fields_of(kind: type[Record]) -> list[tuple[str, str, bool]]:
    """Of each field its name here, its name in JSON, and whether it is a text."""
    return [(field.name, field.encode_name, field.type == Text) for field in msgspec.structs.fields(kind)]


class Part(dict[str, Any]):
    """An object that lies in many records with the same bytes: decoded once, and told from others by identity, so
    that what it means can be remembered (`remembered`).
    """

    __slots__ = ()
    __hash__ = object.__hash__  # type: ignore[assignment]
    __eq__ = object.__eq__
    __ne__ = object.__ne__


def part_of(data: bytes) -> Any:
    """What a value's JSON text says, None where it is not written plainly. An object is a Part, unless it is too long
    for us to remember it or what it means.
    """
    try:
        value = _decode(data)
        is_plain = value is not None and _encode(value) == data
    except _UNDECODABLE:
        return None
    if not is_plain:
        return None
    return Part(value) if type(value) is dict and len(data) <= _LONGEST_PART else value


def remembered(meaning: Callable[Concatenate[Any, P], T]) -> Callable[Concatenate[Any, P], T]:
    """What a function says of an object, found once for each different `Part`; its other arguments must be hashable.
    Of any other object it is asked each time.
    """
    known: Callable[..., T] = lru_cache(maxsize=_MOST_PARTS)(meaning)

    @wraps(meaning)
    def say(value: Any, /, *others: P.args, **named: P.kwargs) -> T:
        return (known if type(value) is Part else meaning)(value, *others, **named)

    return say


@cache
def plain_reader(kind: type[Record], objects: tuple[str, ...] = ()) -> Callable[[bytes], Record | None]:
    """A function that takes the plain records of one kind, their parts decoded; None for every other, also where one of
    `objects` (`Source.objects`) is written as text.

    What it remembers serves all files of a log. One function and no methods: every record passes here.
    """
    decode = msgspec.json.Decoder(kind).decode
    fields = msgspec.structs.fields(kind)
    trees = dict(tree_of(objects).below)
    known: dict[bytes, Any] = {}
    parts = [
        (field.name, dict[bytes, Any]() if (tree := trees.get(field.encode_name)) else known, tree)
        for field in fields
        if field.type == Repeated
    ]
    items = [field.name for field in fields if field.type == RepeatedItems]

    def new_part(data: bytes, known: dict[bytes, Any] = known, tree: Tree | None = None) -> Any:
        """Decoded, or None where it is not plain."""
        part = part_of(data)
        if tree and isinstance(part, dict) and has_text(part, tree):
            part = None
        if len(data) <= _LONGEST_PART:
            if len(known) >= _MOST_PARTS:
                known.clear()
            known[data] = part
        return part

    def read(data: bytes) -> Record | None:
        try:
            record = decode(data)
            if _encode(record) != data:
                return None
            for name, known_there, tree in parts:
                raw = getattr(record, name)
                if raw is not UNSET:
                    written = bytes(raw)
                    part = known_there.get(written, _MISSING)
                    if part is _MISSING:
                        part = new_part(written, known_there, tree)
                    if part is None or type(part) is str:  # an object may be written as text
                        return None
                    setattr(record, name, part)
            for name in items:
                raws = getattr(record, name)
                if raws is not UNSET:
                    found = []
                    for written in map(bytes, raws):
                        part = known.get(written, _MISSING)
                        if part is _MISSING:
                            part = new_part(written)
                        if part is None:
                            return None
                        found.append(part)
                    setattr(record, name, found)
        except _UNDECODABLE:
            return None
        return record

    return read


@cache
def _in_pieces(kind: type[Record]) -> type[msgspec.Struct]:
    """A Struct with the fields of `kind`, each as it is written: what holds no secret is not decoded."""
    fields = [(field.name, Repeated, UNSET) for field in msgspec.structs.fields(kind)]
    names = {field.name: field.encode_name for field in msgspec.structs.fields(kind)}
    return msgspec.defstruct(f"{kind.__name__}InPieces", fields, rename=names, gc=False)


@cache
def _looked_into(kind: type[Record]) -> tuple[list[tuple[str, bool]], list[tuple[str, bool]]]:
    """Names of the fields that hold objects, and whether in parts, and of those that hold texts; once a kind, since a
    small file costs less to read than its types to look up.
    """
    fields = msgspec.structs.fields(kind)
    objects = [(field.name, field.type == Repeated) for field in fields if field.type in _HOLD_OBJECTS]
    return objects, [(field.name, False) for field in fields if field.type == Text]


class PlainRedactor:
    """Takes secrets out of plain records of one kind; only parts and values that may hold some are looked through."""

    def __init__(self, kind: type[Record], redactor: Redactor) -> None:
        self._decode = msgspec.json.Decoder(_in_pieces(kind)).decode
        self._redactor = redactor
        self._objects, self._texts = _looked_into(kind)
        self._clean: dict[tuple[bool, bytes], bytes] = {}

    def redact(self, data: bytes, *, texts: LookedInto = True) -> bytes:
        """The record without secrets, `data` itself where there are none; strings are looked into as `texts`
        says. Raises NotParsed beyond `max_depth`.
        """
        record, is_changed = self._decode(data), False
        openings, fields = b"{[", self._objects
        if texts is not False:
            openings, fields = b'{["', fields + self._texts
        for name, is_part in fields:
            raw = getattr(record, name)
            if raw is UNSET or (written := bytes(raw))[0] not in openings:
                continue
            clean = self._clean_part(written, texts) if is_part else self._clean_value(written, texts)
            if clean != written:
                is_changed = True
                setattr(record, name, Raw(clean))
        return _encode(record) if is_changed else data

    def _clean_value(self, data: bytes, texts: LookedInto) -> bytes:
        value = _decode(data)
        clean = self._redactor.redact(value, within=1, texts=texts)
        return data if clean is value else _encode(clean)

    def _clean_part(self, data: bytes, texts: LookedInto) -> bytes:
        into_texts = texts is not False
        clean = self._clean.get((into_texts, data))
        if clean is None:
            clean = self._clean_value(data, texts)
            # what is hidden in a text is noted by the redactor each time, so only what stays is remembered
            is_same = not into_texts or clean == data
            if is_same and len(self._clean) < _MOST_PARTS and len(data) <= _LONGEST_PART:
                self._clean[into_texts, data] = clean
        return clean


def plain_redactor(kind: type[Record] | None, redactor: Redactor) -> PlainRedactor | None:
    """None where there is no kind, or where one of its fields has itself a secret's name."""
    if kind is None or any(map(redactor.is_named, kind.__struct_encode_fields__)):
        return None
    return PlainRedactor(kind, redactor)


def sees_all_fields(source: str, options: Options) -> bool:
    """Whether the configuration hides no field from a source; else its records must be decoded to dictionaries."""
    return not options.fields.keys() & {source, "*"}


def plainly(
    kind: type[Record],
    source: str,
    options: Options,
    otherwise: Callable[[bytes], Any],
    objects: tuple[str, ...] = (),
) -> Callable[[bytes], Any]:
    """How the bytes of a record are decoded: to a Record where it is plain, else by `otherwise` to a dictionary.
    `objects` are the source's.
    """
    if not sees_all_fields(source, options):
        return otherwise
    read = plain_reader(kind, objects)

    def decode(data: bytes) -> Any:
        record = read(data)
        return otherwise(data) if record is None else record

    return decode
