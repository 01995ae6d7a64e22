"""Objects in which other systems keep or deliver the records of a log: where in them the record is, as text or object.

Each is known by where it puts the record; what stands around it is the other system's, and is left. What lies there is
a record only if a source recognises it.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

CONTAINER = "json-file"
"""Docker's logging driver of this name, and what collectors make of its lines."""
A_MEMBER = "a member"
"""What holds a record, and is no export that is known."""
EACH = "[]"
"""In a path: every element of the array that is there."""

Members = dict[str, msgspec.Raw]
_MEMBERS = msgspec.json.Decoder(Members)
_TEXT = msgspec.json.Decoder(str)
_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])
_UNDECODABLE = (msgspec.DecodeError, UnicodeError, RecursionError)
_MAY_HOLD = re.compile(rb'"?\s{0,20}[{\[]|"eyJ')


class Export(NamedTuple):
    """One way of keeping records. `beside` are members that must be there, too; `added` are members that the export
    puts into the record itself, which are taken out again. `stated` are the paths of members of which the first that is
    there says where in that system the record lay.
    """

    name: str
    path: tuple[str, ...]
    beside: frozenset[str] = frozenset()
    added: frozenset[str] = frozenset()
    stated: tuple[tuple[str, ...], ...] = ()


class Kept(NamedTuple):
    """What an object keeps where `name` keeps records: the JSON texts of what lies there, and what it says of where
    that lay.
    """

    name: str
    stated: str | None
    texts: list[bytes]


_WAZUH = frozenset({"source", "log_info", "aws_account_id"})

_DATASET = (("event.dataset",), ("event", "dataset"), ("data_stream.dataset",), ("data_stream", "dataset"))
_LOCATION = (("location",),)

EXPORTS: tuple[Export, ...] = (
    Export("elastic search", ("hits", "hits", EACH)),
    Export("elastic search", ("responses", EACH, "hits", "hits", EACH)),
    Export("elastic", ("_source",), stated=tuple(("_source", *path) for path in _DATASET)),
    Export("elastic", ("event.original",), stated=_DATASET),
    Export("elastic", ("event", "original"), stated=_DATASET),
    Export("splunk", ("result",), stated=(("result", "sourcetype"),)),
    Export("splunk search", ("results", EACH)),
    Export("splunk", ("_raw",), stated=(("sourcetype",),)),
    Export("splunk hec", ("event",), frozenset({"sourcetype"}), stated=(("sourcetype",),)),
    *(
        Export("wazuh", ("data", name), frozenset({"rule", "agent"}), _WAZUH, _LOCATION)
        for name in ("aws", "azure", "gcp", "github", "ms-graph", "office365", "okta")
    ),
    Export("wazuh", ("data",), frozenset({"rule", "agent"}), stated=_LOCATION),
    Export("wazuh", ("full_log",), stated=_LOCATION),
    Export("cloudwatch", ("logEvents", EACH, "message"), stated=(("logGroup",),)),
    Export("cloudwatch", ("events", EACH, "message"), stated=(("logGroup",), ("logGroupName",))),
    Export("cloudwatch", ("@message",), stated=(("@log",),)),
    Export(CONTAINER, ("log",)),
    Export("journald", ("MESSAGE",), stated=(("_SYSTEMD_UNIT",), ("SYSLOG_IDENTIFIER",))),
    Export("cloud logging", ("jsonPayload",), stated=(("logName",), ("logname",))),
    Export("cloud logging", ("textPayload",), stated=(("logName",), ("logname",))),
    Export("container logs of Azure", ("LogEntry",)),
    Export("container logs of Azure", ("LogMessage",)),
    Export("custom table", ("RawData",), stated=(("Type",),)),
    Export("gelf", ("full_message",)),
    Export("gelf", ("short_message",)),
    Export("sns", ("Message",), frozenset({"TopicArn"}), stated=(("TopicArn",),)),
    Export("sqs", ("Records", EACH, "body")),
    Export("sqs", ("Messages", EACH, "Body")),
    Export("loki", ("streams", EACH, "values", EACH, EACH)),
    Export("loki", ("data", "result", EACH, "values", EACH, EACH)),
    Export("lookup-events", ("CloudTrailEvent",)),
    Export("eventbridge", ("detail",), frozenset({"detail-type"}), stated=(("source",),)),
    Export("datadog", ("data", EACH, "attributes")),
    Export("datadog", ("attributes",), frozenset({"message"})),
    Export("fluentd", ("record",), frozenset({"tag"}), stated=(("tag",),)),
    Export("message", ("message",)),
    *(Export("a page", (name, EACH)) for name in ("items", "records", "Records", "rows", "value", "data", "entries")),
)


def members_of(data: bytes) -> Members | None:
    """The members of an object, still undecoded; None where it is no object."""
    try:
        return _MEMBERS.decode(data)
    except _UNDECODABLE:
        return None


def elements_of(data: bytes) -> list[msgspec.Raw] | None:
    """The elements of an array, still undecoded; None where it is no array."""
    try:
        return _ELEMENTS.decode(data)
    except _UNDECODABLE:
        return None


def kept_in(members: Members) -> Iterator[Kept]:
    """What an object keeps where exports keep records. One object may keep its record in several places."""
    for export in EXPORTS:
        if export.path[0] in members and export.beside <= members.keys():
            found = list(_at(bytes(members[export.path[0]]), export.path[1:]))
            if found:
                texts = [_without(data, export.added) for data in found] if export.added else found
                yield Kept(export.name, _stated(members, export.stated), texts)


def may_hold(members: Members) -> Iterator[tuple[str, bytes]]:
    """The members in which a record may lie: objects and arrays, and texts that are either, also in base64."""
    for name, value in members.items():
        if _MAY_HOLD.match(data := bytes(value)):
            yield name, data


def _stated(members: Members, paths: tuple[tuple[str, ...], ...]) -> str | None:
    """The first text that lies at one of these paths."""
    for path in paths:
        if path[0] in members and (found := next(_at(bytes(members[path[0]]), path[1:]), b""))[:1] == b'"':
            try:
                return _TEXT.decode(found)
            except _UNDECODABLE:
                return None
    return None


def _at(data: bytes, path: tuple[str, ...]) -> Iterator[bytes]:
    if not path:
        if data[:1] in (b'"', b"{", b"["):
            yield data
        return
    if path[0] == EACH:
        for element in elements_of(data) or ():
            yield from _at(bytes(element), path[1:])
    elif (members := members_of(data)) is not None and path[0] in members:
        yield from _at(bytes(members[path[0]]), path[1:])


def _without(data: bytes, names: frozenset[str]) -> bytes:
    members = members_of(data)
    if members is None or names.isdisjoint(members):
        return data
    return msgspec.json.encode({name: value for name, value in members.items() if name not in names})
