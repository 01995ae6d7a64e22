"""OCSF: what others normalised, as JSON or as the Parquet of Amazon Security Lake, schema 1.0 to 1.8.

A copy of a record of a log that is read here natively is turned back into that record and read by its own reader: then
the copy and the record are one event, whichever comes first, or alone. Everything else keeps `ocsf` as its log.

https://schema.ocsf.io/1.8.0
https://docs.aws.amazon.com/security-lake/latest/userguide/open-cybersecurity-schema-framework.html
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ultravires import registry
from ultravires.reading.framing import json_records, peek
from ultravires.reading.head import Head
from ultravires.reading.source import Event, Frame, NotParsed, Options, Source
from ultravires.reading.splitting import broken
from ultravires.reading.values import integer, text
from ultravires.vendors.ocsf_activity import activity_event, class_of, is_activity
from ultravires.vendors.ocsf_cloudtrail import cloudtrail_record, is_cloudtrail
from ultravires.vendors.ocsf_fields import moment_of
from ultravires.vendors.ocsf_kubernetes import is_kubernetes_audit, kubernetes_record
from ultravires.vendors.parquet_rows import MAGIC, parquet_frames

_COMMON = ("category_uid", "type_uid", "activity_id", "severity_id")
_ENOUGH = 2
_COLUMNS = ("class_uid", "metadata", "time")
_NOT_OCSF = "Parquet without class_uid, metadata and time: not OCSF"
_MOST_PARQUET_BYTES = 1 << 30
"""A Parquet file is read from its end, so it is held whole; Security Lake writes files of at most 256 MB."""
_FAILURE = 2

_Rebuild = Callable[[dict[str, Any]], dict[str, Any]]
_COPIES: tuple[tuple[str, Callable[[dict[str, Any]], bool], _Rebuild], ...] = (
    ("aws_cloudtrail", is_cloudtrail, cloudtrail_record),
    ("kubernetes_audit", is_kubernetes_audit, kubernetes_record),
)
"""Log, how a copy of its records is known, and how the record is had back."""


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
    """One event of who did what to one activity; of any other class none.

    Raises NotParsed without a time, without a class, and where the native reader of a copy does.
    """
    class_uid = class_of(record)
    if class_uid is None:
        raise NotParsed("no time" if moment_of(record) is None else "no class_uid: not an OCSF event")
    if not is_activity(class_uid):
        return ()
    for log, is_copy, rebuild in _COPIES:
        if is_copy(record) and (native := registry.sources().get(log)):
            return [_as_copy(event, log, record) for event in native.events(rebuild(record), options)]
    return (activity_event(record, class_uid),)


def _as_copy(event: Event, log: str, record: dict[str, Any]) -> Event:
    """The native event; a failure of which the mapping lost the error code stays one, and revokes nothing."""
    event.log = log
    if event.outcome == "success" and _has_failed(record):
        event.outcome, event.revoked_credential_uid = "failure", None
    return event


def _has_failed(record: dict[str, Any]) -> bool:
    return integer(record.get("status_id")) == _FAILURE or text(record.get("status")) == "Failure"


SOURCE = Source(
    name="ocsf",
    log="ocsf",
    version=1,
    title="OCSF and Amazon Security Lake",
    reads="OCSF events as newline JSON or JSON arrays, and Parquet as Amazon Security Lake writes it; copies of "
    "CloudTrail and Kubernetes audit (EKS) records become events of those logs; findings, network and host classes are "
    "ignored",
    recognised_by="class_uid and metadata with two of category_uid, type_uid, activity_id, severity_id; any Parquet",
    grade="documentation",
    documentation="https://schema.ocsf.io/1.8.0",
    documented_at="2026-11-25",
    evidence_kinds=("activity",),
    join_keys=(
        "request",
        "shared_event",
        "source_identity",
        "session_name",
        "session_tag",
        "transitive_tag",
        "federated_subject",
        "bearer",
    ),
    recognise=recognise,
    records=records,
    events=events,
)
