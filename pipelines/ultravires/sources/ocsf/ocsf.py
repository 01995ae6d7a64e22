"""OCSF: what others normalised, as JSON or as the Parquet of Amazon Security Lake, schema 1.0 to 1.8.

A copy of a record of a log that is read here natively becomes that record again and is read by its own reader: from
`raw_data`, where the event holds it, else rebuilt from the mapping. Then the copy and the record are one event,
whichever comes first, or alone. Everything else keeps `ocsf` as its log.

https://schema.ocsf.io/1.8.0
https://docs.aws.amazon.com/security-lake/latest/userguide/open-cybersecurity-schema-framework.html
"""

from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from typing import Any

from ultravires import registry
from ultravires.formats.parquet_rows import MAGIC, parquet_frames
from ultravires.reading.events import Event, Frame, NoEvent, NotParsed
from ultravires.reading.framing import json_records, peek
from ultravires.reading.head import Head
from ultravires.reading.options import Options
from ultravires.reading.source import Source
from ultravires.reading.splitting import broken
from ultravires.sources.ocsf import copies
from ultravires.sources.ocsf.activity import activity_event, class_of, is_activity
from ultravires.sources.ocsf.fields import has_succeeded, moment_of
from ultravires.sources.ocsf.originals import original_events, read_natively
from ultravires.sources.ocsf.products import Copy, Product, product_of

_COMMON = ("category_uid", "type_uid", "activity_id", "severity_id")
_ENOUGH = 2
_COLUMNS = ("class_uid", "metadata", "time")
_NOT_OCSF = "Parquet without class_uid, metadata and time: not OCSF"
_MOST_PARQUET_BYTES = 1 << 30
"""A Parquet file is read from its end, so it is held whole; Security Lake writes files of at most 256 MB."""


def recognise(head: Head) -> bool:
    """A Parquet file, or objects with `class_uid`, `metadata` and two more of OCSF's classifying members."""
    if head.data.startswith(MAGIC):
        return True
    return any(
        keys.issuperset(("class_uid", "metadata")) and sum(name in keys for name in _COMMON) >= _ENOUGH
        for keys in head.first_keys()
    )


def records(chunks: Iterator[bytes], options: Options) -> Iterator[Frame]:
    """Rows of a Parquet file, or the objects of newline JSON or an array."""
    beginning, chunks = peek(chunks)
    if not beginning.startswith(MAGIC):
        return json_records(chunks, options)
    return _parquet(chunks, options)


def _parquet(chunks: Iterator[bytes], options: Options) -> Iterator[Frame]:
    held, size = [], 0
    for chunk in chunks:
        held.append(chunk)
        size += len(chunk)
        if size > _MOST_PARQUET_BYTES:
            yield broken(0, held[0], f"Parquet is larger than {_MOST_PARQUET_BYTES} bytes")
            return
    yield from parquet_frames(b"".join(held), options, _COLUMNS, _NOT_OCSF)


def events(record: dict[str, Any], options: Options) -> Iterable[Event]:
    """The events of the native record that it is a copy of, else one event of who did what; of other classes none.

    Raises NotParsed without a time, without a class, and where the native reader of a copy does.
    """
    class_uid = class_of(record)
    if class_uid is None:
        raise NotParsed("no time" if moment_of(record) is None else "no class_uid: not an OCSF event")
    product = product_of(record)
    if found := original_events(record, product, options):
        return found
    if not is_activity(class_uid):
        return NoEvent("class of OCSF that does not say who did what")
    for copy in _copies_of(product):
        native = registry.sources().get(copy.log)
        if native and (rebuilt := copy.rebuild(record)) is not None:
            return [_as_copy(event, record) for event in read_natively(native, rebuilt, options)]
    return (activity_event(record, class_uid),)


@cache
def _copies() -> tuple[Copy, ...]:
    return tuple(registry.discover(copies, "COPY").values())


@lru_cache(maxsize=4096)
def _copies_of(product: Product) -> tuple[Copy, ...]:
    return tuple(copy for copy in _copies() if copy.is_copy(product))


def _as_copy(event: Event, record: dict[str, Any]) -> Event:
    """The native event; a failure of which the mapping lost the error code stays one, and revokes nothing."""
    if event.outcome == "success" and has_succeeded(record) is False:
        event.outcome, event.revoked_credential_uid = "failure", None
    return event


SOURCE = Source(
    name="ocsf",
    log="ocsf",
    version=8,
    title="OCSF and Amazon Security Lake",
    reads="OCSF events as newline JSON or JSON arrays, and Parquet as Amazon Security Lake writes it; copies of "
    "records that `raw_data` holds whole, and of CloudTrail, Kubernetes audit (EKS), Okta, GitHub, Google Cloud and "
    "Entra, where the mapping kept id, time, action and outcome, become events of those logs; other copies (Azure's "
    "activity log without `raw_data`) stay events of OCSF; findings, network and host classes are ignored",
    recognised_by="class_uid and metadata with two of category_uid, type_uid, activity_id, severity_id; any Parquet",
    grade="documentation",
    documentation="https://schema.ocsf.io/1.8.0",
    documented_at="2026-11-25",
    evidence_kinds=("activity",),
    voice="recorded",
    join_keys=(
        "request",
        "approval",
        "ticket",
        "decision",
        "tool_call",
        "trace",
        "span",
        "conversation",
        "prompt",
        "shared_event",
        "source_identity",
        "session_name",
        "session_tag",
        "transitive_tag",
        "federated_subject",
        "bearer",
        "run",
    ),
    recognise=recognise,
    records=records,
    events=events,
    objects=(
        "metadata",
        "metadata.product",
        "actor",
        "actor.user",
        "actor.session",
        "api",
        "api.request",
        "api.response",
        "api.service",
        "cloud",
        "cloud.account",
        "http_request",
        "resources",
        "src_endpoint",
        "dst_endpoint",
        "user",
        "session",
        "service",
        "entity",
        "unmapped",
    ),
    never_text=frozenset({"metadata", "actor"}),
)
