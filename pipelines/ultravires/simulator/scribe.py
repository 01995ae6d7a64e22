"""Takes down what happens in the world: the records of every log, and the truth about them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from ultravires.simulator import aws, grants, ids, otlp
from ultravires.simulator.cast import PLATFORM, RUNNER, Agent
from ultravires.simulator.delivery import DayFiles, TrailFiles, delivery_times, slot_length
from ultravires.simulator.extent import Extent
from ultravires.simulator.moments import HOUR, SECOND
from ultravires.simulator.names_elsewhere import OTHER_LOGS
from ultravires.simulator.truth import LinkWriter, Situation

_SPANS_A_LINE = 16
_RUNNER_HOURS = 6
Json = dict[str, Any]


@dataclass
class Scribe:
    out: Path
    extent: Extent
    seed: int
    situations: list[Situation] = field(default_factory=list)
    n_records: int = 0
    n_duplicates: int = 0
    n_grants: int = 0
    n_reviews: int = 0
    trail: TrailFiles = field(init=False)
    spans: DayFiles = field(init=False)
    decisions: DayFiles = field(init=False)
    approvals: DayFiles = field(init=False)
    changes: DayFiles | None = field(init=False)
    others: dict[str, DayFiles] = field(init=False)
    links: LinkWriter = field(init=False)
    _rng: Random = field(init=False)

    def __post_init__(self) -> None:
        self._rng = ids.stream(self.seed, "delivery")
        every = slot_length(self.extent.expected_events())
        self.trail = TrailFiles(self.out / "aws_cloudtrail", every, ids.stream(self.seed, "trail"))
        self.spans = DayFiles(self.out / "otel_genai", "spans")
        self.decisions = DayFiles(self.out / "opa_decisions", "decisions")
        self.approvals = DayFiles(self.out / "approvals", "approvals")
        self.changes = DayFiles(self.out / "servicenow_approvals", "changes") if self.extent.is_whole else None
        names = OTHER_LOGS if self.extent.is_whole else ()
        self.others = {log: DayFiles(self.out / log, log.partition("_")[0]) for log in names}
        self.links = LinkWriter(self.out / "labels" / "links.json")

    def link(self, child: str, parent: str, kind: str, method: str = "exact_key", *, is_primary: bool = True) -> None:
        self.links.write(child, parent, kind, method, is_primary=is_primary)

    def record(self, record: Json, at: int, session: aws.Session | None = None) -> str:
        """One CloudTrail record; `session` is the credential that made it. Returns its node."""
        self._count(1, self.trail.add(record, at))
        node = f"activity:{record['eventID']}"
        if session is not None:
            self.link(node, session.node, "activity>credential")
        return node

    def export(self, agent: Agent, spans: Sequence[Json]) -> None:
        """A run's spans, in the order in which they ended, as the exporter batches them."""
        ended = sorted(spans, key=lambda span: int(span["endTimeUnixNano"]))
        for start in range(0, len(ended), _SPANS_A_LINE):
            batch = ended[start : start + _SPANS_A_LINE]
            at = int(batch[-1]["endTimeUnixNano"]) // 1_000_000
            times = delivery_times(self._rng, at)
            self._count(len(batch), self.spans.add(otlp.export_line(agent, batch), times, len(batch)))

    def decide(self, record: Json, at: int) -> None:
        self._count(1, self.decisions.add(_line(record), delivery_times(self._rng, at)))

    def grant(self, grant: grants.Grant, rng: Random | None = None) -> None:
        for at, state in grants.state_lines(grant):
            self._count(1, self.approvals.add(_line(state), delivery_times(rng or self._rng, at)))

    def change(self, rows: Sequence[tuple[int, Json]]) -> None:
        """(time, row) of the change system, in the worlds that have one."""
        if self.changes is None:
            raise ValueError("this world has no change system")
        for at, row in rows:
            self._count(1, self.changes.add(_line(row), delivery_times(self._rng, at)))

    def tell(self, log: str, records: Sequence[Json], at: int, rng: Random) -> None:
        """Records of a system that only the whole company has, which its log writes one after the other."""
        lines = b"\n".join(map(_line, records))
        self._count(len(records), self.others[log].add(lines, delivery_times(rng, at), len(records)))

    def next_review(self) -> tuple[str, str]:
        """A fresh approval id and ticket of what is held outside of AWS; numbers of their own shift no others."""
        self.n_reviews += 1
        return f"APR-R{self.n_reviews:06d}", f"SEC-{100 + self.n_reviews}"

    def next_grant(self) -> tuple[str, str]:
        """A fresh approval id and ticket."""
        self.n_grants += 1
        return f"APR-{self.n_grants:07d}", f"OPS-{4000 + self.n_grants}"

    def runner(self, at: int) -> aws.Session:
        """The agent runner's own credential of that moment: from its host, never seen being issued."""
        turn = at // (_RUNNER_HOURS * HOUR)
        rng = ids.stream(self.seed, "runner", turn)
        return aws.Session(
            key=ids.access_key(rng, "ASIA"),
            account=PLATFORM,
            ip="10.20.4.14",
            role=RUNNER,
            name=ids.hexadecimal(rng, 32),
            issued_at=turn * _RUNNER_HOURS * HOUR + SECOND,
        )

    def flush(self, until: int | None) -> None:
        """Write what has arrived by `until`, or everything."""
        for files in self.logs().values():
            files.flush(until)

    def logs(self) -> dict[str, TrailFiles | DayFiles]:
        logs: dict[str, TrailFiles | DayFiles] = {
            "aws_cloudtrail": self.trail,
            "otel_genai": self.spans,
            "opa_decisions": self.decisions,
            "approvals": self.approvals,
        }
        return logs | ({"servicenow_approvals": self.changes} if self.changes else {}) | self.others

    def _count(self, once: int, delivered: int) -> None:
        self.n_records += delivered
        self.n_duplicates += delivered - once


def _line(record: Json) -> bytes:
    return json.dumps(record, separators=(",", ":")).encode()
