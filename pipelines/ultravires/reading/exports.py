"""Objects in which other systems keep or deliver the records of a log: where in them the record is, as text or object.

Each is known by where it puts the record; what stands around it is the other system's, and is left. What lies there is
a record only if a source recognises it.
"""

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

CONTAINER = "json-file"
"""Docker's logging driver of this name, and what collectors make of its lines."""
EACH = "[]"
"""In a path: every element of the array that is there."""

Members = dict[str, msgspec.Raw]
_MEMBERS = msgspec.json.Decoder(Members)
_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])
_UNDECODABLE = (msgspec.DecodeError, UnicodeError, RecursionError)


class Export(NamedTuple):
    """One way of keeping records. `beside` are members that must be there, too; `added` are members that the export
    puts into the record itself, which are taken out again.
    """

    name: str
    path: tuple[str, ...]
    beside: frozenset[str] = frozenset()
    added: frozenset[str] = frozenset()


_WAZUH = frozenset({"source", "log_info", "aws_account_id"})

EXPORTS: tuple[Export, ...] = (
    Export("elastic search", ("hits", "hits", EACH)),
    Export("elastic", ("_source",)),
    Export("elastic", ("event.original",)),
    Export("elastic", ("event", "original")),
    Export("splunk", ("result",)),
    Export("splunk", ("results", EACH)),
    Export("splunk", ("_raw",)),
    Export("splunk hec", ("event",), frozenset({"sourcetype"})),
    *(
        Export("wazuh", ("data", name), frozenset({"rule", "agent"}), _WAZUH)
        for name in ("aws", "azure", "gcp", "github", "ms-graph", "office365", "okta")
    ),
    Export("wazuh", ("data",), frozenset({"rule", "agent"})),
    Export("wazuh", ("full_log",)),
    Export("cloudwatch", ("logEvents", EACH, "message")),
    Export("cloudwatch", ("events", EACH, "message")),
    Export("cloudwatch", ("@message",)),
    Export(CONTAINER, ("log",)),
    Export("journald", ("MESSAGE",)),
    Export("cloud logging", ("jsonPayload",)),
    Export("cloud logging", ("textPayload",)),
    Export("container logs of Azure", ("LogEntry",)),
    Export("container logs of Azure", ("LogMessage",)),
    Export("log analytics", ("RawData",)),
    Export("gelf", ("full_message",)),
    Export("gelf", ("short_message",)),
    Export("sns", ("Message",), frozenset({"TopicArn"})),
    Export("sqs", ("Records", EACH, "body")),
    Export("sqs", ("Messages", EACH, "Body")),
    Export("loki", ("streams", EACH, "values", EACH, EACH)),
    Export("loki", ("data", "result", EACH, "values", EACH, EACH)),
    Export("lookup-events", ("CloudTrailEvent",)),
    Export("eventbridge", ("detail",), frozenset({"detail-type"})),
    Export("datadog", ("data", EACH, "attributes")),
    Export("datadog", ("attributes",), frozenset({"message"})),
    Export("fluentd", ("record",), frozenset({"tag"})),
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


def kept_in(members: Members) -> Iterator[tuple[str, list[bytes]]]:
    """What an object keeps where exports keep records: the export's name, and the JSON texts of what lies there. One
    object may keep its record in several places.
    """
    for export in EXPORTS:
        if export.path[0] in members and export.beside <= members.keys():
            found = list(_at(bytes(members[export.path[0]]), export.path[1:]))
            if found:
                yield export.name, [_without(data, export.added) for data in found] if export.added else found


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
