"""OCSF events as rows of a table, with a column for each attribute and objects as JSON.

https://schema.ocsf.io
"""

from typing import Any

from ultravires.reading.renaming import Renaming
from ultravires.reading.typed_cells import value_of_cell
from ultravires.reading.values import integer

_LEAST = frozenset({"class_uid", "metadata", "time"})
_NUMBERS = frozenset(
    {"class_uid", "category_uid", "type_uid", "activity_id", "severity_id", "status_id", "action_id", "time"}
    | {"start_time", "end_time", "count", "duration", "timezone_offset"}
)


def record_of(row: dict[str, Any]) -> dict[str, Any] | None:
    """A row of texts as the event that it was."""
    if not row.keys() >= _LEAST or type(row["class_uid"]) is not str:
        return None
    return {name: integer(value) if name in _NUMBERS else value_of_cell(value) for name, value in row.items()}


RENAMING = Renaming(
    name="a table",
    title="tables with a column for each member",
    sources=("ocsf",),
    documentation="https://schema.ocsf.io",
    record_of=record_of,
)
