"""CloudTrail and Kubernetes audit records as OCSF, after the mappings of Amazon Security Lake, and as Parquet.

Written from the tables of the mapping, not from the reader.
"""

import io
import json
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

_SIGN_INS = ("ConsoleLogin", "AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "GetSessionToken")
_MAPPED = {
    "eventVersion",
    "eventID",
    "eventTime",
    "eventType",
    "eventSource",
    "eventName",
    "awsRegion",
    "sourceIPAddress",
    "userAgent",
    "errorCode",
    "errorMessage",
    "requestID",
    "requestParameters",
    "responseElements",
    "recipientAccountId",
    "vpcEndpointId",
    "resources",
    "userIdentity",
}
_MAPPED_IDENTITY = {"type", "arn", "principalId", "accountId", "accessKeyId", "userName", "invokedBy"}


def without_nothing(value: Any) -> Any:
    """The same value without members that are null or empty."""
    if isinstance(value, dict):
        kept = {name: without_nothing(member) for name, member in value.items()}
        return {name: member for name, member in kept.items() if member not in (None, {}, [])}
    return [without_nothing(item) for item in value] if isinstance(value, list) else value


def millis(time: str) -> int:
    moment = datetime.fromisoformat(time.replace("Z", "+00:00"))
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _flat(prefix: str, value: Any) -> dict[str, str]:
    if isinstance(value, dict):
        found: dict[str, str] = {}
        for name, member in value.items():
            found |= _flat(f"{prefix}.{name}" if prefix else name, member)
        return found
    if value is None or isinstance(value, list):
        return {prefix: json.dumps(value)} if value else {}
    return {prefix: str(value).lower() if isinstance(value, bool) else str(value)}


def _unmapped(event: dict[str, Any]) -> dict[str, str]:
    identity = event.get("userIdentity") or {}
    rest = {name: member for name, member in identity.items() if name not in _MAPPED_IDENTITY}
    context = dict(rest.get("sessionContext") or {})
    context["sessionIssuer"] = {k: v for k, v in (context.get("sessionIssuer") or {}).items() if k != "arn"}
    context["attributes"] = {}
    rest["sessionContext"] = context
    if identity.get("type") == "IdentityCenterUser":
        rest.pop("onBehalfOf", None)
    found = {name: member for name, member in event.items() if name not in _MAPPED} | {"userIdentity": rest}
    return _flat("", found)


def cloudtrail_as_ocsf(event: dict[str, Any], version: str = "1.1.0") -> dict[str, Any]:
    """A CloudTrail event as Security Lake's source version 2 writes it."""
    identity = event.get("userIdentity") or {}
    context = identity.get("sessionContext") or {}
    attributes = context.get("attributes") or {}
    behalf = identity.get("onBehalfOf") or {}
    is_of_store = identity.get("type") == "IdentityCenterUser"
    name, response = event["eventName"], event.get("responseElements")
    class_uid = 3002 if name in _SIGN_INS else 6003
    title = {3002: "Authentication", 6003: "API Activity"}[class_uid]
    activity = (1, "Logon") if class_uid == 3002 else (99, "Other")
    address = event.get("sourceIPAddress")
    is_name = bool(address) and not any(mark in address[:5] for mark in ".:")
    has_failed = bool(event.get("errorCode")) or (response or {}).get("ConsoleLogin") == "Failure"
    made = (response or {}).get("credentials") or {} if class_uid == 3002 else {}
    mfa = attributes.get("mfaAuthenticated")
    return without_nothing(
        {
            "activity_id": activity[0],
            "activity_name": activity[1],
            "actor": {
                "invoked_by": identity.get("invokedBy"),
                "idp": {"name": identity.get("identityProvider"), "uid": behalf.get("identityStoreArn")},
                "session": {
                    "created_time_dt": attributes.get("creationDate"),
                    "is_mfa": None if mfa is None else str(mfa).lower() == "true",
                    "issuer": (context.get("sessionIssuer") or {}).get("arn"),
                },
                "user": {
                    "account": {"uid": identity.get("accountId")},
                    "credential_uid": identity.get("accessKeyId"),
                    "name": identity.get("userName"),
                    "type": identity.get("type"),
                    "uid": identity.get("arn"),
                    "uid_alt": behalf.get("userId") if is_of_store else identity.get("principalId"),
                },
            },
            "api": {
                "operation": name,
                "request": {"data": _data(event.get("requestParameters")), "uid": event.get("requestID")},
                "response": {
                    "data": _data(response),
                    "error": event.get("errorCode"),
                    "message": event.get("errorMessage"),
                },
                "service": {"name": event["eventSource"]},
            },
            "category_name": "Identity & Access Management" if class_uid == 3002 else "Application Activity",
            "category_uid": class_uid // 1000,
            "class_name": title,
            "class_uid": class_uid,
            "cloud": {
                "account": {"uid": event.get("recipientAccountId")},
                "provider": "AWS",
                "region": event.get("awsRegion"),
            },
            "http_request": {"user_agent": event.get("userAgent")},
            "metadata": {
                "event_code": event.get("eventType"),
                "product": {
                    "feature": {"name": "Management"},
                    "name": "CloudTrail",
                    "vendor_name": "AWS",
                    "version": event.get("eventVersion"),
                },
                "profiles": ["cloud", "datetime"],
                "uid": event.get("eventID"),
                "version": version,
            },
            "resources": [
                {
                    "uid": item.get("ARN"),
                    "type": item.get("type"),
                    "owner": {"account": {"uid": item.get("accountId")}},
                }
                for item in event.get("resources") or []
                if isinstance(item, dict)
            ],
            "session": {"credential_uid": made.get("accessKeyId")},
            "severity": "Informational",
            "severity_id": 1,
            "src_endpoint": {
                "ip": None if is_name else address,
                "domain": address if is_name else None,
                "uid": event.get("vpcEndpointId"),
            },
            "status": "Failure" if has_failed else "Success",
            "status_id": 2 if has_failed else 1,
            "time": millis(event["eventTime"]),
            "time_dt": event["eventTime"],
            "type_name": f"{title}: {activity[1]}",
            "type_uid": class_uid * 100 + activity[0],
            "unmapped": _unmapped(event),
        }
    )


def _data(value: Any) -> str:
    return json.dumps(value) if value else ""


def audit_as_ocsf(event: dict[str, Any], version: str = "1.5.0") -> dict[str, Any]:
    """A Kubernetes audit event as Security Lake writes it for EKS."""
    user, thing = event["user"], event.get("objectRef") or {}
    extra, status = user.get("extra") or {}, event.get("responseStatus") or {}
    addresses = event.get("sourceIPs") or []
    code = status.get("code")
    return without_nothing(
        {
            "activity_id": 99,
            "activity_name": "Other",
            "actor": {
                "session": {
                    "credential_uid": (extra.get("accessKeyId") or [None])[0],
                    "issuer": (extra.get("canonicalArn") or [None])[0],
                    "uid": (extra.get("sessionName") or [None])[0],
                },
                "user": {
                    "groups": [{"name": name} for name in user.get("groups") or []],
                    "name": user.get("username"),
                    "type_id": 0,
                    "uid": user.get("uid"),
                },
            },
            "api": {
                "group": {"name": thing.get("apiGroup")},
                "operation": event["verb"],
                "request": {"data": _data(event.get("requestObject")), "uid": event["auditID"]},
                "response": {"code": code, "error": status.get("reason"), "message": status.get("message")},
                "version": thing.get("apiVersion"),
            },
            "category_name": "Application Activity",
            "category_uid": 6,
            "class_name": "API Activity",
            "class_uid": 6003,
            "cloud": {"account": {"uid": (extra.get("arn") or [None])[0]}, "provider": "AWS"},
            "http_request": {"url": {"path": event["requestURI"]}, "user_agent": event.get("userAgent")},
            "message": event["stage"],
            "metadata": {
                "log_level": event["level"],
                "log_name": event["kind"],
                "product": {
                    "feature": {"name": "Elastic Kubernetes Service"},
                    "name": "Amazon EKS",
                    "vendor_name": "AWS",
                    "version": event["apiVersion"],
                },
                "profiles": ["cloud", "datetime"],
                "version": version,
            },
            "resources": [
                {
                    "name": thing.get("name"),
                    "namespace": thing.get("namespace"),
                    "type": thing.get("resource", "") + thing.get("subresource", ""),
                }
            ],
            "severity": "Informational",
            "severity_id": 1,
            "src_endpoint": {"ip": addresses[0] if addresses else None, "intermediate_ips": addresses[1:]},
            "start_time_dt": event.get("requestReceivedTimestamp"),
            "time": millis(event["stageTimestamp"]),
            "time_dt": event["stageTimestamp"],
            "type_name": "API Activity: Other",
            "type_uid": 600399,
        }
    )


_TEXT, _TIME, _MAP = pa.string(), pa.timestamp("ms"), pa.map_(pa.string(), pa.string())
_ACCOUNT = pa.struct([("uid", _TEXT), ("name", _TEXT)])
_USER = pa.struct(
    [
        ("account", _ACCOUNT),
        ("credential_uid", _TEXT),
        ("name", _TEXT),
        ("type", _TEXT),
        ("uid", _TEXT),
        ("uid_alt", _TEXT),
    ]
)
LAKE = pa.schema(
    [
        ("metadata", pa.struct([
            ("product", pa.struct([("version", _TEXT), ("name", _TEXT), ("vendor_name", _TEXT),
                                   ("feature", pa.struct([("name", _TEXT)]))])),
            ("event_code", _TEXT), ("uid", _TEXT), ("profiles", pa.list_(_TEXT)), ("version", _TEXT),
        ])),
        ("time", pa.int64()),
        ("time_dt", _TIME),
        ("cloud", pa.struct([("region", _TEXT), ("account", _ACCOUNT), ("provider", _TEXT)])),
        ("api", pa.struct([
            ("response", pa.struct([("error", _TEXT), ("message", _TEXT), ("data", _TEXT)])),
            ("operation", _TEXT), ("version", _TEXT), ("service", pa.struct([("name", _TEXT)])),
            ("request", pa.struct([("data", _TEXT), ("uid", _TEXT)])),
        ])),
        ("actor", pa.struct([
            ("user", _USER),
            ("session", pa.struct([("created_time_dt", _TIME), ("is_mfa", pa.bool_()), ("issuer", _TEXT)])),
            ("invoked_by", _TEXT), ("idp", pa.struct([("name", _TEXT), ("uid", _TEXT)])),
        ])),
        ("http_request", pa.struct([("user_agent", _TEXT)])),
        ("src_endpoint", pa.struct([("uid", _TEXT), ("ip", _TEXT), ("domain", _TEXT)])),
        ("session", pa.struct([("uid", _TEXT), ("uid_alt", _TEXT), ("credential_uid", _TEXT)])),
        ("resources", pa.list_(pa.struct([
            ("uid", _TEXT), ("owner", pa.struct([("account", _ACCOUNT)])), ("type", _TEXT),
        ]))),
        ("class_name", _TEXT), ("class_uid", pa.int32()), ("category_name", _TEXT), ("category_uid", pa.int32()),
        ("severity_id", pa.int32()), ("severity", _TEXT), ("activity_name", _TEXT), ("activity_id", pa.int32()),
        ("type_uid", pa.int64()), ("type_name", _TEXT), ("status", _TEXT), ("status_id", pa.int32()),
        ("unmapped", _MAP),
    ]
)  # fmt: skip
"""The columns of Security Lake's CloudTrail tables, as far as the mapping fills them."""


def _typed(value: Any, kind: pa.DataType) -> Any:
    if value is None:
        return None
    if pa.types.is_timestamp(kind):
        return millis(value)
    if pa.types.is_struct(kind):
        return {field.name: _typed(value.get(field.name), field.type) for field in kind}
    if pa.types.is_map(kind):
        return list(value.items())
    return [_typed(item, kind.value_type) for item in value] if pa.types.is_list(kind) else value


def as_parquet(records: list[dict[str, Any]], schema: pa.Schema = LAKE, **writing: Any) -> bytes:
    """The records as a Parquet file of this schema."""
    rows = [{field.name: _typed(record.get(field.name), field.type) for field in schema} for record in records]
    written = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema), written, **{"compression": "zstd", **writing})
    return written.getvalue()
