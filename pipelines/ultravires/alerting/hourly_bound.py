"""A sink's hourly bound: what goes beyond it is held for later runs, and one notice an hour says how much."""

import hashlib
import json
from datetime import UTC, datetime, timedelta

import duckdb
from ultravires_models.hits import SEVERITIES

from ultravires.alerting.ocsf import held_notice_as_ocsf
from ultravires.store.queries import fetch_row, transaction

# Alerts go by turns: the first of every identity and detector before anybody's second, the most severe first among
# those of one turn. What was sent within the hour counts. A reserve is kept for those of whom nothing was sent yet, so
# that who fills the hour early holds back nobody who comes late.
_HOLD = """
with sent as (
    select
        coalesce(findings.identity_id, findings.actor_uid, '') as identity,
        coalesce(findings.detector_id, '') as detector, count(*) as n
    from alerts
    left join findings on findings.finding_id = alerts.finding_id
    where alerts.sink = $sink and alerts.state = 'sent' and alerts.finding_id is not null and alerts.sent_at > $hour_ago
    group by all
),
waiting as (
    select
        alerts.alert_id, alerts.finding_id, alerts.revision,
        coalesce(findings.identity_id, findings.actor_uid, '') as identity,
        coalesce(findings.detector_id, '') as detector,
        max(list_position($severities, alerts.severity)) over (partition by alerts.finding_id) as worst,
        min(alerts.created_at) over (partition by alerts.finding_id) as since
    from alerts
    left join findings on findings.finding_id = alerts.finding_id
    where alerts.sink = $sink and alerts.finding_id is not null and alerts.state in ('pending', 'held')
        and (alerts.next_attempt_at is null or alerts.next_attempt_at <= $now)
),
of_pair as (
    select
        waiting.*,
        coalesce(sent.n, 0) + row_number() over (
            partition by waiting.identity, waiting.detector
            order by waiting.worst desc, waiting.since, waiting.finding_id, waiting.revision
        ) as nth_of_pair
    from waiting
    left join sent on sent.identity = waiting.identity and sent.detector = waiting.detector
),
of_identity as (
    select
        of_pair.*,
        coalesce(by_identity.n, 0) + row_number() over (
            partition by of_pair.identity
            order by of_pair.nth_of_pair, of_pair.worst desc, of_pair.since, of_pair.finding_id, of_pair.revision
        ) as nth_of_identity
    from of_pair
    left join (select identity, sum(n)::bigint as n from sent group by identity) as by_identity
        on by_identity.identity = of_pair.identity
),
of_detector as (
    select
        *,
        nth_of_pair = 1 as is_first,
        nth_of_identity + row_number() over (
            partition by detector order by nth_of_identity, worst desc, since, finding_id, revision
        ) as turn
    from of_identity
),
in_turn as (
    select *, row_number() over (order by turn, worst desc, since, finding_id, revision) as nth
    from of_detector
),
queue as (
    select
        alert_id,
        is_first or nth <= $room - $reserve as is_let,
        row_number() over (partition by is_first or nth <= $room - $reserve order by nth) as nth
    from in_turn
)
update alerts set state = case when queue.is_let and queue.nth <= $room then 'pending' else 'held' end
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
        con.execute(
            _HOLD,
            {
                "sink": sink,
                "now": now,
                "hour_ago": now - timedelta(hours=1),
                "room": max_per_hour - n_sent,
                "reserve": reserve_of(max_per_hour),
                "severities": list(SEVERITIES),
            },
        )
        n_held = _counts(con, sink, now)[1]
        if n_held > n_before:
            _queue_notice(con, sink, n_held, max_per_hour, now)
    return n_held


def reserve_of(max_per_hour: int) -> int:
    """How much of an hour is kept for those of whom nothing was sent in it: a tenth, one at least."""
    return max(1, max_per_hour // 10) if max_per_hour > 1 else 0


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
