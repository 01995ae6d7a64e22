"""Entries of Cloud Audit Logs (Admin Activity) for a role given at a project or folder, and for members of groups.

Shape: https://cloud.google.com/logging/docs/reference/audit/auditlog/rest/Shared.Types/AuditLog, its delta
https://cloud.google.com/logging/docs/reference/audit/auditlog/rest/Shared.Types/AuditData, groups
https://cloud.google.com/logging/docs/audit/gsuite-audit-logging. Values are our own.
"""

from random import Random

from ultravires.simulator import ids
from ultravires.simulator.cast import Human
from ultravires.simulator.grants import Json
from ultravires.simulator.moments import SECOND, to_fraction

LOG = "gcp_audit"
_LABELS = {"projects": ("project", "project_id"), "folders": ("folder", "folder_id")}
_ORGANIZATION = "organizations/407719263350"
_ADMIN, _ADD_MEMBER = "admin.googleapis.com", "google.admin.AdminService.addGroupMember"


def role_bound(rng: Random, at: int, human: Human, *, scope: str, role: str, member: str) -> Json:
    """SetIamPolicy on `projects/<id>` or `folders/<number>` that gives a role to `serviceAccount:<address>` or
    `group:<address>`.
    """
    kind, _, uid = scope.partition("/")
    of_type, label = _LABELS[kind]
    permission = f"resourcemanager.{kind}.setIamPolicy"
    delta = {"action": "ADD", "role": role, "member": member}
    payload = {
        "status": {},
        "requestMetadata": {"callerIp": human.ip, "callerSuppliedUserAgent": "google-cloud-sdk gcloud/541.0.0"},
        "serviceName": "cloudresourcemanager.googleapis.com",
        "methodName": "SetIamPolicy",
        "authorizationInfo": [{"resource": scope, "permission": permission, "granted": True}],
        "resourceName": scope,
        "serviceData": {
            "@type": "type.googleapis.com/google.iam.v1.logging.AuditData",
            "policyDelta": {"bindingDeltas": [delta]},
        },
        "request": {
            "@type": "type.googleapis.com/google.iam.v1.SetIamPolicyRequest",
            "resource": scope,
        },
    }
    resource = {"type": of_type, "labels": {label: uid}}
    return _entry(rng, at, human, scope, resource=resource, payload=payload)


def group_joined(rng: Random, at: int, human: Human, *, group: str, member: str) -> Json:
    """An account or another group belongs to a group from now on, all by their addresses."""
    named = {"USER_EMAIL": member, "GROUP_EMAIL": group}
    parameters = [
        {"name": name, "value": value, "type": "TYPE_STRING", "label": "LABEL_OPTIONAL"}
        for name, value in named.items()
    ]
    payload = {
        "requestMetadata": {"callerIp": human.ip, "requestAttributes": {}, "destinationAttributes": {}},
        "serviceName": _ADMIN,
        "methodName": _ADD_MEMBER,
        "resourceName": f"{_ORGANIZATION}/groupSettings",
        "metadata": {
            "@type": "type.googleapis.com/ccc_hosted_reporting.ActivityProto",
            "activityId": {"uniqQualifier": str(rng.randrange(10**18)), "timeUsec": str(at * 1000)},
            "event": [{"eventType": "GROUP_SETTINGS", "eventName": "ADD_GROUP_MEMBER", "parameter": parameters}],
        },
    }
    resource = {"type": "audited_resource", "labels": {"service": _ADMIN, "method": _ADD_MEMBER}}
    return _entry(rng, at, human, _ORGANIZATION, resource=resource, payload=payload)


def node_of(entry: Json) -> str:
    """Insert ids are unique within a log."""
    return f"activity:{entry['logName']}/{entry['insertId']}"


def _entry(rng: Random, at: int, human: Human, scope: str, *, resource: Json, payload: Json) -> Json:
    return {
        "protoPayload": {
            "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
            "authenticationInfo": {"principalEmail": human.email},
            **payload,
        },
        "insertId": ids.hexadecimal(rng, 14),
        "resource": resource,
        "timestamp": to_fraction(at),
        "severity": "NOTICE",
        "logName": f"{scope}/logs/cloudaudit.googleapis.com%2Factivity",
        "receiveTimestamp": to_fraction(at + SECOND),
    }
