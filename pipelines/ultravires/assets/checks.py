"""Asset checks: is what was built fit to be believed. Whether keys are unique is checked where a table is made."""

import dagster as dg

from ultravires.progress import watcher
from ultravires.runs.home import OpenHome
from ultravires.store.conservation import broken_law, count_conserved
from ultravires.store.queries import fetch_row

MOST_QUARANTINED = 0.01
"""Above one record in a hundred a log is broken or a reader is, and either wants a look."""
MOST_UNRESOLVED = 0.2
"""References that name nothing known: late logs cause a few, a missing log causes most."""


def asset_checks() -> list[dg.AssetChecksDefinition]:
    return [
        watermark_lag,
        quarantine_share,
        unread_evidence,
        conservation,
        unresolved_links,
        clock_ahead,
        clocks_apart,
        everything_built,
    ]


@dg.asset_check(asset="sources", description="No log lags behind its expected delay or has fallen silent.")
def watermark_lag(home: dg.ResourceParam[OpenHome]) -> dg.AssetCheckResult:
    behind = [
        row[0]
        for row in home.warehouse.con.execute("select log from sources where state in ('late', 'silent')").fetchall()
    ]
    return dg.AssetCheckResult(
        passed=not behind, severity=dg.AssetCheckSeverity.WARN, metadata={"behind": ", ".join(behind)}
    )


@dg.asset_check(asset="quarantine", description="At most one record in a hundred is in quarantine.")
def quarantine_share(home: dg.ResourceParam[OpenHome]) -> dg.AssetCheckResult:
    share = _number(home, "select coalesce(sum(n_quarantined) / nullif(sum(n_records), 0), 0) from files")
    return dg.AssetCheckResult(
        passed=share <= MOST_QUARANTINED,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"share": float(share)},
    )


@dg.asset_check(asset="unread_files", description="Nothing lies unread where recorded logs are read.")
def unread_evidence(home: dg.ResourceParam[OpenHome]) -> dg.AssetCheckResult:
    folders = home.warehouse.con.execute(
        "select folder, count(*) from unread_files where is_evidence group by folder order by folder"
    ).fetchall()
    return dg.AssetCheckResult(
        passed=not folders,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"folders": len(folders), "files": sum(n for _, n in folders)},
    )


@dg.asset_check(
    asset="events",
    blocking=True,
    description="Every record read is an event in the warehouse, a duplicate, in quarantine or no event.",
)
def conservation(home: dg.ResourceParam[OpenHome]) -> dg.AssetCheckResult:
    counts = count_conserved(home.warehouse.con)
    broken = broken_law(counts)
    return dg.AssetCheckResult(passed=broken is None, description=broken, metadata=counts)


@dg.asset_check(asset="links", description="Most ids that one record states are named by another.")
def unresolved_links(home: dg.ResourceParam[OpenHome]) -> dg.AssetCheckResult:
    # An agent's requests reach services whose logs we may not have, a bearer names no id at all, and most tools' own
    # spans stand below no call that a coding agent logs.
    share = _number(
        home,
        """
        select coalesce(count(*) filter (where named.key_value is null) / nullif(count(*), 0), 0)
        from (
            select distinct key_kind, key_value from stg_keys
            where role = 'uses' and key_kind not in ('request', 'bearer')
                and not (key_kind = 'tool_call' and node_kind = 'tool_call')
        ) as used
        left join (select distinct key_kind, key_value from stg_keys where role = 'names') as named
            on named.key_kind = used.key_kind and named.key_value = used.key_value
        """,
    )
    return dg.AssetCheckResult(
        passed=share <= MOST_UNRESOLVED, severity=dg.AssetCheckSeverity.WARN, metadata={"share": float(share)}
    )


_AHEAD = """
select log, max_ahead_seconds, epoch(clock_tolerance)
from lateness
cross join run_context
where max_ahead_seconds > epoch(clock_tolerance)
order by log
"""

_APART = """
select child_log, parent_log, p95_apart_seconds, epoch(clock_tolerance)
from clock_skew
cross join run_context
where p95_apart_seconds > epoch(clock_tolerance)
order by child_log, parent_log
"""


@dg.asset_check(asset="lateness", description="No record is dated after it was read by more than the clock tolerance.")
def clock_ahead(home: dg.ResourceParam[OpenHome]) -> dg.AssetCheckResult:
    ahead = home.warehouse.con.execute(_AHEAD).fetchall()
    for log, seconds, tolerance in ahead:
        watcher().say(f"{log}: a record is dated {seconds:,.0f} s after it was read; more than {tolerance:,.0f} s")
    names = ", ".join(row[0] for row in ahead)
    return dg.AssetCheckResult(passed=not ahead, severity=dg.AssetCheckSeverity.WARN, metadata={"ahead": names})


@dg.asset_check(
    asset="clock_skew", description="Times of records that an exact key joins differ by at most the clock tolerance."
)
def clocks_apart(home: dg.ResourceParam[OpenHome]) -> dg.AssetCheckResult:
    apart = home.warehouse.con.execute(_APART).fetchall()
    for child, parent, seconds, tolerance in apart:
        watcher().say(f"{child} and {parent}: clocks {seconds:,.0f} s apart, more than {tolerance:,.0f} s")
    names = ", ".join(f"{row[0]} and {row[1]}" for row in apart)
    return dg.AssetCheckResult(passed=not apart, severity=dg.AssetCheckSeverity.WARN, metadata={"apart": names})


@dg.asset_check(asset="report", description="No table failed; where one did, it stands as the run before left it.")
def everything_built(home: dg.ResourceParam[OpenHome]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=not home.not_built, metadata={"not built": ", ".join(home.not_built)})


def _number(home: OpenHome, query: str) -> float:
    row = fetch_row(home.warehouse.con, query)
    return row[0] if row else 0
