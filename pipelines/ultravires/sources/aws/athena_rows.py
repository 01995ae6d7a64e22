"""CloudTrail as a table of Athena: names in lower case, structs as text, parameters as JSON in text.

https://docs.aws.amazon.com/athena/latest/ug/cloudtrail-logs.html
"""

from typing import Any

from ultravires.reading.renaming import Renaming
from ultravires.reading.typed_cells import decoded_text, struct_of, value_of_cell
from ultravires.sources.aws.cloudtrail_deliveries import IN_CASE

_LEAST = frozenset({"eventsource", "eventname", "eventtime", "useridentity"})
_STRUCTS = frozenset({"userIdentity", "resources", "tlsDetails"})
"""Columns with texts of AWS alone; what callers chose is never read as a struct."""
_COLUMNS = IN_CASE | {
    name.lower(): name
    for name in (
        "apiVersion",
        "managementEvent",
        "serviceEventDetails",
        "vpcEndpointAccountId",
        "addendum",
        "edgeDeviceDetails",
        "tlsDetails",
    )
}
_OF_TLS = {name.lower(): name for name in ("tlsVersion", "cipherSuite", "clientProvidedHostHeader")}
_OF_RESOURCES = {"arn": "ARN", "accountid": "accountId", "type": "type"}


def record_of(row: dict[str, Any]) -> dict[str, Any] | None:
    """A row with the columns of Athena's table for CloudTrail; what a query added to them is left."""
    names = {name.lower() for name in row}
    if not names >= _LEAST or ("userIdentity" in row and type(row["userIdentity"]) is dict):
        return None
    columns = ((_COLUMNS.get(name.lower()), value) for name, value in row.items())
    return {
        name: _value(name, value) for name, value in columns if name is not None and value not in (None, "", "null")
    }


def _value(name: str, value: Any) -> Any:
    if name not in _STRUCTS:
        return value_of_cell(value) if type(value) is str else value
    value = decoded_text(value)
    struct = struct_of(value) if type(value) is str else value
    if name == "resources":
        return [_in_case(one, _OF_RESOURCES) for one in struct] if type(struct) is list else struct
    return _in_case(struct, _OF_TLS if name == "tlsDetails" else IN_CASE)


def _in_case(value: Any, names: dict[str, str]) -> Any:
    """Members in CloudTrail's case, without those that a row has for nothing."""
    if not isinstance(value, dict):
        return value
    return {names.get(name, name): _in_case(inner, names) for name, inner in value.items() if inner is not None}


RENAMING = Renaming(
    name="athena",
    title="results of Athena (CSV, JSON)",
    sources=("aws_cloudtrail",),
    documentation="https://docs.aws.amazon.com/athena/latest/ug/cloudtrail-logs.html",
    record_of=record_of,
)
