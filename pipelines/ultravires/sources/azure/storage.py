"""Azure Storage resource logs: who read, wrote and deleted blobs, files, queues and tables.

Records of the diagnostic settings StorageRead, StorageWrite and StorageDelete. The credential is the hash that Azure
writes of the token, key or signature, so uses of one account key or one shared access signature belong together.
https://learn.microsoft.com/en-us/azure/storage/blobs/monitor-blob-storage-reference
"""

import re
from functools import partial
from typing import Any

from ultravires.reading.events import Event, NoEvent, NotParsed, event_time, present
from ultravires.reading.framing import json_records
from ultravires.reading.head import Head
from ultravires.reading.options import Options
from ultravires.reading.source import Source
from ultravires.reading.values import label, mapping, text
from ultravires.sources.azure.exports import (
    ANOTHER_LOG,
    ARRAYS,
    STORAGE,
    address,
    category_of,
    family_of,
    family_of_record,
    filled,
    is_export,
    outer,
    place_of,
    request_keys,
    status_outcome,
    subscription_of,
    tenant_of,
)
from ultravires.sources.entra.identities import NOBODY, Subject
from ultravires.sources.ocsf.classes import API_ACTIVITY

_ACTIVITY = {"StorageRead": 2, "StorageWrite": 3, "StorageDelete": 4}
_SIGNATURE = re.compile(r"([?&]sig=)[^&]*", re.IGNORECASE)


def recognise(head: Head) -> bool:
    """An envelope with the status and the address of a request, and a category of Azure Storage."""
    return is_export(head, "statuscode", "uri") and family_of(head) == "storage"


def claim(record: dict[str, Any]) -> dict[str, Any] | None:
    """A record of Azure Storage, without the signature in its address. Azure masks it itself; a copy made elsewhere may
    not have.
    """
    if family_of_record(record) != "storage":
        return None
    uri = record.get("uri")
    if type(uri) is str and "sig=" in uri.lower():
        return {**record, "uri": _SIGNATURE.sub(r"\1XXXXX", uri)}
    return record


def events(record: dict[str, Any], options: Options) -> tuple[Event, ...]:
    """One request to one activity; none for a record of another log.

    Raises NotParsed without a time or an operation.
    """
    category = category_of(record)
    if category not in _ACTIVITY:
        return NoEvent(ANOTHER_LOG)
    at = event_time(outer(record, "time"))
    operation = text(outer(record, "operationName"))
    if operation is None:
        raise NotParsed("no operationName: not a request to Azure Storage")
    identity, properties = mapping(outer(record, "identity")), mapping(outer(record, "properties"))
    subject = requester_of(identity)
    outcome, code = status_outcome(outer(record, "statusCode"))
    resource = filled(outer(record, "resourceId"))
    account = (subscription_of(resource) if resource else None) or tenant_of(record)
    token, kind = filled(identity.get("tokenHash")), filled(identity.get("type"))
    event = Event(
        native_id=filled(outer(record, "correlationId")),
        event_at=at,
        kind="activity",
        class_uid=API_ACTIVITY,
        activity_id=_ACTIVITY[category],
        actor_uid=subject.uid,
        actor_kind=subject.kind,
        actor_name=subject.name,
        account_uid=account,
        action=f"azure-storage:{operation}",
        resource_uids=[found] if (found := _object(record, properties)) else [],
        outcome=outcome,
        error_code=(label(outer(record, "statusText")) or code) if code else None,
        src_ip=address(outer(record, "callerIpAddress")),
        user_agent=filled(properties.get("userAgentHeader")),
        credential_uid=f"azure-storage:{token}" if token else None,
        keys=request_keys(account, outer(record, "correlationId"), properties.get("clientRequestId")),
        detail=present(
            read_only=category == "StorageRead",
            event_type=kind,
            credential_kind="session" if token and kind == "OAuth" else None,
        ),
    )
    return (event,)


def requester_of(identity: dict[str, Any]) -> Subject:
    """Who the token was issued to; a key or a signature names nobody."""
    requester = mapping(identity.get("requester"))
    name = filled(requester.get("upn"))
    uid = filled(requester.get("objectId")) or name or filled(requester.get("appId"))
    return Subject(uid, "human" if name else "service", name) if uid else NOBODY


def _object(record: dict[str, Any], properties: dict[str, Any]) -> str | None:
    """The object, `/account/container/name`; else the address, without the query that may hold a signature."""
    key = filled(properties.get("objectKey"))
    uri = text(outer(record, "uri"))
    return key.partition("?")[0] if key else (uri.partition("?")[0] if uri else None)


SOURCE = Source(
    name="azure_storage",
    log="azure_storage",
    version=3,
    title="Azure Storage resource logs",
    reads='`{"records": [...]}` or lines of the diagnostic settings StorageRead, StorageWrite, StorageDelete',
    recognised_by="time, category, operationName, statusCode, uri with a category of Azure Storage",
    grade="verified",
    documentation="https://learn.microsoft.com/en-us/azure/storage/blobs/monitor-blob-storage-reference",
    documented_at="2026-11-25",
    evidence_kinds=("activity",),
    voice="recorded",
    system="azure",
    place=place_of,
    delivered_in=(*(f"azure:{category}" for category in STORAGE),),
    join_keys=("request",),
    recognise=recognise,
    records=partial(json_records, arrays=ARRAYS),
    events=events,
    claim=claim,
    objects=(
        "identity",
        "identity.requester",
        "properties",
    ),
    never_text=frozenset({"identity", "identity.requester"}),
)
