"""What a run says at its end, for people and machines."""

from dataclasses import dataclass
from typing import Any

from ultravires.reading.locations import Skipped

COUNTED = ("files", "events", "duplicates", "quarantined", "unrecognised", "links", "chains", "findings", "alerts_sent")


@dataclass(frozen=True)
class RunResult:
    """What `ultravires run --json` prints. files, events, duplicates, quarantined and alerts_sent are of this run.

    ignored says of this run why how many records of which log hold no event (`otel_genai: span of no agent`).
    clock says where the machine's clock and the logs do not agree, else it is null. origins says which logs that grant
    or decide are bound to no place, and how to bind them, else it is null.
    not_read names the n_not_read files and folders that were passed over or gave nothing, with the reason.
    rules_refused has a line for each rule, or pack, that does not run; all others do.
    """

    files: int
    events: int
    duplicates: int
    quarantined: int
    unrecognised: int
    links: int
    chains: int
    findings: int
    alerts_sent: int
    seconds: float
    ignored: dict[str, int]
    clock: str | None
    origins: str | None
    n_not_read: int
    not_read: list[Skipped]
    rules_refused: list[str]

    def as_dict(self) -> dict[str, Any]:
        return {**vars(self), "not_read": [skipped._asdict() for skipped in self.not_read]}
