"""The outbox's way out: alerts leave for the sinks at least once, and each sink's answer is kept.

States of a row in `alerts`: `pending` (to be sent; after a failure not before `next_attempt_at`), `sent`
(the sink acknowledged it), `held` (over the sink's hourly bound; a later run sends it) and `failed`. A
failed row with a `next_attempt_at` was refused together with its sender (a wrong token, an unknown
index), and the next run tries it again; one without is final, because the receiver refused this very
alert.

A row is marked only after the sink's answer, one commit a batch: a kill in between sends the same
`alert_id` again.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

import duckdb
from ultravires_models.hits import SEVERITIES

from ultravires.alerting.alert_queue import create_alerts_table
from ultravires.alerting.hourly_bound import hold_excess
from ultravires.alerting.sink import Alert, SendResult, Sink, one_line
from ultravires.errors import DeliveryError
from ultravires.store.queries import transaction

FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=6)

# Alerts of one chain go next to one another, the most severe chain first; a finding's revisions in order.
_NEXT_BATCH = """
with waiting as (
    select
        *,
        row_number() over (partition by coalesce(finding_id, alert_id) order by revision) as nth,
        max(list_position($severities, severity))
            over (partition by coalesce(chain_id, finding_id, alert_id)) as worst,
        min(created_at) over (partition by coalesce(chain_id, finding_id, alert_id)) as since
    from alerts
    where sink = $sink and state in ('pending', 'held')
)
select alert_id, finding_id, chain_id, activity_id, body
from waiting
where state = 'pending' and nth = 1 and (next_attempt_at is null or next_attempt_at <= $now)
order by worst desc nulls last, since, coalesce(chain_id, finding_id, alert_id), finding_id
limit $batch_size
"""

_MARK_SENT = """
update alerts set
    state = 'sent', sent_at = $now, n_attempts = n_attempts + 1, last_error = null, next_attempt_at = null
where sink = $sink and alert_id in (select unnest($ids))
"""

_MARK_TROUBLED = """
update alerts set
    state = $state, n_attempts = n_attempts + 1, last_error = troubles.reason,
    next_attempt_at = case when $is_final then null
        else $now::timestamptz + least($longest, $first * pow(2, least(n_attempts, 16))::bigint) end
from (select unnest($ids) as alert_id, unnest($reasons) as reason) as troubles
where alerts.sink = $sink and alerts.alert_id = troubles.alert_id
"""

_REFUSE_ALL = """
update alerts set state = 'failed', last_error = $reason, next_attempt_at = $now
where sink = $sink and state = 'pending' and (next_attempt_at is null or next_attempt_at <= $now)
"""

_TRY_REFUSED_AGAIN = """
update alerts set state = 'pending', next_attempt_at = null
where sink = $sink and state = 'failed' and next_attempt_at is not null
"""


@dataclass
class Delivery:
    """Over all sinks: alerts sent by this delivery, and rows that stand failed, waiting or held after it.

    `problems` holds one line per sink that had trouble.
    """

    sent: int = 0
    failed: int = 0
    waiting: int = 0
    held: int = 0
    problems: dict[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def deliver(con: duckdb.DuckDBPyConnection, sinks: Mapping[str, Sink], *, now: datetime) -> Delivery:
    """Send what is due to each of `sinks`; a sink in trouble stops neither the others nor the run.

    Must be called outside a transaction, because every batch commits by itself. `now` is the clock (UTC) of
    back-off and of the hourly bound.
    """
    create_alerts_table(con)
    delivery = Delivery()
    for name, sink in sinks.items():
        con.execute(_TRY_REFUSED_AGAIN, {"sink": name})
        if sink.max_per_hour is not None:
            hold_excess(con, name, sink.max_per_hour, now=now)
        while batch := _next_batch(con, name, sink.batch_size, now):
            if not _send_batch(con, name, sink, batch, now=now, delivery=delivery):
                break
    _count_left(con, list(sinks), delivery)
    return delivery


def _next_batch(con: duckdb.DuckDBPyConnection, name: str, size: int, now: datetime) -> list[Alert]:
    parameters = {"sink": name, "now": now, "batch_size": size, "severities": list(SEVERITIES)}
    rows = con.execute(_NEXT_BATCH, parameters).fetchall()
    return [Alert(*row) for row in rows]


def _send_batch(
    con: duckdb.DuckDBPyConnection,
    name: str,
    sink: Sink,
    batch: list[Alert],
    *,
    now: datetime,
    delivery: Delivery,
) -> bool:
    """Send one batch and keep the answer; false when the sink is not worth another batch in this run."""
    try:
        result = sink.send(batch)
    except DeliveryError as error:
        delivery.problems[name] = one_line(error)
        if not error.is_retryable:
            con.execute(_REFUSE_ALL, {"sink": name, "reason": one_line(error), "now": now})
            return False
        result = SendResult(frozenset(), retryable={alert.alert_id: one_line(error) for alert in batch})
    result = _settled(result, batch)
    _keep(con, name, result, now)
    delivery.sent += len(result.acknowledged)
    for reason in [*result.failed.values(), *result.retryable.values()][:1]:
        delivery.problems.setdefault(name, one_line(reason))
    return not result.retryable


def _settled(result: SendResult, batch: list[Alert]) -> SendResult:
    """The answer about this batch alone; what the sink did not mention was not taken and is tried again."""
    ids = {alert.alert_id for alert in batch}
    acknowledged = result.acknowledged & ids
    failed = {i: reason for i, reason in result.failed.items() if i in ids - acknowledged}
    rest = ids - acknowledged - failed.keys()
    silent = "the sink gave no answer about this alert"
    return SendResult(acknowledged, failed, {i: result.retryable.get(i, silent) for i in sorted(rest)})


def _keep(con: duckdb.DuckDBPyConnection, name: str, result: SendResult, now: datetime) -> None:
    with transaction(con):
        con.execute(_MARK_SENT, {"sink": name, "now": now, "ids": sorted(result.acknowledged)})
        _mark_troubled(con, name, result.failed, now, is_final=True)
        _mark_troubled(con, name, result.retryable, now, is_final=False)


def _mark_troubled(
    con: duckdb.DuckDBPyConnection, name: str, reasons: Mapping[str, str], now: datetime, *, is_final: bool
) -> None:
    parameters = {
        "sink": name,
        "state": "failed" if is_final else "pending",
        "is_final": is_final,
        "now": now,
        "first": FIRST_WAIT,
        "longest": LONGEST_WAIT,
        "ids": list(reasons),
        "reasons": [one_line(reason) for reason in reasons.values()],
    }
    con.execute(_MARK_TROUBLED, parameters)


def _count_left(con: duckdb.DuckDBPyConnection, names: list[str], delivery: Delivery) -> None:
    rows = con.execute(
        "select state, count(*) from alerts where sink in (select unnest($names)) group by state",
        {"names": names},
    ).fetchall()
    left = dict(rows)
    delivery.failed, delivery.waiting, delivery.held = (left.get(state, 0) for state in ("failed", "pending", "held"))
