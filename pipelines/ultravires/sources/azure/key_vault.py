"""Azure Key Vault and Managed HSM audit events: who read, used and changed secrets, keys and certificates.

Records of the diagnostic setting AuditEvent. The caller's claims stand in `identity.claim`, what was asked for in
`properties`; a secret's address names its version too.
https://learn.microsoft.com/en-us/azure/key-vault/general/logging
"""

from functools import lru_cache, partial
from typing import Any

from ultravires.reading.events import Event, NoEvent, NotParsed, event_time, present
from ultravires.reading.framing import json_records
from ultravires.reading.head import Head
from ultravires.reading.options import Options
from ultravires.reading.source import Source
from ultravires.reading.values import label, mapping
from ultravires.sources.azure.claims import caller_of
from ultravires.sources.azure.exports import (
    ANOTHER_LOG,
    ARRAYS,
    KEY_VAULT,
    address,
    claim_of,
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
from ultravires.sources.ocsf.classes import API_ACTIVITY, AUTHENTICATION, USER_ACCESS

_LOGON, _ASSIGN, _REVOKE, _READ, _OTHER = 1, 1, 2, 2, 99
_ENDINGS = (
    (_READ, ("Get", "List", "GetVersions", "ListVersions", "ListDeleted", "GetDeleted", "GetPolicy", "Backup")),
    (1, ("Create", "Import", "Recover", "Restore")),
    (3, ("Set", "Update", "Rotate", "Put", "Patch", "SetPolicy", "UpdatePolicy", "Merge")),
    (4, ("Delete", "Purge")),
)
"""How the names of operations end that read (1 create, 2 read, 3 update, 4 delete of OCSF's API Activity)."""
_REFUSED = frozenset({"Unauthorized", "Forbidden"})


def recognise(head: Head) -> bool:
    """An envelope with a resource of Key Vault and the category of its audit events."""
    return is_export(head, "resourceid", "resulttype") and family_of(head) == "key-vault"


def events(record: dict[str, Any], options: Options) -> tuple[Event, ...]:
    """One request to one activity; none for a record of another log.

    Raises NotParsed without a time or an operation.
    """
    if family_of_record(record) != "key-vault":
        return NoEvent(ANOTHER_LOG)
    at = event_time(outer(record, "time"))
    operation = filled(outer(record, "operationName"))
    if operation is None:
        raise NotParsed("no operationName: not a request to Key Vault")
    properties, identity = mapping(outer(record, "properties")), mapping(outer(record, "identity"))
    caller = caller_of(_claims(identity), {}, None)
    vault = filled(outer(record, "resourceId"))
    account = (subscription_of(vault) if vault else None) or tenant_of(record)
    outcome, error = _result(record, properties)
    class_uid, activity_id = ocsf_class(operation)
    event = Event(
        native_id=None,
        event_at=at,
        kind="activity",
        class_uid=class_uid,
        activity_id=activity_id,
        actor_uid=caller.subject.uid,
        actor_kind=caller.subject.kind,
        actor_name=caller.subject.name,
        on_behalf_of_uid=caller.subject.on_behalf_of,
        account_uid=account,
        workload_uid=caller.workload_uid,
        action=f"azure-keyvault:{operation}",
        resource_uids=[asked] if (asked := _object(properties) or vault) else [],
        outcome=outcome,
        error_code=error,
        src_ip=address(outer(record, "callerIpAddress")) or caller.src_ip,
        user_agent=filled(properties.get("clientInfo")),
        credential_uid=caller.credential_uid,
        keys=request_keys(account, outer(record, "correlationId")),
        detail=present(
            mfa=caller.has_mfa,
            read_only=activity_id == _READ and class_uid == API_ACTIVITY,
            event_type=KEY_VAULT,
            credential_kind="session" if caller.credential_uid else None,
        ),
    )
    return (event,)


def _claims(identity: dict[str, Any]) -> dict[str, Any]:
    return mapping(identity.get("claim")) or mapping(identity.get("claims"))


def _object(properties: dict[str, Any]) -> str | None:
    """The address of the secret, key, certificate or vault, without its query; of a listing that of the collection."""
    named = filled(properties.get("id")) or filled(properties.get("requestUri"))
    return named.partition("?")[0] if named else None


def _result(record: dict[str, Any], properties: dict[str, Any]) -> tuple[str, str | None]:
    """(outcome, error code) by the HTTP status, else by the words of the envelope."""
    outcome, code = status_outcome(properties.get("httpStatusCode"))
    signature = filled(outer(record, "resultSignature"))
    if outcome == "unknown":
        said = (filled(outer(record, "resultType")) or "").lower()
        outcome = {"success": "success", "failed": "failure", "failure": "failure"}.get(said, "unknown")
        if outcome == "failure" and signature in _REFUSED:
            outcome = "denied"
    if outcome in ("success", "unknown"):
        return outcome, None
    return outcome, signature or code or label(outer(record, "resultDescription"))


@lru_cache(maxsize=1024)
def ocsf_class(operation: str) -> tuple[int, int]:
    """(class_uid, activity_id) of an operation such as `SecretGet`, by how its name ends."""
    if operation == "Authentication":
        return AUTHENTICATION, _LOGON
    if operation.startswith("VaultAccessPolicyChanged"):
        return USER_ACCESS, _ASSIGN
    if "RoleAssignment" in operation:
        is_read = operation.endswith(("Get", "List"))
        granted = _REVOKE if "Delete" in operation else _ASSIGN
        return (API_ACTIVITY, _READ) if is_read else (USER_ACCESS, granted)
    found = (activity for activity, endings in _ENDINGS if operation.endswith(endings))
    return API_ACTIVITY, next(found, _OTHER)


SOURCE = Source(
    name="azure_key_vault",
    log="azure_key_vault",
    version=2,
    title="Azure Key Vault audit events",
    reads='`{"records": [...]}` or lines of the diagnostic setting AuditEvent of Key Vault and Managed HSM',
    recognised_by="time, category AuditEvent, operationName, resultType and a resourceId of Microsoft.KeyVault",
    grade="documentation",
    documentation="https://learn.microsoft.com/en-us/azure/key-vault/general/logging",
    documented_at="2026-11-29",
    evidence_kinds=("activity",),
    voice="recorded",
    system="azure",
    place=place_of,
    delivered_in=(f"azure:{KEY_VAULT}",),
    join_keys=("request",),
    recognise=recognise,
    records=partial(json_records, arrays=ARRAYS),
    events=events,
    claim=claim_of("key-vault"),
    objects=(
        "identity",
        "identity.claim",
        "properties",
    ),
    never_text=frozenset({"identity", "identity.claim"}),
)
