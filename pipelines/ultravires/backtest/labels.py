"""The labels of a world: what truly belongs together, and what went wrong where."""

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import duckdb
import msgspec

from ultravires.errors import UsageError

_T = TypeVar("_T")
_DAY = re.compile(r"@\d{4}-\d\d-\d\d$")
"""Of a key that has no end each day is a node of its own; the labels know the key."""


class TrueLink(msgspec.Struct, frozen=True):
    """One true link between two nodes; activities are named by the vendor's own event id.

    is_primary: false where the parent is a true one, but another is the child's one parent on that spine.
    """

    child: str
    parent: str
    kind: str
    method: str
    spine: str | None = None
    is_primary: bool = True


class TrueDrift(msgspec.Struct, frozen=True):
    """A right that came to a holder beyond what was approved.

    cause: the node of the change that brought it, `activity:` and the vendor's own event id. actor: who made it, null
    where no log says so, and holder: who has the right, as the log names them. onset: since when it is drift, in ISO.
    """

    kind: str
    holder: str
    cause: str
    actor: str | None
    onset: datetime


class Situation(msgspec.Struct, frozen=True):
    """What went wrong, on which nodes, and the detectors that must, or rightly may, say so.

    one_of: at least one of these must. is_benign: it only looks wrong, and nothing may be said about its nodes.
    drift: the rights that came of it.
    """

    situation: str
    expected: tuple[str, ...]
    nodes: tuple[str, ...]
    also: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()
    is_benign: bool = False
    identity: str = ""
    why: str = ""
    drift: tuple[TrueDrift, ...] = ()

    @property
    def explains(self) -> frozenset[str]:
        """The detectors that may speak of its nodes."""
        return frozenset((*self.expected, *self.one_of, *self.also))


class _Links(msgspec.Struct):
    links: list[TrueLink]


class _Situations(msgspec.Struct):
    situations: list[Situation]


def read_labels(folder: Path) -> tuple[list[TrueLink], list[Situation]]:
    """links.json and situations.json of `folder`; UsageError names the file that is missing or wrong."""
    return (
        _read(folder / "links.json", _Links).links,
        _read(folder / "situations.json", _Situations).situations,
    )


def _read(path: Path, shape: type[_T]) -> _T:
    try:
        return msgspec.json.decode(path.read_bytes(), type=shape)
    except OSError as error:
        raise UsageError(f"{path}: cannot read the labels ({error.strerror}); check --labels") from error
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise UsageError(f"{path}: not labels of a simulated world: {error}") from error


def nodes_of_events(con: duckdb.DuckDBPyConnection) -> Mapping[str, tuple[str, ...]]:
    """event_id -> the nodes that the event is about, in the labels' names."""
    rows = con.execute(
        """
        select event_id, list_filter([
            case when kind = 'approval' then 'approval:' || approval_uid end,
            case when kind = 'decision' then 'decision:' || decision_uid end,
            case when kind = 'tool_call' then 'tool_call:' || tool_call_uid end,
            -- An answer to tools/list is the call of no tool.
            case
                when kind in ('activity', 'credential') or kind = 'tool_call' and tool_call_uid is null
                then 'activity:' || native_id end,
            'credential:' || issued_credential_uid
        ], lambda node: node is not null)
        from events
        """
    ).fetchall()
    return {event_id: tuple(nodes) for event_id, nodes in rows}


def label_node(node: str, nodes: Mapping[str, tuple[str, ...]]) -> str:
    """A node id of ours in the labels' words: an activity by the vendor's event id, a key without its day."""
    kind, _, uid = node.partition(":")
    if kind == "credential":
        return _DAY.sub("", node)
    if kind != "activity":
        return node
    return next((name for name in nodes.get(uid, ()) if name.startswith("activity:")), node)
