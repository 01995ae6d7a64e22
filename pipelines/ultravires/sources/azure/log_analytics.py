"""Rows of the tables of Log Analytics and Sentinel as the records that diagnostic settings write.

Tables: https://learn.microsoft.com/en-us/azure/azure-monitor/reference/tables-index
The rows of MicrosoftGraphActivityLogs are read by their source as they are.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from ultravires.reading.renaming import Renaming
from ultravires.reading.typed_cells import decoded_text
from ultravires.reading.values import text

Row = dict[str, Any]

_UTC = " [UTC]"
_OF_SIGN_INS = {
    "SigninLogs": "SignInLogs",
    "AADNonInteractiveUserSignInLogs": "NonInteractiveUserSignInLogs",
    "AADServicePrincipalSignInLogs": "ServicePrincipalSignInLogs",
    "AADManagedIdentitySignInLogs": "ManagedIdentitySignInLogs",
}
_NAMES = {
    "IPAddress": "ipAddress",
    "ResourceIdentity": "resourceId",
    "AADOperationType": "operationType",
    "AADTenantId": "tenantId",
    "MfaDetail": "mfaDetail",
}
_ENVELOPE_ONLY = frozenset(
    {"TimeGenerated", "TenantId", "Type", "SourceSystem", "_ResourceId", "ResourceId", "Category"}
)
_CLUSTER_LOG = "Microsoft.ContainerService/managedClusters/diagnosticLogs/Read"
_OF_AUDIT_EVENT = {
    "Level": "level",
    "AuditId": "auditID",
    "Stage": "stage",
    "RequestUri": "requestURI",
    "Verb": "verb",
    "User": "user",
    "ImpersonatedUser": "impersonatedUser",
    "SourceIps": "sourceIPs",
    "UserAgent": "userAgent",
    "ObjectRef": "objectRef",
    "ResponseStatus": "responseStatus",
    "RequestObject": "requestObject",
    "ResponseObject": "responseObject",
    "RequestReceivedTime": "requestReceivedTimestamp",
    "StageReceivedTime": "stageTimestamp",
    "Annotations": "annotations",
}


def record_of(row: Row) -> Row | None:
    """A row of one of these tables, known by its columns: `Type` is not in every export."""
    if "TimeGenerated" not in row and "TimeGenerated" + _UTC not in row:
        return None
    named = {name.removesuffix(_UTC): decoded_text(value) for name, value in row.items()}
    filled = {name: value for name, value in named.items() if value not in (None, "")}
    for columns, make in _TABLES:
        if columns <= named.keys():
            return make(filled)
    return None


def _envelope(row: Row, **members: Any) -> Row:
    own = {
        "time": row.get("TimeGenerated"),
        "resourceId": row.get("_ResourceId") or row.get("ResourceId"),
        "operationName": row.get("OperationName"),
        "category": row.get("Category"),
        "tenantId": row.get("AADTenantId"),
        "correlationId": row.get("CorrelationId"),
        "callerIpAddress": row.get("CallerIpAddress") or row.get("IPAddress"),
        "resultType": row.get("ResultType"),
        "resultSignature": row.get("ResultSignature"),
        "resultDescription": row.get("ResultDescription"),
        **members,
    }
    # a recogniser of exports looks for the resource, which directory logs have none of
    return {"resourceId": "", **{name: value for name, value in own.items() if value is not None}}


def _activity(row: Row) -> Row:
    identity = {
        "authorization": row.get("Authorization_d") or row.get("Authorization"),
        "claims": row.get("Claims_d") or row.get("Claims"),
    }
    return _envelope(
        row,
        operationName=row.get("OperationNameValue"),
        category=row.get("CategoryValue") or row.get("Category"),
        resultType=row.get("ActivityStatusValue"),
        resultSignature=row.get("ActivitySubstatusValue"),
        identity={name: value for name, value in identity.items() if value is not None},
        level=row.get("Level"),
        eventDataId=row.get("EventDataId"),
        caller=row.get("Caller"),
        subscriptionId=row.get("SubscriptionId"),
        httpRequest=row.get("HTTPRequest"),
        properties=row.get("Properties_d") or row.get("Properties"),
    )


def _sign_in(row: Row) -> Row:
    category = text(row.get("Category")) or _OF_SIGN_INS.get(str(row.get("Type")))
    if category is None:
        category = "SignInLogs" if "UserPrincipalName" in row else "ServicePrincipalSignInLogs"
    return _envelope(
        row, category=category, operationName=row.get("OperationName") or "Sign-in activity", properties=_inner(row)
    )


def _audit(row: Row) -> Row:
    return _envelope(row, category="AuditLogs", properties=_inner(row) | {"category": row.get("Category")})


def _inner(row: Row) -> Row:
    """The members of `properties`: columns are theirs with a capital letter."""
    return {_NAMES.get(name, name[:1].lower() + name[1:]): row[name] for name in row if name not in _ENVELOPE_ONLY}


def _storage(row: Row) -> Row:
    requester = {
        "objectId": row.get("RequesterObjectId"),
        "tenantId": row.get("RequesterTenantId"),
        "appId": row.get("RequesterAppId"),
        "upn": row.get("RequesterUpn"),
        "tokenIssuer": row.get("RequesterTokenIssuer"),
    }
    properties = {
        "accountName": row.get("AccountName"),
        "userAgentHeader": row.get("UserAgentHeader"),
        "clientRequestId": row.get("ClientRequestId"),
        "objectKey": row.get("ObjectKey"),
    }
    identity = {
        "type": row.get("AuthenticationType"),
        "tokenHash": row.get("AuthenticationHash"),
        "requester": {name: value for name, value in requester.items() if value is not None} or None,
    }
    return _envelope(
        row,
        statusCode=row.get("StatusCode"),
        statusText=row.get("StatusText"),
        uri=row.get("Uri"),
        identity={name: value for name, value in identity.items() if value is not None},
        properties={name: value for name, value in properties.items() if value is not None},
    )


def _cluster(row: Row) -> Row:
    event = {name: row[column] for column, name in _OF_AUDIT_EVENT.items() if column in row}
    return _of_cluster(row, {"kind": "Event", "apiVersion": "audit.k8s.io/v1", **event})


def _diagnostics_of_cluster(row: Row) -> Row:
    return _of_cluster(row, row.get("log_s"))


def _of_cluster(row: Row, event: Any) -> Row:
    log = event if type(event) is str else msgspec.json.encode(event).decode()
    return _envelope(row, category="kube-audit", operationName=_CLUSTER_LOG, properties={"log": log})


_TABLES: tuple[tuple[frozenset[str], Callable[[Row], Row]], ...] = (
    (frozenset({"OperationNameValue", "ActivityStatusValue"}), _activity),
    (frozenset({"LoggedByService", "ActivityDisplayName"}), _audit),
    (frozenset({"AppId", "ConditionalAccessStatus"}), _sign_in),
    (frozenset({"AppId", "ServicePrincipalId", "ResultType"}), _sign_in),
    (frozenset({"StatusCode", "Uri", "AuthenticationType"}), _storage),
    (frozenset({"AuditId", "Stage", "Verb"}), _cluster),
    (frozenset({"log_s", "Category"}), _diagnostics_of_cluster),
)

RENAMING = Renaming(
    name="log analytics",
    title="rows of Log Analytics and Sentinel (CSV, JSON)",
    sources=("azure_activity", "azure_storage", "entra_audit", "entra_signin", "kubernetes_audit"),
    documentation="https://learn.microsoft.com/en-us/azure/azure-monitor/reference/tables-index",
    record_of=record_of,
)
