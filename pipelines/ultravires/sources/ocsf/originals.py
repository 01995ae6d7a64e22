"""The vendor's own record inside an OCSF event, read by the reader of its log.

OCSF keeps it in `raw_data`, as JSON or as an object; some pipelines in `unmapped.raw_data`. It counts only where the
event's product bears the name of that log and both tell of the same time: what else stands there may be anything, and
then the event's own members say what happened.
https://schema.ocsf.io/1.8.0/classes/base_event
"""

import hashlib
import re
from functools import lru_cache
from itertools import count, islice
from typing import Any

import msgspec

from ultravires import registry
from ultravires.reading.events import Event, NotParsed
from ultravires.reading.head import Head
from ultravires.reading.named_fields import NamedFields
from ultravires.reading.options import Options
from ultravires.reading.redaction import Redactor
from ultravires.reading.source import Source
from ultravires.reading.values import canonical
from ultravires.sources.ocsf.fields import at, moment_of
from ultravires.sources.ocsf.products import Product

_FURTHEST = 15 * 60 * 1_000_000
"""Exports tell in the event's time when they wrote the record, which is minutes after what it tells of."""
_SELF = "ocsf"
_WHOLE = msgspec.json.Decoder(dict[str, msgspec.Raw])
_WORD = re.compile(r"[a-z0-9]+")
_ALSO = {
    "aad": ("microsoft",),
    "aks": ("kubernetes",),
    "amazon": ("aws", "kubernetes"),
    "aws": ("kubernetes",),
    "azure": ("microsoft", "kubernetes"),
    "eks": ("kubernetes",),
    "entra": ("microsoft",),
    "gcp": ("google", "kubernetes"),
    "gke": ("kubernetes",),
    "google": ("kubernetes",),
    "microsoft": ("azure", "kubernetes"),
}
"""A word of a product's name, and how its logs are called too: a cloud delivers its clusters' under its own name."""


def original_events(record: dict[str, Any], product: Product, options: Options) -> list[Event]:
    """The events of the record that this one was made from; none where it holds none that can be trusted and read."""
    raw = record.get("raw_data") or at(record, "unmapped", "raw_data")
    moment = moment_of(record) if raw else None
    data = _json_of(raw) if moment is not None else None
    if data is None or moment is None:
        return []
    beginning = Head(data)
    for name in logs_named(product):
        source: Source | None = registry.sources().get(name)
        if source and source.recognise(beginning):
            events = _read(source, data, options)
            return events if any(abs(event.event_at - moment) <= _FURTHEST for event in events) else []
    return []


@lru_cache(maxsize=4096)
def logs_named(product: Product) -> tuple[str, ...]:
    """The sources whose name or title begins with a word by which the event calls its product."""
    said = _WORD.findall(" ".join(product))
    words = {*said, *(also for word in said for also in _ALSO.get(word, ()))}
    return tuple(
        name
        for name, source in registry.sources().items()
        if name != _SELF and not words.isdisjoint((_first(name, "_"), _first(source.title, " ")))
    )


def read_natively(source: Source, value: dict[str, Any], options: Options) -> list[Event]:
    """The events of a native record as those of its log, with the fields hidden that its reader must not see."""
    events = list(source.read(_without_named_fields(source, value, options), options))
    for event in events:
        event.log = event.log or source.log
    return events


def _first(name: str, separator: str) -> str:
    return name.partition(separator)[0].lower()


def _json_of(raw: Any) -> bytes | None:
    """The bytes of one JSON object; nothing is searched for in what is not whole."""
    try:
        data = raw.encode() if type(raw) is str else msgspec.json.encode(raw)
        _WHOLE.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return data


def _read(source: Source, data: bytes, options: Options) -> list[Event]:
    """The events of the one record that these bytes are; none where they are none, several, or broken."""
    frames = list(islice(source.records(iter([data]), options), 2))
    if len(frames) != 1 or frames[0].reason is not None:
        return []
    try:
        value = _without_named_fields(source, source.with_objects(_claimed(source, frames[0].value)), options)
        events = read_natively(source, value, options)
        is_bracketed = data.count(b"{") + data.count(b"[") > options.max_depth
        if is_bracketed or any(event.native_id is None for event in events):
            # redacting refuses what is nested too deeply
            _name_by_content(events, Redactor(options).redact(value))
    except (NotParsed, RecursionError):
        return []
    return events


def _claimed(source: Source, value: Any) -> Any:
    """As in a file that mixes logs: the record without the secrets that only its source knows of."""
    claimed = source.claim(value) if source.claim else None
    return value if claimed is None else claimed


def _without_named_fields(source: Source, value: Any, options: Options) -> Any:
    named = NamedFields.of(options, source.name) if options.fields else None
    return value if named is None else named.hide(value)


def _name_by_content(events: list[Event], clean: Any) -> None:
    """The ids that records without a vendor's id get in a file of their own; a second copy is the same event."""
    content = hashlib.sha256(canonical(clean)).hexdigest()[:32]
    numbers = count(1)
    for event in events:
        if event.native_id is None:
            event.native_id = f"{content}:{next(numbers)}"
