"""Entries of Google Cloud Logging that hold an audit record, however they were exported.

LogEntry: https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry
An export holds the entries of all services that a filter lets through. Among them are the audit events of Kubernetes
clusters (GKE), which are another log.
"""

import binascii
import re
from base64 import b64decode
from functools import lru_cache
from typing import Any

from ultravires.reading.head import Head, values_at
from ultravires.reading.mending import decode_inner
from ultravires.reading.object_fields import opened
from ultravires.reading.origins import GOOGLE, stated
from ultravires.reading.splitting import decode_object
from ultravires.reading.values import mapping, text

ARRAYS = ("entries", "receivedMessages")
"""The arrays that wrap entries: in answers of the Logging API, and in messages pulled from a Pub/Sub subscription."""

_TYPES = (b"google.cloud.audit.AuditLog", b"cloudaudit.googleapis.com")
_ENTRY = frozenset({"insertId", "logName", "resource", "severity", "timestamp", "receiveTimestamp"})
_PAYLOADS = frozenset({"protoPayload", "protopayload"})  # some forwarders write the entry's names in lower case
_OTHER_PAYLOADS = ("jsonPayload", "textPayload")
_OWN = frozenset({"methodName", "authorizationInfo", "authenticationInfo"})
_ZONE = re.compile(r"([a-z]+-[a-z]+\d+)-[a-z]")
_NOWHERE = frozenset({"global", "unknown"})
_GKE_SERVICE = "k8s.io"
_GKE_RESOURCE = "k8s_cluster"
_SERVICE = re.compile(rb'"serviceName\\?"\s*:\s*\\?"([^"\\]*)\\?"')


def holds_audit(head: Head) -> bool:
    """Whether a file begins with log entries whose protoPayload is an AuditLog, also inside of messages."""
    keys = head.first_keys(*ARRAYS)
    if any(names & _PAYLOADS and names & _ENTRY for names in keys):
        return any(kind in head.data for kind in _TYPES)
    if any("message" in names for names in keys):
        return any(kind in plain(data) for data in values_at(head, "data") for kind in _TYPES)
    return False


def begins_with_gke(head: Head) -> bool:
    """Whether the first service that such a file names is a Kubernetes cluster: exactly one source has to recognise it.

    What is packed into messages names none here.
    """
    service = _SERVICE.search(head.data)
    return service is not None and service[1] == _GKE_SERVICE.encode()


def decode_entry(data: bytes) -> Any:
    """An entry to a dict; a Pub/Sub message to the entry that it holds in base64."""
    value = decode_object(data)
    packed = mapping(value.get("message")).get("data")
    return decode_inner(plain(packed), decode_object) if type(packed) is str and packed else value


def plain(packed: str) -> bytes:
    """What base64 says; nothing where it is not base64."""
    try:
        return b64decode(packed)
    except (binascii.Error, ValueError):
        return b""


def is_entry(record: dict[str, Any]) -> bool:
    """Whether a record is a log entry at all, of whatever payload."""
    return _payload(record) is not None or any(name in record for name in _OTHER_PAYLOADS)


def audit_of(entry: dict[str, Any]) -> dict[str, Any] | None:
    """The AuditLog in an entry that any service but a Kubernetes cluster made."""
    audit = _audit_in(entry)
    return None if audit is None or _is_of_gke(entry, audit) else audit


def audit_of_gke(entry: dict[str, Any]) -> dict[str, Any] | None:
    """The AuditLog in an entry that a cluster's API server made."""
    audit = _audit_in(entry)
    return audit if audit is not None and _is_of_gke(entry, audit) else None


def _audit_in(entry: dict[str, Any]) -> dict[str, Any] | None:
    """Some forwarders drop `@type`, so an entry may do without it where it has members that only an AuditLog has."""
    payload = _payload(entry)
    if payload is None:
        return None
    kind = payload.get("@type") or payload.get("at_sign_type")
    is_audit = kind.endswith("AuditLog") if type(kind) is str else not _OWN.isdisjoint(payload)
    return payload if is_audit else None


def _payload(entry: dict[str, Any]) -> dict[str, Any] | None:
    return opened(entry.get("protoPayload") or entry.get("protopayload")) or None


def _is_of_gke(entry: dict[str, Any], audit: dict[str, Any]) -> bool:
    """Where a forwarder dropped the service, the resource tells."""
    service = audit.get("serviceName")
    return service == _GKE_SERVICE or (not service and mapping(entry.get("resource")).get("type") == _GKE_RESOURCE)


def operation_of(entry: dict[str, Any], audit: dict[str, Any]) -> str | None:
    """What the entries of one operation share, where it is logged when it starts and when it ends."""
    operation = mapping(entry.get("operation"))
    name = text(operation.get("id"))
    if name is None or (operation.get("first") and operation.get("last")):
        return None
    return f"{operation.get('producer')}/{name}/{audit.get('methodName')}"


def stage_of(entry: dict[str, Any]) -> int | None:
    """The place of an entry among those of its operation, where there may be several: 1 its start, 3 its end."""
    operation = mapping(entry.get("operation"))
    is_first, is_last = bool(operation.get("first")), bool(operation.get("last"))
    if text(operation.get("id")) is None or (is_first and is_last):
        return None
    return 1 if is_first else 3 if is_last else 2


def region_of(labels: dict[str, Any]) -> str | None:
    """Where the resource of an entry is, by its labels: a region, or several as Google names them (`eu`); a zone gives
    its region. https://cloud.google.com/compute/docs/regions-zones
    """
    said = next((place for name in ("region", "zone", "location") if (place := text(labels.get(name)))), "").lower()
    zone = _ZONE.fullmatch(said)
    place = zone[1] if zone else said
    return None if place in _NOWHERE else place or None


def log_name(entry: dict[str, Any]) -> str | None:
    """`projects/<id>/logs/<log>`."""
    return text(entry.get("logName")) or text(entry.get("logname"))


def place_of(entry: dict[str, Any]) -> str | None:
    """`Source.place` of entries: the log that they stand in."""
    log = log_name(entry)
    return stated(GOOGLE, log) if log else None


def project_of(entry: dict[str, Any]) -> str | None:
    """The project of the resource, else the project, folder or organization whose log it is."""
    labels = mapping(mapping(entry.get("resource")).get("labels"))
    return text(labels.get("project_id")) or _container(log_name(entry))


@lru_cache(maxsize=4096)
def _container(log: str | None) -> str | None:
    parts = log.split("/") if log else []
    return parts[1] or None if len(parts) > 2 else None
