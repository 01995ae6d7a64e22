"""What was found, one finding a line, the riskiest first."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb
from rich.console import Console
from rich.text import Text
from ultravires_models.hits import SEVERITIES

from ultravires.errors import UsageError
from ultravires.tracing.explain_drawing import SEVERITY_STYLES
from ultravires.tracing.rows import fetch_rows
from ultravires.tracing.visible import visible

STATES = ("open", "withdrawn", "all")

_FINDINGS = """
select
    finding_id, severity, state, is_suppressed, is_historic, detector_id, title, message,
    coalesce(identity_id, subject_uid) as identity, risk_score, first_at, last_at, coalesce(told_by, []) as told_by
from findings
where list_contains($severities, severity)
    and ($state = 'all' or state = $state)
    and (
        $identity is null
        or contains(lower(coalesce(identity_id, '') || ' ' || coalesce(actor_uid, '')), lower($identity))
    )
    and ($detector is null or detector_id = $detector)
    and ($since is null or last_at >= $since)
order by risk_score desc nulls last, finding_id
"""


@dataclass(frozen=True)
class Wanted:
    """Which findings are listed. `severity` is the least; `identity` any part of a name; `since` the last evidence."""

    severity: str = SEVERITIES[0]
    identity: str | None = None
    detector: str | None = None
    since: datetime | None = None
    state: str = "open"


@dataclass(frozen=True)
class Listed:
    """One finding as it is listed; `identity` is whom it is about, else its subject, `told_by` which others tell of
    its acts, where it is not delivered itself.
    """

    finding_id: str
    severity: str
    state: str
    is_suppressed: bool
    is_historic: bool
    detector_id: str
    title: str
    message: str
    identity: str | None
    risk_score: float | None
    first_at: datetime | None
    last_at: datetime | None
    told_by: list[str]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values; times are ISO 8601 in UTC."""
        times = {name: _iso(getattr(self, name)) for name in ("first_at", "last_at")}
        return asdict(self) | times


def list_findings(con: duckdb.DuckDBPyConnection, wanted: Wanted) -> list[Listed]:
    """The wanted findings, the riskiest first. UsageError for a severity, a state or a detector that there is not."""
    if wanted.severity not in SEVERITIES:
        raise UsageError(f"--severity {wanted.severity}: one of {', '.join(SEVERITIES)}")
    if wanted.state not in STATES:
        raise UsageError(f"--state {wanted.state}: one of {', '.join(STATES)}")
    if wanted.detector is not None:
        _refuse_unknown(con, wanted.detector)
    values: dict[str, object] = {
        "severities": list(SEVERITIES[SEVERITIES.index(wanted.severity) :]),
        "state": wanted.state,
        "identity": wanted.identity,
        "detector": wanted.detector,
        "since": wanted.since,
    }
    return [Listed(**row) for row in fetch_rows(con, _FINDINGS, values)]


def _refuse_unknown(con: duckdb.DuckDBPyConnection, detector: str) -> None:
    known = {row["detector_id"] for row in fetch_rows(con, "select detector_id from detectors")}
    if detector not in known:
        raise UsageError(f"--detector {detector}: no detector is called so; their ids are in the table `detectors`")


def draw(findings: Sequence[Listed], console: Console) -> None:
    """One line a finding, its id first and whole, so that it can be copied; a line for none."""
    for one in findings:
        marks = [name for name, is_set in (("historic", one.is_historic), ("suppressed", one.is_suppressed)) if is_set]
        if one.told_by:
            marks.append(f"told by {', '.join(one.told_by[:3])}")
        state = ", ".join([one.state, *marks])
        line = Text(f"{one.finding_id}  ")
        line.append(f"{one.severity:13}", style=SEVERITY_STYLES.get(one.severity, "default"))
        line.append(f"  {_minute(one.last_at):16}  {visible(one.title)} - {visible(one.identity)}")
        console.print(line if state == "open" else line.append(f" ({state})"), soft_wrap=True)
    if not findings:
        console.print("no finding is like that")


def _iso(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat() if moment is not None else None


def _minute(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}" if moment is not None else ""
