"""Entries of Cloud Audit Logs (Admin Activity) for a role given at a project or folder.

Shape: https://cloud.google.com/logging/docs/reference/audit/auditlog/rest/Shared.Types/AuditLog, its delta
https://cloud.google.com/logging/docs/reference/audit/auditlog/rest/Shared.Types/AuditData. Values are our own.
"""

from random import Random

from ultravires.simulator import ids
from ultravires.simulator.cast import Human
from ultravires.simulator.grants import Json
from ultravires.simulator.moments import SECOND, to_fraction

LOG = "gcp_audit"
_LABELS = {"projects": ("project", "project_id"), "folders": ("folder", "folder_id")}


def role_bound(rng: Random, at: int, human: Human, *, scope: str, role: str, address: str) -> Json:
    """SetIamPolicy on `projects/<id>` or `folders/<number>` that gives a role to a service account."""
    kind, _, uid = scope.partition("/")
    of_type, label = _LABELS[kind]
    permission = f"resourcemanager.{kind}.setIamPolicy"
    delta = {"action": "ADD", "role": role, "member": f"serviceAccount:{address}"}
    return {
        "protoPayload": {
            "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
            "status": {},
            "authenticationInfo": {"principalEmail": human.email},
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
        },
        "insertId": ids.hexadecimal(rng, 14),
        "resource": {"type": of_type, "labels": {label: uid}},
        "timestamp": to_fraction(at),
        "severity": "NOTICE",
        "logName": f"{scope}/logs/cloudaudit.googleapis.com%2Factivity",
        "receiveTimestamp": to_fraction(at + SECOND),
    }


def node_of(entry: Json) -> str:
    """Insert ids are unique within a log."""
    return f"activity:{entry['logName']}/{entry['insertId']}"
