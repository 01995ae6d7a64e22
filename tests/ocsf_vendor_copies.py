"""Records of Okta, GitHub, Google Cloud and Entra as OCSF, after the mappings that their readers name.

Written from the tables of the mappings, not from the readers. What a mapping calls "all else" goes to `unmapped`.
"""

from collections.abc import Callable
from typing import Any

from ocsf_copies import millis, without_nothing

Record = dict[str, Any]
_CLASSES = {
    3001: ("Account Change", "Identity & Access Management"),
    3002: ("Authentication", "Identity & Access Management"),
    3004: ("Entity Management", "Identity & Access Management"),
    3006: ("Group Management", "Identity & Access Management"),
    6003: ("API Activity", "Application Activity"),
}
_OKTA_STATUS = {"SUCCESS": (1, "Success"), "ALLOW": (1, "Success"), "FAILURE": (2, "Failure"), "DENY": (2, "Failure")}


def _classified(class_uid: int, activity: tuple[int, str]) -> Record:
    title, category = _CLASSES[class_uid]
    return {
        "activity_id": activity[0],
        "activity_name": activity[1],
        "category_name": category,
        "category_uid": class_uid // 1000,
        "class_name": title,
        "class_uid": class_uid,
        "severity": "Informational",
        "severity_id": 1,
        "type_name": f"{title}: {activity[1]}",
        "type_uid": class_uid * 100 + activity[0],
    }


def okta_as_ocsf(event: Record) -> Record:
    """A LogEvent as the mapping v1.3.0 of the OCSF examples writes it."""
    actor, client, context = event["actor"], event["client"], event["authenticationContext"]
    result = event["outcome"]["result"]
    status = _OKTA_STATUS.get(result, (99, result))
    is_sign_in = event["eventType"].startswith(("user.session", "user.authentication"))
    own = _classified(3002, (1, "Logon")) if is_sign_in else _classified(6003, (99, "Other"))
    user = {
        "email_addr": actor["alternateId"],
        "name": actor["displayName"],
        "type": "User" if actor["type"] == "User" else "Other",
        "type_id": 1 if actor["type"] == "User" else 99,
        "uid": actor["id"],
    }
    return without_nothing(
        own
        | {
            "actor": {"session": {"uid": context["externalSessionId"]}, "user": user},
            "api": None if is_sign_in else {"operation": event["eventType"]},
            "http_request": {"user_agent": client["userAgent"]["rawUserAgent"]},
            "message": event["displayMessage"],
            "metadata": {
                "event_code": event["eventType"],
                "product": {"name": "Okta System Log", "vendor_name": "Okta", "version": event["version"]},
                "profiles": ["datetime"],
                "uid": event["uuid"],
                "version": "1.3.0",
            },
            "src_endpoint": {"ip": client["ipAddress"], "type": client["device"]},
            "status": status[1],
            "status_id": status[0],
            "time": millis(event["published"]),
            "time_dt": event["published"],
            "unmapped": {
                "outcome": {"reason": event["outcome"]["reason"]},
                "target": event["target"],
                "transaction": event["transaction"],
            },
            "user": user if is_sign_in else None,
            "dst_endpoint": {"svc_name": "/api/v1"} if is_sign_in else None,
        }
    )


def github_as_ocsf(event: Record) -> Record:
    """An audit event as the mapping v1.3.0 of the OCSF examples writes it."""
    mapped = {"_document_id", "@timestamp", "action", "actor", "actor_id", "actor_ip", "external_identity_nameid"}
    mapped |= {"org", "org_id", "repo", "user_agent"}
    return without_nothing(
        _classified(6003, (99, "Other"))
        | {
            "actor": {
                "user": {
                    "account": {"name": event.get("org"), "uid": str(event["org_id"]) if "org_id" in event else None},
                    "email_addr": event.get("external_identity_nameid"),
                    "name": event.get("actor"),
                    "uid": str(event["actor_id"]) if "actor_id" in event else None,
                }
            },
            "api": {"operation": event["action"]},
            "http_request": {"user_agent": event.get("user_agent")},
            "metadata": {
                "event_code": event["action"],
                "product": {"name": "GitHub Audit Log", "vendor_name": "GitHub"},
                "uid": event["_document_id"],
                "version": "1.3.0",
            },
            "resources": [{"name": event["repo"]}] if event.get("repo") else None,
            "src_endpoint": {"ip": event.get("actor_ip")},
            "time": event["@timestamp"],
            "unmapped": {name: value for name, value in event.items() if name not in mapped},
        }
    )


def gcp_as_ocsf(entry: Record) -> Record:
    """An audit entry as the integrations of AWS write it for Security Lake."""
    payload = entry["protoPayload"]
    status, caller = payload.get("status") or {}, payload["authenticationInfo"]
    code = status.get("code")
    email = caller.get("principalEmail")
    request = payload.get("requestMetadata") or {}
    return without_nothing(
        _classified(6003, (99, "Other"))
        | {
            "actor": {
                "authorizations": [
                    {"decision": "Allow" if each.get("granted") else "Deny", "policy": {"name": each["permission"]}}
                    for each in payload.get("authorizationInfo") or []
                ],
                "user": {
                    "email_addr": email,
                    "name": email or "Unknown User",
                    "type_id": 0,
                    "uid": email.replace("@", "_at_").replace(".", "_") if email else "unknown",
                },
            },
            "api": {
                "operation": payload["methodName"],
                "request": {"uid": entry["insertId"]},
                "response": {"code": code or 0, "message": status.get("message")},
                "service": {"name": payload["serviceName"]},
            },
            "cloud": {"account": {"uid": entry["resource"]["labels"].get("project_id")}, "provider": "GCP"},
            "metadata": {
                "original_time": entry["timestamp"],
                "product": {
                    "feature": {"name": "Cloud Audit Logs"},
                    "name": "Google Cloud Audit Logs",
                    "vendor_name": "Google Cloud",
                },
                "profiles": ["cloud", "datetime"],
                "uid": entry["insertId"],
                "version": "1.1.0",
            },
            "resources": [{"type": entry["resource"]["type"], "uid": payload.get("resourceName")}],
            "src_endpoint": {"ip": request.get("callerIp") or "0.0.0.0"},
            "status": "Failure" if code else "Unknown",
            "status_code": str(code or 0),
            "status_detail": status.get("message"),
            "status_id": 2 if code else 0,
            "time": millis(entry["timestamp"]),
            "unmapped": {"log_name": entry["logName"], "severity": entry.get("severity")},
        }
    )


def _microsoft(log: str, uid: str, version: str = "1.7.0") -> Record:
    return {
        "log_name": log,
        "original_event_uid": uid,
        "product": {"name": "Microsoft Entra ID", "vendor_name": "Microsoft"},
        "profiles": ["datetime"],
        "version": version,
    }


def _person(uid: str | None, login: str | None, name: str | None) -> Record:
    local, _, domain = (login or "").partition("@")
    return {"domain": domain or None, "email_addr": login, "full_name": name, "name": local or None, "uid": uid}


def entra_audit_as_ocsf(audit: Record) -> Record:
    """A directoryAudit as Tenzir's library writes it; the time as JSON holds it there, and as number."""
    by, name = audit["initiatedBy"], audit["activityDisplayName"]
    user, app = by.get("user"), by.get("app")
    mapped = {"id", "loggedByService", "activityDateTime", "activityDisplayName", "resultReason", "result"}
    mapped |= {"initiatedBy", "operationType", "category"}
    has_succeeded = audit["result"] == "success"
    targets = audit["targetResources"]
    if user:
        actor: Record = {"user": _person(user.get("id"), user.get("userPrincipalName"), user.get("displayName"))}
    else:
        actor = {"app_name": app["displayName"], "app_uid": app.get("appId")}
        actor["user"] = {"type_id": 4, "uid": app.get("servicePrincipalId")}
    return without_nothing(
        _classified(3004, (99, name))
        | {
            "actor": actor,
            "entity": {"name": targets[0]["displayName"] or "-", "uid": targets[0]["id"]} if targets else {"name": "-"},
            "message": name,
            "metadata": _microsoft("auditLogs/directoryAudits", audit["id"]) | {"source": audit["loggedByService"]},
            "src_endpoint": {"ip": user.get("ipAddress")} if user else None,
            "status": "Success" if has_succeeded else "Failure",
            "status_detail": audit.get("resultReason") or None,
            "status_id": 1 if has_succeeded else 2,
            "time": millis(audit["activityDateTime"]),
            "time_dt": audit["activityDateTime"],
            "unmapped": {key: value for key, value in audit.items() if key not in mapped},
        }
    )


def entra_signin_as_ocsf(sign_in: Record) -> Record:
    """A signIn as Tenzir's library writes it."""
    mapped = {"id", "createdDateTime", "userId", "userPrincipalName", "userDisplayName", "appId", "appDisplayName"}
    mapped |= {"resourceId", "resourceDisplayName", "ipAddress", "status", "isInteractive", "location"}
    who = _person(sign_in.get("userId"), sign_in.get("userPrincipalName"), sign_in.get("userDisplayName"))
    code = sign_in["status"]["errorCode"]
    return without_nothing(
        _classified(3002, (1, "Logon"))
        | {
            "actor": {"user": who},
            "dst_endpoint": {"svc_name": sign_in.get("resourceDisplayName"), "uid": sign_in.get("resourceId")},
            "is_remote": True,
            "logon_type": "interactiveUser" if sign_in.get("isInteractive") else "nonInteractiveUser",
            "logon_type_id": 99,
            "metadata": _microsoft("auditLogs/signIns", sign_in["id"]),
            "service": {"name": sign_in.get("appDisplayName") or "-", "uid": sign_in.get("appId")},
            "src_endpoint": {"ip": sign_in.get("ipAddress")},
            "status": "Failure" if code else "Success",
            "status_code": str(code),
            "status_detail": sign_in["status"].get("failureReason"),
            "status_id": 2 if code else 1,
            "time": millis(sign_in["createdDateTime"]),
            "time_dt": sign_in["createdDateTime"],
            "unmapped": {key: value for key, value in sign_in.items() if key not in mapped},
            "user": who | {"uid": sign_in.get("userId") or "-"},
        }
    )


MAPPINGS: dict[str, Callable[[Record], Record]] = {
    "okta_system": okta_as_ocsf,
    "github_audit": github_as_ocsf,
    "gcp_audit": gcp_as_ocsf,
    "entra_audit": entra_audit_as_ocsf,
    "entra_signin": entra_signin_as_ocsf,
}
"""Source and how a record of it is mapped. Of Entra the record is Graph's object, the `properties` of an export."""
