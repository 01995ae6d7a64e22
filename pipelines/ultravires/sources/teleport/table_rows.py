"""Audit events of Teleport as rows of a table: names with dots, as `addr.remote`, are Teleport's own.

https://goteleport.com/docs/reference/audit-events/
"""

from typing import Any

from ultravires.reading.renaming import Renaming
from ultravires.reading.typed_cells import value_of_cell
from ultravires.reading.values import integer

_LEAST = frozenset({"ei", "event", "code", "time"})
_NUMBERS = frozenset({"ei", "user_kind"})


def record_of(row: dict[str, Any]) -> dict[str, Any] | None:
    """A row with a column for each member of the event."""
    if not row.keys() >= _LEAST:
        return None
    return {name: _value(name, value) for name, value in row.items()}


def _value(name: str, cell: Any) -> Any:
    if type(cell) is not str:
        return cell
    return integer(cell) if name in _NUMBERS else value_of_cell(cell)


RENAMING = Renaming(
    name="a table",
    title="tables with a column for each member",
    sources=("teleport_audit",),
    documentation="https://goteleport.com/docs/reference/audit-events/",
    record_of=record_of,
)
