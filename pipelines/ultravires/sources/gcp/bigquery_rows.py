"""Log entries as a sink writes them into BigQuery: `protopayload_auditlog`, with free-form members as JSON in text.

https://cloud.google.com/logging/docs/export/bigquery
"""

from typing import Any

from ultravires.reading.dotted_names import nested
from ultravires.reading.renaming import Renaming
from ultravires.reading.typed_cells import decoded_text
from ultravires.reading.values import mapping

_PAYLOAD = "protopayload_auditlog"
_TYPE = "type.googleapis.com/google.cloud.audit.AuditLog"
_IN_TEXT = {
    "requestJson": "request",
    "responseJson": "response",
    "metadataJson": "metadata",
    "resourceOriginalStateJson": "resourceOriginalState",
}
_TIMES = ("timestamp", "receiveTimestamp")


def record_of(row: dict[str, Any]) -> dict[str, Any] | None:
    """A row of a table of audit logs as the entry that it was."""
    if not any(name == _PAYLOAD or name.startswith(_PAYLOAD + ".") for name in row):
        return None
    found = nested({name: decoded_text(value) for name, value in row.items()})
    payload = mapping(found.pop(_PAYLOAD))
    entry = {name: _time(value) if name in _TIMES else value for name, value in found.items() if value is not None}
    audit = {_IN_TEXT.get(name, name): decoded_text(value) for name, value in payload.items() if value is not None}
    return {**entry, "protoPayload": {"@type": _TYPE, **audit}}


def _time(value: Any) -> Any:
    """BigQuery writes `2026-10-05 07:01:00.123456 UTC`."""
    return (
        value.removesuffix(" UTC").replace(" ", "T") + "Z" if type(value) is str and value.endswith(" UTC") else value
    )


RENAMING = Renaming(
    name="bigquery",
    title="rows of BigQuery (JSON, CSV)",
    sources=("gcp_audit", "kubernetes_audit"),
    documentation="https://cloud.google.com/logging/docs/export/bigquery",
    record_of=record_of,
)
