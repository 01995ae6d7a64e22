"""The wrappers in which Kubernetes audit events are delivered, taken apart into single events.

Lists of the API server's webhook (`EventList`), CloudWatch Logs subscriptions of EKS clusters (`logEvents`), diagnostic
records of AKS clusters (`properties.log`), and entries of Cloud Logging of GKE clusters (`protoPayload`), which hold no
event but what it can be had back from. What a wrapper says of the cluster stays with each event.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from ultravires.reading.events import Frame, NotParsed
from ultravires.reading.framing import json_records
from ultravires.reading.mending import UNDECODABLE, decode_inner, noted_marks
from ultravires.reading.object_fields import opened, tree_of, with_objects, with_opened
from ultravires.reading.options import Options
from ultravires.reading.origins import CLOUDWATCH, stated
from ultravires.reading.splitting import decode_object, reason_of
from ultravires.reading.values import mapping, sequence, text
from ultravires.sources.azure.exports import family_of_record
from ultravires.sources.azure.exports import place_of as category_place
from ultravires.sources.gcp.log_entries import audit_of_gke, is_entry, operation_of, project_of
from ultravires.sources.gcp.log_entries import place_of as log_place
from ultravires.sources.kubernetes.gke_audit import audit_event, object_of
from ultravires.sources.kubernetes.subjects import Caller, google_caller

_LISTS = {name: f'"{name}"'.encode() for name in ("items", "logEvents", "records", "entries")}
_API = "audit.k8s.io/"
_START_BYTES = 2048
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])
_KEPT_OF_SECRET = ("kind", "apiVersion", "type")
_KEPT_OF_METADATA = ("name", "namespace", "uid")
EVENT_OBJECTS = (
    "user",
    "impersonatedUser",
    "objectRef",
    "responseStatus",
    "requestObject",
    "responseObject",
    "annotations",
    "sourceIPs",
)
"""The objects and arrays of an audit event."""
EVENT_NEVER_TEXT = frozenset({"user", "impersonatedUser", "objectRef", "responseStatus"})
_HIDDEN = "not kept: the contents of a secret"


class Unwrapped(NamedTuple):
    """An audit event, and the account and cluster that its wrapper names.

    `caller` and `operation` (what the records of one long request share) only where the wrapper tells more of them than
    the event.
    """

    event: dict[str, Any]
    account: str | None
    cluster: str | None
    caller: Caller | None = None
    operation: str | None = None


def audit_records(chunks: Iterator[bytes], options: Options) -> Iterator[Frame]:
    """A file to one frame an audit event, in whatever wrapper: the frame's value is the wrapper around that event."""
    for frame in json_records(chunks, options, decode=_decode):
        if frame.reason is None and type(frame.value) is _Wrapper:
            for one in frame.value.frames(frame.offset):
                yield one._replace(mended=(*frame.mended, *one.mended)) if frame.mended else one
        else:
            yield frame


def unwrap(record: dict[str, Any]) -> Unwrapped | None:
    """The audit event in a record made by `audit_records`; None where it holds a record of another log.

    Raises NotParsed for an event that was cut off inside its wrapper: deliveries limit the length of a message.
    """
    if "logEvents" in record:
        entries = sequence(record["logEvents"])
        message = mapping(entries[0]).get("message") if entries else None
        group = text(record.get("logGroup"))
        parts = group.split("/") if group else []
        cluster = parts[3] if len(parts) > 3 and parts[2] == "eks" else None
        return _unwrapped(message, text(record.get("owner")), cluster)
    if "properties" in record:
        message = mapping(record["properties"]).get("log")
        parts = (text(record.get("resourceId")) or "").lower().split("/")
        account = parts[2] if len(parts) > 2 and parts[1] == "subscriptions" else None
        return _unwrapped(message, account, parts[-1] or None)
    if is_entry(record):
        audit = audit_of_gke(record)
        return _of_gke(record, audit) if audit else None
    return Unwrapped(record, None, None)


def place_of(record: dict[str, Any]) -> str | None:
    """`Source.place`: the category of an AKS record, the log of a GKE entry; deliveries of EKS are noted around it."""
    if "properties" in record:
        return category_place(record)
    return log_place(record) if is_entry(record) else None


def claim(record: dict[str, Any]) -> dict[str, Any] | None:
    """`Source.claim` of Kubernetes' audit: the record without the contents of secrets, where it is an event or wraps
    one.
    """
    version = record.get("apiVersion")
    if type(version) is str and version.startswith(_API):
        return _without_secrets(record)
    if "logEvents" in record:
        return record
    is_wrapper = audit_of_gke(record) or family_of_record(record) == "kubernetes"
    return _without_secrets(record) if is_wrapper else None


def _of_gke(entry: dict[str, Any], audit: dict[str, Any]) -> Unwrapped:
    labels = mapping(mapping(entry.get("resource")).get("labels"))
    return Unwrapped(
        audit_event(entry, audit),
        project_of(entry),
        text(labels.get("cluster_name")),
        google_caller(mapping(audit.get("authenticationInfo"))),
        operation_of(entry, audit),
    )


def _unwrapped(message: Any, account: str | None, cluster: str | None) -> Unwrapped | None:
    if type(message) is str and message.startswith("{") and f'"{_API}' in message:
        raise NotParsed("the event inside is not JSON")
    if type(message) is not dict:
        return None
    return Unwrapped(with_objects(message, tree_of(EVENT_OBJECTS), EVENT_NEVER_TEXT), account, cluster)


def _decode(data: bytes) -> Any:
    """A wrapper of several events to its parts, a single event to a dict; without the contents of secrets."""
    start = data[:_START_BYTES]
    for name, mark in _LISTS.items():
        if mark in start:
            members = _MEMBERS.decode(data)
            if name in members and (name != "items" or b"EventList" in bytes(members.get("kind", b""))):
                around = {k: msgspec.json.decode(v) for k, v in members.items() if k != name}
                return _Wrapper(name, around, _ELEMENTS.decode(members[name]))
    return _without_secrets(decode_object(data))


def _without_secrets(value: dict[str, Any]) -> dict[str, Any]:
    """A freshly decoded event, AKS record (its event decoded too) or GKE entry, without the contents of secrets."""
    value = with_opened(value, "properties", "protoPayload", "protopayload")
    if type(properties := value.get("properties")) is dict and "log" in properties:
        properties["log"] = _decoded(properties["log"])
    elif audit := audit_of_gke(value):
        _hide(audit, object_of(audit), ("request", "response"))
    else:
        hide_secrets(value)
    return value


class _Wrapper(NamedTuple):
    """Several events, still undecoded, and the members that stand around them."""

    name: str
    around: dict[str, Any]
    elements: list[msgspec.Raw]

    def frames(self, offset: int) -> Iterator[Frame]:
        for element in self.elements:
            data = bytes(element)
            try:
                value = decode_inner(data, decode_object)
            except UNDECODABLE as error:
                yield Frame(offset, data, None, reason_of(error, data))
                continue
            if self.name == "logEvents":
                entry = {**value, "message": _decoded(value.get("message"))}
                place = stated(CLOUDWATCH, text(self.around.get("logGroup")))
                yield Frame(offset, data, {**self.around, self.name: [entry]}, None, None, noted_marks(), place=place)
            else:
                whole = _without_secrets(value)
                yield Frame(offset, data, whole, None, None, noted_marks())


def _decoded(message: Any) -> Any:
    """An event written as JSON inside a string; anything else as it is."""
    if type(message) is dict:
        hide_secrets(message)
    if type(message) is not str or not message.startswith("{"):
        return message
    try:
        value = decode_inner(message.encode(), decode_object)
    except UNDECODABLE:
        return message
    hide_secrets(value)
    return value


def hide_secrets(event: dict[str, Any]) -> None:
    """Takes the objects of requests about secrets out of a freshly decoded event, in place.

    A secret's fields have any name, so no list of names finds them; its name and type stay.
    """
    _hide(event, event.get("objectRef"), ("requestObject", "responseObject"))


def _hide(holder: dict[str, Any], target: Any, names: tuple[str, ...]) -> None:
    known = target if type(target) is dict else opened(target)
    is_unreadable = type(target) is str and not known
    if not is_unreadable and known.get("resource") != "secrets":
        return
    for name in names:
        value = holder.get(name)
        if type(value) is str and (inner := opened(value)):
            value = inner
        if type(value) is dict:
            holder[name] = _without_contents(value)
        elif value is not None:
            holder[name] = _HIDDEN


def _without_contents(value: dict[str, Any]) -> dict[str, Any]:
    metadata = mapping(value.get("metadata"))
    kept: dict[str, Any] = {name: value[name] for name in _KEPT_OF_SECRET if type(value.get(name)) is str}
    named = {name: metadata[name] for name in _KEPT_OF_METADATA if type(metadata.get(name)) is str}
    return {**kept, "metadata": named} if named else kept
