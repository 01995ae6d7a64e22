"""The labels: true links as they happen (streamed, one a line) and the situations at known places.

Both files are single JSON objects, so that no source takes them for a log.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

OF_EFFECTS = (
    "ultravires_gives_itself_power",
    "ultravires_admin_power_given",
    "ultravires_machine_gives_power",
    "ultravires_person_gives_power",
    "ultravires_access_opened",
    "ultravires_credential_for_another",
    "ultravires_evidence_weakened",
    "ultravires_evidence_weakened_then_power",
    "ultravires_guard_weakened",
    "ultravires_code_run",
    "ultravires_destroyed",
    "ultravires_computing_taken",
)
"""What is wrong under its approval, or under none, may also be told by what it does: of whichever situation it is."""
_INTENT = frozenset({"decision>approval", "tool_call>decision", "tool_call>tool_call", "tool_call>approval"})


@dataclass(frozen=True)
class Drifted:
    """A right that came to a holder beyond what was approved: the change that brought it, by whom, and since when.
    `actor` is None where no log says who made it.
    """

    kind: str
    holder: str
    cause: str
    actor: str | None
    onset: str


@dataclass(frozen=True)
class Situation:
    """What was done wrong, by whom, on which nodes, and which detectors must say so.

    one_of: at least one of these must. also: detectors that may rightly fire on these nodes as a consequence.
    is_benign: nothing is wrong here, and no detector may say so. drift: the rights that came of it.
    """

    situation: str
    expected: tuple[str, ...]
    identity: str
    nodes: tuple[str, ...]
    why: str
    also: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()
    is_benign: bool = False
    drift: tuple[Drifted, ...] = ()

    def as_json(self) -> dict[str, Any]:
        further: dict[str, Any] = {"one_of": list(self.one_of)} if self.one_of else {}
        further |= {"is_benign": True} if self.is_benign else {}
        further |= {"drift": [asdict(each) for each in self.drift]} if self.drift else {}
        return {
            "situation": self.situation,
            "expected": list(self.expected),
            "also": [*self.also, *(() if self.is_benign else (name for name in OF_EFFECTS if name not in self.also))],
            "identity": self.identity,
            "nodes": list(dict.fromkeys(self.nodes)),
            "why": self.why,
        } | further


def spine_of(kind: str) -> str | None:
    """The spine of a true link, by its kind; copies of one event are on neither."""
    if kind == "same_event":
        return None
    return "intent" if kind in _INTENT or kind == "activity>tool_call" else "authority"


@dataclass
class LinkWriter:
    """Writes links.json as the world unfolds; memory does not grow with the world."""

    path: Path
    n: int = 0
    _file: IO[str] = field(init=False)

    def __post_init__(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("w", encoding="utf-8", newline="\n")
        self._file.write('{"links":[\n')

    def write(self, child: str, parent: str, kind: str, method: str, *, is_primary: bool) -> None:
        """is_primary: the one parent on this spine. Other true links of the child say `"is_primary": false`."""
        link = {
            "child": child,
            "parent": parent,
            "spine": spine_of(kind),
            "kind": kind,
            "method": method,
        } | ({} if is_primary else {"is_primary": False})
        self._file.write(("," if self.n else "") + json.dumps(link, separators=(",", ":")) + "\n")
        self.n += 1

    def close(self) -> None:
        self._file.write("]}\n")
        self._file.close()


def write_situations(path: Path, situations: Iterable[Situation]) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [situation.as_json() for situation in situations]
    path.write_text(json.dumps({"situations": rows}, indent=1) + "\n", encoding="utf-8")
    return len(rows)
