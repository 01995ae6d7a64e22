"""The numbers of the page: totals, findings, controls, accounted activity, drift, sources."""

from dataclasses import dataclass
from datetime import datetime

import duckdb
from ultravires_models.hits import SEVERITIES

from ultravires.tracing.clocks import ahead_words
from ultravires.tracing.rows import Row, fetch_rows

WORST_FIRST = SEVERITIES[::-1]
MAX_FINDINGS, MAX_IDENTITIES, MAX_DAYS, MAX_DRIFT = 25, 15, 31, 20


@dataclass(frozen=True)
class Overview:
    """`accounted_share` is None where no non-human identity did anything; `n_more_*` is what tables omit."""

    as_of: datetime | None
    totals: Row
    accounted_share: float | None
    severities: dict[str, int]
    findings: list[Row]
    n_more_lines: int
    controls: list[Row]
    kinds: list[Row]
    """What is accounted for by kind of identity, people too, and by what."""
    identities: list[Row]
    n_more_identities: int
    days: list[Row]
    overreach: list[Row]
    n_more_overreach: int
    n_unused: int
    silenced: list[Row]
    """Drift that somebody keeps in an access review."""
    n_more_silenced: int
    reviews: list[Row]
    """Answers of access reviews that count or have still to be carried out."""
    n_more_reviews: int
    sources: list[Row]
    clocks: list[str]
    """A line for each log with clocks that are off: by how much they are corrected."""
    unseen_logs: list[str]
    """Logs that can be read and of which no event ever came."""
    unseen_kinds: list[str]


_TOTALS = """
select
    (select count(*) from events) as n_events,
    (select count(*) from chains) as n_chains,
    (select count(*) from identities where is_nonhuman) as n_identities,
    (select count(*) from links where is_primary) as n_links,
    (select coalesce(sum(n_activities), 0)::bigint from accounted) as n_activities,
    (select coalesce(sum(n_accounted), 0)::bigint from accounted) as n_accounted,
    (select count(*) from findings where state = 'open' and not coalesce(is_suppressed, false)
        and len(coalesce(told_by, [])) = 0) as n_findings,
    (select count(*) from findings where state = 'open' and len(told_by) > 0) as n_told,
    (select count(*) from findings where state = 'open' and coalesce(is_suppressed, false)) as n_suppressed,
    (select count(*) from findings where state = 'open' and is_historic) as n_historic,
    (select count(*) from findings where state = 'withdrawn') as n_withdrawn
"""

_SEVERITIES = """
select severity, count(*) as n from findings
where state = 'open' and not coalesce(is_suppressed, false) and len(coalesce(told_by, [])) = 0 group by severity
"""

# What one detector says of one identity is one line with the riskiest of it; the others are counted. Who else speaks of
# the same acts stands in the line of the finding that tells them.
_FINDINGS = """
with also as (
    select teller, list(distinct title order by title) as also_told_by
    from (select title, unnest(told_by) as teller from findings where state = 'open')
    group by teller
),
placed as (
    select findings.*, coalesce(also.also_told_by, []) as also_told_by,
        count(*) over (partition by detector_id, identity_id) as n_alike,
        row_number() over (
            partition by detector_id, identity_id order by risk_score desc, first_at desc, finding_id
        ) as nth
    from findings
    left join also on also.teller = findings.finding_id
    where state = 'open' and not coalesce(is_suppressed, false) and len(coalesce(told_by, [])) = 0
)
select * exclude (nth), count(*) over () as n_lines
from placed
where nth = 1
order by risk_score desc, first_at desc, finding_id
limit ?
"""

_CONTROLS = """
with verdicts as (
    unpivot controls
    on approved_for_task, decided_at_run_time, credential_short_lived, credential_bound, credential_ended,
        logs_joined, approver_distinct, human_approval
    into name control value verdict
)
select control, count(*) filter (where verdict = 'pass') as n_pass,
    count(*) filter (where verdict = 'fail') as n_fail,
    count(*) filter (where verdict = 'unknown') as n_unknown, count(*) as n
from verdicts
group by control
order by n_fail desc, control
"""

_IDENTITIES = """
select identity_id, sum(n_activities)::bigint as n_activities, sum(n_accounted)::bigint as n_accounted,
    sum(n_accounted) / sum(n_activities) as share
from accounted
group by identity_id
having sum(n_activities) > 0
order by sum(n_activities) - sum(n_accounted) desc, sum(n_activities) desc, identity_id
"""

ACCOUNTED_KINDS = """
select identity_kind, sum(n_activities)::bigint as n_activities,
    coalesce(sum(n_activities) filter (where method <> 'none'), 0)::bigint as n_accounted,
    coalesce(sum(n_activities) filter (where method <> 'none' and not is_standing), 0)::bigint as n_by_task,
    coalesce(sum(n_activities) filter (where is_standing), 0)::bigint as n_by_standing,
    coalesce(
        string_agg(method || ' ' || n_activities, ', ' order by n_activities desc, method)
            filter (where method <> 'none'),
        ''
    ) as methods
from accounted_by_method
group by identity_kind
order by n_activities desc, identity_kind
"""
"""A line for each kind of identity: how much a task and a standing approval account for, and by which methods."""

_DAYS = """
select day, sum(n_activities)::bigint as n_activities, sum(n_accounted)::bigint as n_accounted
from accounted
group by day
order by day desc
limit ?
"""

_OVERREACH = """
select * from drift where kind = 'overreach' order by is_certain desc, first_at, identity_id, action
"""

_SILENCED = """
select identity_id, sentence, reviewed_by, reviewed_until
from drift
where reviewed_by is not null
order by reviewed_until nulls last, identity_id, drift_id
"""

_REVIEWS = """
select identity_id, action_pattern, resource_pattern, decision, state, until_at, reviewer, reason
from review_decisions
where state in ('overdue', 'open', 'in force')
order by case state when 'overdue' then 1 when 'open' then 2 else 3 end, until_at nulls last, identity_id, answer_id
"""

_SOURCES = """
select *, $as_of::timestamptz - newest_event_at as lateness
from sources
where state <> 'absent'
order by case state when 'silent' then 1 when 'late' then 2 else 3 end, log
"""

_CLOCKS = """
select log, count(*) filter (where state = 'corrected') as n_corrected,
    min(seconds_ahead) filter (where state = 'corrected') as least_ahead,
    max(seconds_ahead) filter (where state = 'corrected') as most_ahead,
    count(*) filter (where state <> 'corrected') as n_uncorrected
from clocks
where state in ('corrected', 'unsteady', 'too far')
group by log
order by log
"""

UNSEEN_KINDS = """
select kind
from (select log, state, unnest(evidence_kinds) as kind from sources)
where kind <> 'inventory'
group by kind
having bool_and(state = 'absent')
order by kind
"""
"""Kinds of evidence of which no log ever spoke. A snapshot that nobody took is no log that is missing."""


def read_overview(con: duckdb.DuckDBPyConnection) -> Overview:
    """Everything on the page except the drawn chains."""
    totals = fetch_rows(con, _TOTALS)[0]
    as_of = fetch_rows(con, "select max_by(as_of, started_at) as as_of from runs")[0]["as_of"]
    severities = {row["severity"]: row["n"] for row in fetch_rows(con, _SEVERITIES)}
    findings = fetch_rows(con, _FINDINGS, [MAX_FINDINGS])
    identities = fetch_rows(con, _IDENTITIES)
    overreach = fetch_rows(con, _OVERREACH)
    silenced, reviews = fetch_rows(con, _SILENCED), fetch_rows(con, _REVIEWS)
    return Overview(
        as_of=as_of,
        totals=totals,
        accounted_share=totals["n_accounted"] / totals["n_activities"] if totals["n_activities"] else None,
        severities={severity: severities.get(severity, 0) for severity in WORST_FIRST},
        findings=findings,
        n_more_lines=findings[0]["n_lines"] - len(findings) if findings else 0,
        controls=fetch_rows(con, _CONTROLS),
        kinds=fetch_rows(con, ACCOUNTED_KINDS),
        identities=identities[:MAX_IDENTITIES],
        n_more_identities=max(0, len(identities) - MAX_IDENTITIES),
        days=fetch_rows(con, _DAYS, [MAX_DAYS])[::-1],
        overreach=overreach[:MAX_DRIFT],
        n_more_overreach=max(0, len(overreach) - MAX_DRIFT),
        n_unused=fetch_rows(con, "select count(*) as n from drift where kind = 'unused_approval'")[0]["n"],
        silenced=silenced[:MAX_DRIFT],
        n_more_silenced=max(0, len(silenced) - MAX_DRIFT),
        reviews=reviews[:MAX_DRIFT],
        n_more_reviews=max(0, len(reviews) - MAX_DRIFT),
        sources=fetch_rows(con, _SOURCES, {"as_of": as_of}),
        clocks=[clock_line(row) for row in fetch_rows(con, _CLOCKS)],
        unseen_logs=[
            row["log"] for row in fetch_rows(con, "select log from sources where state = 'absent' order by log")
        ],
        unseen_kinds=[row["kind"] for row in fetch_rows(con, UNSEEN_KINDS)],
    )


def clock_line(row: Row) -> str:
    """How far the clocks of one log are off, and what is done about it."""
    parts = []
    if row["n_corrected"]:
        ends = dict.fromkeys((ahead_words(row["least_ahead"]), ahead_words(row["most_ahead"])))
        parts.append(
            f"clock {' to '.join(ends)} ({_number(row['n_corrected'])}), shown with its own times, in corrected order"
        )
    if row["n_uncorrected"]:
        parts.append(f"too far off or unsteady, and not corrected ({_number(row['n_uncorrected'])})")
    return f"{row['log']}: {'; '.join(parts)}"


def _number(n: int) -> str:
    return f"{n:,} clock{'' if n == 1 else 's'}"
