"""The contract between sources, SQL, rules and sinks: the columns of `events`.

Every source writes these columns; nothing downstream looks at a vendor's file again. The meaning of each
column stands in sql/loaded/events.yml.
"""

import pyarrow as pa

SCHEMA_VERSION = 10

UTC_MICROS = pa.timestamp("us", tz="UTC")

KEY = pa.struct([pa.field("kind", pa.string()), pa.field("value", pa.string()), pa.field("role", pa.string())])

EVENTS = pa.schema(
    [
        pa.field("event_id", pa.string(), nullable=False),
        pa.field("log", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("native_id", pa.string(), nullable=False),
        pa.field("source_version", pa.int32(), nullable=False),
        pa.field("voice", pa.string(), nullable=False),
        pa.field("place", pa.string()),
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

ARROW_TYPES: dict[str, pa.DataType] = {
    "varchar": pa.string(),
    "varchar[]": pa.list_(pa.string()),
    "boolean": pa.bool_(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "timestamptz": UTC_MICROS,
    "interval": pa.duration("us"),
}
"""DuckDB's name of a type, in lower case -> Arrow's type."""

VOICES = ("recorded", "reported", "declared")
KINDS = ("approval", "decision", "credential", "tool_call", "activity", "inventory")
OUTCOMES = ("success", "failure", "denied", "unknown")
KEY_ROLES = ("names", "uses", "carries")
"""names: this event defines the thing. uses: it refers to it. carries: an attribute that travelled with it."""


def duckdb_type(kind: pa.DataType) -> str:
    """DuckDB's name, in lower case, of the Arrow type of a column of `events`."""
    if pa.types.is_list(kind):
        return f"{duckdb_type(kind.value_type)}[]"
    if pa.types.is_struct(kind):
        return f"struct({', '.join(f'{field.name} {duckdb_type(field.type)}' for field in kind)})"
    if pa.types.is_large_string(kind):
        return "varchar"
    return next(name for name, arrow in ARROW_TYPES.items() if arrow == kind)
