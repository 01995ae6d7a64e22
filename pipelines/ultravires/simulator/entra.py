"""Records of Microsoft Entra's audit log, as Azure Monitor exports them, for permissions given to an application.

Shape: https://learn.microsoft.com/en-us/graph/api/resources/directoryaudit, operations
https://learn.microsoft.com/en-us/entra/identity/monitoring-health/reference-audit-activities. Values are our own.
"""

import json
from random import Random

from ultravires.simulator import ids
from ultravires.simulator.cast import Human
from ultravires.simulator.grants import Json
from ultravires.simulator.moments import to_micros
from ultravires.simulator.names_elsewhere import directory_object

LOG = "entra_audit"
_GRAPH = "00000003-0000-0000-c000-000000000000"
_NAMES_OF_GRAPH = f"{_GRAPH}/ags.windows.net;{_GRAPH};https://graph.microsoft.com"


def app_role_given(rng: Random, at: int, human: Human, client: str, permission: str) -> Json:
    """A permission of Microsoft Graph that the service principal `client` has from now on by itself."""
    properties = {
        "AppRole.Id": ids.uuid(ids.stream("app role", permission)),
        "AppRole.Value": permission,
        "ServicePrincipal.ObjectID": client,
        "TargetId.ServicePrincipalNames": _NAMES_OF_GRAPH,
    }
    return _record(rng, at, human, "Add app role assignment to service principal", properties)


def consent_given(rng: Random, at: int, human: Human, client: str, scopes: str) -> Json:
    """Delegated permissions of Microsoft Graph that `client` has from now on for everybody (oauth2PermissionGrant)."""
    properties = {
        "DelegatedPermissionGrant.Scope": f" {scopes}",
        "DelegatedPermissionGrant.ConsentType": "AllPrincipals",
        "ServicePrincipal.ObjectID": client,
        "TargetId.ServicePrincipalNames": _NAMES_OF_GRAPH,
    }
    return _record(rng, at, human, "Add delegated permission grant", properties)


def node_of(record: Json) -> str:
    return f"activity:{record['properties']['id']}"


def _record(rng: Random, at: int, human: Human, operation: str, properties: dict[str, str]) -> Json:
    tenant, correlation, moment = directory_object("tenant"), ids.uuid(rng), to_micros(at)
    modified = [
        {"displayName": name, "oldValue": None, "newValue": json.dumps(value)} for name, value in properties.items()
    ]
    graph = {"id": directory_object("Microsoft Graph"), "displayName": "Microsoft Graph", "type": "ServicePrincipal"}
    person = {"id": directory_object(human.user), "userPrincipalName": human.email, "ipAddress": human.ip, "roles": []}
    return {
        "time": moment,
        "resourceId": f"/tenants/{tenant}/providers/Microsoft.aadiam",
        "operationName": operation,
        "operationVersion": "1.0",
        "category": "AuditLogs",
        "tenantId": tenant,
        "resultSignature": "None",
        "durationMs": 0,
        "callerIpAddress": human.ip,
        "correlationId": correlation,
        "Level": 4,
        "properties": {
            "id": f"Directory_{correlation}_{ids.hexadecimal(rng, 5).upper()}_{rng.randrange(10**7, 10**8)}",
            "category": "ApplicationManagement",
            "correlationId": correlation,
            "result": "success",
            "resultReason": "",
            "activityDisplayName": operation,
            "activityDateTime": moment,
            "loggedByService": "Core Directory",
            "operationType": "Assign",
            "initiatedBy": {"user": person},
            "targetResources": [graph | {"modifiedProperties": modified}],
            "additionalDetails": [],
        },
    }
