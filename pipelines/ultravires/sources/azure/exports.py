"""What Azure's logs share, however they were exported: the envelope of a diagnostic setting, results, ids, addresses.

A diagnostic setting writes `{"records": [{"time", "resourceId", "operationName", "category", "properties", ...}]}`, or
one such record a line; the REST APIs answer `{"value": [...]}` with the inner object alone. Some shippers write the
members of the envelope in lower case.
https://learn.microsoft.com/en-us/azure/azure-monitor/platform/resource-logs-schema
"""

import re
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

from ultravires.reading.addresses import address_of, host_of
from ultravires.reading.head import Head, values_at
from ultravires.reading.object_fields import opened
from ultravires.reading.origins import AZURE, stated
from ultravires.reading.values import label, mapping, sequence, text

ARRAYS = ("records", "value")
"""The arrays that wrap records: `records` in exports, `value` in answers of the REST APIs."""

SIGN_INS = {
    "SignInLogs": "interactiveUser",
    "NonInteractiveUserSignInLogs": "nonInteractiveUser",
    "ServicePrincipalSignInLogs": "servicePrincipal",
    "MicrosoftServicePrincipalSignInLogs": "servicePrincipal",
    "ManagedIdentitySignInLogs": "managedIdentity",
}
"""Category of a sign-in log to the event type that Microsoft Graph gives the same sign-in."""

GRAPH_CALLS = "MicrosoftGraphActivityLogs"
ACTS = frozenset({"Administrative", "Policy", "Autoscale", "Write", "Delete", "Action"})
"""Categories of the activity log that say what somebody did; the others say how a resource is."""

STATES = frozenset({"Security", "ServiceHealth", "ResourceHealth", "Alert", "Recommendation"})
STORAGE = ("StorageRead", "StorageWrite", "StorageDelete")
KUBERNETES = ("kube-audit", "kube-audit-admin")
"""Categories of a managed cluster (AKS) that hold its API server's audit events; the latter leaves out the reads."""

KEY_VAULT = "AuditEvent"
"""Category of Key Vault's audit events; other services call theirs so too, so the resource has to be a vault."""
_VAULTS = "microsoft.keyvault"

_FAMILIES = {
    **dict.fromkeys(SIGN_INS, "sign-in"),
    GRAPH_CALLS: "graph",
    **dict.fromkeys(ACTS | STATES, "activity"),
    **dict.fromkeys(STORAGE, "storage"),
    **dict.fromkeys(KUBERNETES, "kubernetes"),
    KEY_VAULT: "key-vault",
}
ANOTHER_LOG = "record of another log of Azure"
"""Why a record of an export that mixes logs holds no event."""
_ENVELOPE = frozenset({"time", "operationname"})
_TELLING = frozenset({"category", "resourceid"})
"""One of them beside the envelope tells whose log it is."""
_SIGN_IN, _GRAPH_CALL = "sign-in activity", "microsoft graph activity"
_DIRECTORY, _STORAGE = "/providers/microsoft.aadiam", "/providers/microsoft.storage/storageaccounts/"
_CLUSTER, _KUBERNETES_API = "/providers/microsoft.containerservice/managedclusters/", "audit.k8s.io/"
_OPERATION_IN_HEAD = re.compile(rb'"operationname"\s*:\s*"([^"\\]{1,300})"')
_RESOURCE_OPERATION = re.compile(r"[a-z0-9]+(?:\.[a-z0-9]+)+/[a-z0-9./]+/(?:read|write|delete|action)")
_READS = ("get", "list", "peek", "query", "head", "find")
_KINDS_OF_SIGN_IN = {kind: category for category, kind in reversed(SIGN_INS.items())}
_CATEGORY = re.compile(rb'"category"\s*:\s*"([A-Za-z-]{1,40})"')
_AUDIT_MARK = re.compile(rb'"loggedByService\\?"\s*:')
_NOTHING = frozenset({"", "None", "none", "-"})
_BLANK_OR_ZERO = frozenset(" 0-")
_SUBSCRIPTION = "/subscriptions/"
_GUID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}")


def family_of(head: Head) -> str | None:
    """Whose the file is: `sign-in`, `graph`, `audit`, `activity`, `storage`, `kubernetes`, `key-vault`, or None.

    An export mixes them, and exactly one source has to recognise it: the one whose category comes first. Directory
    audits are known by `loggedByService`, for their own categories (Policy) are names of the activity log too.
    """
    for match in _CATEGORY.finditer(head.data):
        family = _FAMILIES.get(match[1].decode())
        if family in (None, "activity") and _AUDIT_MARK.search(head.data):
            return "audit"
        if family and (family != "key-vault" or _VAULTS.encode() in head.data.lower()):
            return family
    return _family_by_operation(head)


def _family_by_operation(head: Head) -> str | None:
    """The same of a file whose records name no category."""
    beginning = head.data.lower()
    match = _OPERATION_IN_HEAD.search(beginning)
    operation = match[1].decode("utf-8", "replace") if match else ""
    if operation in (_SIGN_IN, _GRAPH_CALL):
        return "sign-in" if operation == _SIGN_IN else "graph"
    if _RESOURCE_OPERATION.fullmatch(operation):
        return "activity"
    if f"/{_VAULTS}".encode() in beginning and b'"resulttype"' in beginning:
        return "key-vault"
    is_storage = b'"uri"' in beginning and b'"statuscode"' in beginning and _STORAGE.encode() in beginning
    return "storage" if is_storage else None


def category_of(record: dict[str, Any]) -> str | None:
    """The category of a diagnostic record; where a forwarder dropped it, what its resource and operation say."""
    category = outer(record, "category")
    if category is not None:
        return category if type(category) is str else None
    operation, resource = text(outer(record, "operationName")), text(outer(record, "resourceId"))
    if operation is None or resource is None or outer(record, "time") is None:
        return None
    return _category_by_operation(record, operation.lower(), resource.lower())


def place_of(record: dict[str, Any]) -> str | None:
    """`Source.place` of logs that diagnostic settings export: the category of the envelope. Records of REST APIs call
    something else so, and have no time of an envelope.
    """
    category = outer(record, "category")
    is_envelope = type(category) is str and outer(record, "time") is not None
    return stated(AZURE, category) if is_envelope else None


def _category_by_operation(record: dict[str, Any], operation: str, resource: str) -> str | None:
    if resource.endswith(_DIRECTORY):
        known = {_GRAPH_CALL: GRAPH_CALLS, _SIGN_IN: _category_of_sign_in(record)}
        return known.get(operation)
    if _RESOURCE_OPERATION.fullmatch(operation):
        return "Administrative"
    if _STORAGE in resource and outer(record, "uri") is not None and outer(record, "statusCode") is not None:
        is_read = operation.startswith(_READS)
        return "StorageRead" if is_read else "StorageDelete" if operation.startswith("delete") else "StorageWrite"
    if _VAULTS in resource and outer(record, "resultType") is not None:
        return KEY_VAULT
    if _CLUSTER in resource and _KUBERNETES_API in str(opened(outer(record, "properties")).get("log")):
        return KUBERNETES[0]
    return None


def _category_of_sign_in(record: dict[str, Any]) -> str:
    """By the kinds of sign-in that it names, else by who signed in."""
    sign_in = opened(outer(record, "properties"))
    named = (kind for kind in sequence(sign_in.get("signInEventTypes")) if type(kind) is str)
    if found := next((_KINDS_OF_SIGN_IN[kind] for kind in named if kind in _KINDS_OF_SIGN_IN), None):
        return found
    if filled(sign_in.get("userId")):
        return "NonInteractiveUserSignInLogs" if sign_in.get("isInteractive") is False else "SignInLogs"
    is_managed = filled(sign_in.get("managedIdentityType")) or mapping(sign_in.get("managedServiceIdentity"))
    return "ManagedIdentitySignInLogs" if is_managed else "ServicePrincipalSignInLogs"


def family_of_record(record: dict[str, Any]) -> str | None:
    """The same of one record, also as the REST APIs and Log Analytics write it; None for other logs.

    What tells a log for sure comes before the category, whose names several logs share.
    """
    if "activityDisplayName" in record or "loggedByService" in opened(outer(record, "properties")):
        return "audit"
    if "TimeGenerated" in record and "RequestUri" in record:
        return "graph"
    if "eventTimestamp" in record:
        return "activity"
    if outer(record, "category") is None and "createdDateTime" in record and "appId" in record:
        return "sign-in"
    category = category_of(record)
    if category == KEY_VAULT:
        resource = outer(record, "resourceId")
        return "key-vault" if type(resource) is str and _VAULTS in resource.lower() else None
    return _FAMILIES.get(category or "")


def claim_of(family: str) -> Callable[[dict[str, Any]], dict[str, Any] | None]:
    """`Source.claim` of a log whose records stand in exports as they are."""
    return partial(_claimed, family)


def _claimed(family: str, record: dict[str, Any]) -> dict[str, Any] | None:
    return record if family_of_record(record) == family else None


def is_export(head: Head, *members: str) -> bool:
    """Whether one of the first objects is the envelope of a diagnostic setting, and these members are there, in any
    case: in a file that mixes logs perhaps in a later record, and of an array only the first is looked into.
    """
    named = ({key.lower() for key in keys} for keys in head.first_keys(*ARRAYS))
    if not any(names >= _ENVELOPE and names & _TELLING for names in named):
        return False
    text_of_head = head.data.lower()
    return all(f'"{member}"'.encode() in text_of_head for member in members)


def names_any(head: Head, member: str, *words: str) -> bool:
    """Whether a value of this member anywhere in the beginning holds one of the words."""
    return any(word in value for value in values_at(head, member) for word in words)


def outer(record: dict[str, Any], name: str) -> Any:
    """A member of the envelope, also where a shipper wrote its name in lower case."""
    value = record.get(name)
    return record.get(name.lower()) if value is None else value


def tenant_of(record: dict[str, Any]) -> str | None:
    """The tenant that the envelope names."""
    return text(outer(record, "tenantId"))


def filled(value: Any) -> str | None:
    """A text that says something: Microsoft also writes `None`, blanks and a GUID of zeros for nothing."""
    if type(value) is not str or value in _NOTHING:
        return None
    if value[0] in _BLANK_OR_ZERO and not value.strip(" 0-"):
        return None
    return value.strip()


def request_keys(account: str | None, *ids: Any) -> list[tuple[str, str, str]]:
    """Each id once as the name of a request, bare and in its account."""
    keys: list[tuple[str, str, str]] = []
    for request in dict.fromkeys(map(filled, ids)):
        if request:
            keys.append(("request", request, "names"))
            if account:
                keys.append(("request", f"{account}/{request}", "names"))
    return keys


def address(*values: Any) -> str | None:
    """The first value that is an IP address, without the port that some services append."""
    return next((found for value in values if type(value) is str and (found := address_of(host_of(value)))), None)


@lru_cache(maxsize=65536)
def subscription_of(resource: str) -> str | None:
    """The subscription in a resource id, which is written in upper case by exports and in mixed case by REST."""
    lowered = resource.lower()
    return lowered.split("/")[2] or None if lowered.startswith(_SUBSCRIPTION) else None


@lru_cache(maxsize=65536)
def last_part(identifier: str) -> str:
    """The last part of a resource id; a GUID comes in lower case with its dashes, however it was written."""
    part = identifier.rstrip("/").rpartition("/")[2]
    lowered = part.lower()
    if not _GUID.fullmatch(lowered):
        return part
    digits = lowered.replace("-", "")
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def status_outcome(status: Any) -> tuple[str, str | None]:
    """(outcome, error code) of an HTTP status, written as a number or a text."""
    code = label(status)
    if code is None or not code.isascii() or not code.isdigit() or len(code) > len("999"):
        return "unknown", None
    if code in ("401", "403"):
        return "denied", code
    return ("failure", code) if int(code) >= _FIRST_ERROR else ("success", None)


_FIRST_ERROR = 400
