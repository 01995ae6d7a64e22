"""A sink's hourly bound: what goes beyond it is held for later runs, and one notice an hour says how much."""

import hashlib
import json
from datetime import UTC, datetime, timedelta

import duckdb
from ultravires_models.hits import SEVERITIES

from ultravires.alerting.ocsf import held_notice_as_ocsf
from ultravires.store.queries import fetch_row, transaction

# The most severe go first, because a bound must not let a flood of small things hide a large one.
_HOLD = """
with waiting as (
    select
        alert_id, finding_id, revision, coalesce(chain_id, finding_id) as kin,
        max(list_position($severities, severity))
            over (partition by coalesce(chain_id, finding_id)) as worst,
        min(created_at) over (partition by coalesce(chain_id, finding_id)) as since
    from alerts
    where sink = $sink and finding_id is not null and state in ('pending', 'held')
        and (next_attempt_at is null or next_attempt_at <= $now)
),
queue as (
    select alert_id, row_number() over (order by worst desc, since, kin, finding_id, revision) as nth
    from waiting
)
update alerts set state = case when queue.nth <= $room then 'pending' else 'held' end
from queue
where alerts.sink = $sink and alerts.alert_id = queue.alert_id
"""

_COUNTS = """
select
    count(*) filter (where state = 'sent' and finding_id is not null and sent_at > $hour_ago),
    count(*) filter (where state = 'held')
from alerts
where sink = $sink
"""


def hold_excess(con: duckdb.DuckDBPyConnection, sink: str, max_per_hour: int, *, now: datetime) -> int:
    """Hold what `sink` may not take in the hour before `now`, release what it may; returns how many are held.

    When more are held than before, a notice is queued for the sink, at most one for each hour of the
    clock; it does not count against the bound.
    """
    with transaction(con):
        n_sent, n_before = _counts(con, sink, now)
        con.execute(_HOLD, {"sink": sink, "now": now, "room": max_per_hour - n_sent, "severities": list(SEVERITIES)})
        n_held = _counts(con, sink, now)[1]
        if n_held > n_before:
            _queue_notice(con, sink, n_held, max_per_hour, now)
    return n_held


def _counts(con: duckdb.DuckDBPyConnection, sink: str, now: datetime) -> tuple[int, int]:
    row = fetch_row(con, _COUNTS, {"sink": sink, "hour_ago": now - timedelta(hours=1)})
    assert row is not None
    return int(row[0]), int(row[1])


def _queue_notice(con: duckdb.DuckDBPyConnection, sink: str, n_held: int, max_per_hour: int, now: datetime) -> None:
    hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    alert_id = hashlib.sha256(f"held\x1f{sink}\x1f{hour.isoformat()}".encode()).hexdigest()
    body = held_notice_as_ocsf(alert_id=alert_id, sink=sink, n_held=n_held, max_per_hour=max_per_hour, at=hour)
    con.execute(
        "insert into alerts by name select ? as alert_id, 1 as revision, ? as sink, 1 as activity_id, "
        "'pending' as state, 0 as n_attempts, now() as created_at, 'medium' as severity, ? as body "
        "where not exists (from alerts where alert_id = ?)",
        [alert_id, sink, json.dumps(body), alert_id],
    )
