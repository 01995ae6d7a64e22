"""The contract between sources, SQL, rules and sinks: the columns of `events`.

Every source writes these columns; nothing downstream looks at a vendor's file again. The meaning of each
column stands in docs/tables.md.
"""

import pyarrow as pa

SCHEMA_VERSION = 5

UTC_MICROS = pa.timestamp("us", tz="UTC")

KEY = pa.struct([pa.field("kind", pa.string()), pa.field("value", pa.string()), pa.field("role", pa.string())])

EVENTS = pa.schema(
    [
        pa.field("event_id", pa.string(), nullable=False),
        pa.field("log", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("native_id", pa.string(), nullable=False),
        pa.field("source_version", pa.int32(), nullable=False),
        pa.field("event_at", UTC_MICROS, nullable=False),
        pa.field("event_hour", UTC_MICROS, nullable=False),
        pa.field("ingested_at", UTC_MICROS, nullable=False),
        pa.field("file_id", pa.string(), nullable=False),
        pa.field("record_no", pa.int64(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("class_uid", pa.int32(), nullable=False),
        pa.field("activity_id", pa.int32(), nullable=False),
        pa.field("actor_uid", pa.string()),
        pa.field("actor_kind", pa.string()),
        pa.field("actor_name", pa.string()),
        pa.field("on_behalf_of_uid", pa.string()),
        pa.field("via_service", pa.string()),
        pa.field("account_uid", pa.string()),
        pa.field("workload_uid", pa.string()),
        pa.field("action", pa.string()),
        pa.field("resource_uids", pa.list_(pa.string())),
        pa.field("outcome", pa.string()),
        pa.field("error_code", pa.string()),
        pa.field("src_ip", pa.string()),
        pa.field("user_agent", pa.string()),
        pa.field("credential_uid", pa.string()),
        pa.field("issued_credential_uid", pa.string()),
        pa.field("issued_expires_at", UTC_MICROS),
        pa.field("revoked_credential_uid", pa.string()),
        pa.field("approval_uid", pa.string()),
        pa.field("decision_uid", pa.string()),
        pa.field("tool_call_uid", pa.string()),
        pa.field("task", pa.string()),
        pa.field("args_hash", pa.string()),
        pa.field("keys", pa.list_(KEY)),
        pa.field("detail", pa.string()),
        pa.field("raw", pa.large_string(), nullable=False),
        pa.field("raw_hash", pa.string(), nullable=False),
    ]
)

KINDS = ("approval", "decision", "credential", "tool_call", "activity")
OUTCOMES = ("success", "failure", "denied", "unknown")
KEY_ROLES = ("names", "uses", "carries")
"""names: this event defines the thing. uses: it refers to it. carries: an attribute that travelled with it."""
