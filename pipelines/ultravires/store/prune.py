"""`ultravires prune --before DATE`: deletes what is older, and leaves a tombstone that says so.

One transaction deletes the events with their raw records, the quarantine of files that hold nothing younger, moves
both in the manifest to `n_pruned`, queues the hours that changed and writes the tombstone. The run after it rebuilds
the tables; what it takes from the findings is no news and is told to nobody (`alerting.findings`).

What is gone must not accuse what remains: `pruned_hours` remembers when each log spoke, so that a pruned log does not
look like a silent one, and `pruned_reach` how long approvals, decisions and tool calls from before the date still
explain what came after it. Until then their absence is no evidence. `pruned_subjects` remembers of whom a log spoke, so
that it is still waited for where it speaks of nobody any more.
"""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import duckdb

from ultravires import __version__
from ultravires.build import pipeline
from ultravires.build.duckdb_engine import DuckDBEngine
from ultravires.errors import UsageError
from ultravires.moments import parse_moment
from ultravires.progress import watcher
from ultravires.store.conservation import book_to_files
from ultravires.store.queries import fetch_row
from ultravires.store.tombstones import newest_tombstone
from ultravires.store.warehouse import Warehouse

FOREVER = "'9999-12-31'::timestamptz"
LONGEST_SESSION = "interval 12 hour"
"""The longest AWS lets an assumed role live; for sessions whose end no record states."""
WORTH_COMPACTING = 0.2
"""Share of free blocks above which the file is written anew."""
_STEPS = 5
_NEVER = datetime.min.replace(tzinfo=UTC)

# The same node ids as in stg_keys.
_DOOMED = """
create or replace temp table doomed as
select
    segment, row_no, stored.event_id, stored.event_at, stored.event_hour, file_id, stored.log,
    case
        when kind = 'approval' and stored.approval_uid is not null
            then coalesce(contested.approval_id, 'approval:' || stored.approval_uid)
        when kind = 'decision' and decision_uid is not null then 'decision:' || decision_uid
        when kind = 'tool_call' and tool_call_uid is not null then 'tool_call:' || tool_call_uid
        else 'activity:' || stored.event_id
    end as node_id,
    'credential:' || issued_credential_uid as issued_id,
    'credential:' || revoked_credential_uid as revoked_id
from {live_rows} as stored
left join stg_contested_approvals as contested on contested.event_id = stored.event_id
where stored.event_at < $before
"""

_LIVES = f"""
create or replace temp table lives as
select approval_id as node_id, 'approval' as node_kind, coalesce(ends_at, {FOREVER}) as until_at
from stg_approvals
where is_granted and origin = 'ticket'
union all
select
    credential_id, 'credential',
    least(
        revoked_at,
        coalesce(
            expires_at,
            case when credential_kind = 'static' then {FOREVER}
                else greatest(issued_at + {LONGEST_SESSION}, last_used_at) end))
from stg_credentials
where issued_event_id is not null
"""

_RESTED_UPON = """
create or replace temp table rested_upon as
with recursive above as (
    select node_id from lives where until_at >= $before
    union
    select node_id from int_nodes where node_at >= $before
    union
    select approval_id
    from (select approval_id, unnest(event_ids) as event_id from stg_approvals) as states
    join events on events.event_id = states.event_id
    where events.event_at >= $before
    union
    select links.parent_id from links join above on links.child_id = above.node_id
)
select node_id from above
"""

_SPARE = """
delete from doomed
where node_id in (select node_id from rested_upon)
    or issued_id in (select node_id from rested_upon)
    or revoked_id in (select node_id from rested_upon)
"""

# How long what is deleted would still have explained: what remains and rested on it, and what was still in force.
_REACH = """
insert into pruned_reach
with gone as (
    select node_id from doomed
    union
    select issued_id from doomed where issued_id is not null
),
explained as (
    select split_part(links.parent_id, ':', 1) as parent_kind, max(links.child_at) as until_at
    from links
    join gone on gone.node_id = links.parent_id
    where links.child_at >= $before and links.kind <> 'same_event'
    group by parent_kind
),
in_force as (
    select max(lives.until_at) as until_at
    from lives
    join gone on gone.node_id = lives.node_id
    left join chain_steps on chain_steps.step_id = lives.node_id
    where lives.until_at >= $before and (lives.node_kind = 'approval' or chain_steps.is_accounted)
)
select 'approval', max(until_at)
from (select until_at from in_force union all select until_at from explained) as both_ways
having max(until_at) is not null
union all
select parent_kind, until_at from explained where parent_kind in ('decision', 'tool_call')
"""

_MOVE_EVENTS = """
update files set n_events = n_events - gone.n, n_pruned = n_pruned + gone.n
from (select file_id, count(*) as n from doomed group by file_id) as gone
where gone.file_id = files.file_id
"""

_HOURS = """
insert into pruned_hours
select log, event_hour, count(*), min(event_at), max(event_at) from doomed group by log, event_hour
"""

_SUBJECTS = """
insert into pruned_subjects by name
select distinct governed.evidence_kind, governed.log, governed.actor_uid, governed.system
from int_evidence__governed as governed
semi join doomed on doomed.log = governed.log
anti join pruned_subjects as known
    on known.evidence_kind = governed.evidence_kind and known.log = governed.log
    and known.actor_uid is not distinct from governed.actor_uid and known.system is not distinct from governed.system
"""

# A record in quarantine has no time. It goes with its file: when all that was read of it is older, or, where nothing
# could be read, when the file itself is. What may be an approval or decision of something younger stays.
_EMPTIED = """
create or replace temp table emptied as
select files.file_id, count(*) as n
from files
join quarantine on quarantine.file_id = files.file_id
where files.n_events = 0
    and not exists (
        select 1 from unread_records
        where unread_records.path = files.path and unread_records.is_believed
            and (unread_records.until_at is null or unread_records.until_at >= $before)
    )
    and ((files.n_duplicates = 0 and files.n_pruned > 0) or make_timestamptz(files.modified_ns // 1000) < $before)
group by files.file_id
"""

_MOVE_QUARANTINE = """
update files set n_quarantined = n_quarantined - emptied.n, n_pruned = n_pruned + emptied.n
from emptied
where emptied.file_id = files.file_id
"""

_COUNTS = """
select
    (select count(*) from doomed),
    (select count(*) from events where event_at < $before),
    (select coalesce(sum(n), 0) from emptied),
    (select count(*) from (select file_id from doomed union select file_id from emptied)),
    (
        select count(*) from lives
        where node_kind = 'approval' and until_at >= $before and node_id in (select node_id from doomed)
    )
"""


@dataclass(frozen=True)
class Pruned:
    """What a prune did. n_kept: older events that stay because they are in force; n_files: files they came from."""

    before: str
    n_events: int
    n_kept: int
    n_quarantined: int
    n_files: int
    n_approvals_in_force: int
    n_findings: int = 0
    bytes_before: int = 0
    bytes_after: int = 0

    def as_dict(self) -> dict[str, object]:
        return asdict(self)

    def sentence(self) -> str:
        """The one line that a person is told."""
        parts = [
            f"pruned what is older than {self.before}: {self.n_events:,} events of {self.n_files:,} files, "
            f"{self.n_quarantined:,} quarantined records, {self.n_findings:,} findings; "
            f"warehouse {self.bytes_before / 1e6:,.1f} MB -> {self.bytes_after / 1e6:,.1f} MB"
        ]
        if self.n_kept:
            parts.append(f"{self.n_kept:,} older events stay because they are in force")
        if self.n_approvals_in_force:
            parts.append(
                f"{self.n_approvals_in_force:,} approvals still in force went too: nothing is called unapproved "
                "until they end (--keep-in-force keeps such)"
            )
        return "; ".join(parts)


def parse_date(text: str, *, now: datetime) -> datetime:
    """A time for `prune --before`; UsageError for what is none, and for the future."""
    moment = parse_moment(text, "--before")
    if moment > now:
        raise UsageError(f"--before {text}: lies in the future; logs yet to come would be turned away at the door")
    return moment


def prune(warehouse: Warehouse, before: datetime, *, keep_in_force: bool) -> Pruned:
    """Delete, count and leave the tombstone, in one transaction; the tables of the last run must stand.

    With `keep_in_force`, approvals and credentials that still hold at `before` stay, and so does every older record
    that something younger, or one of those, rests upon through any link.
    """
    engine = DuckDBEngine(warehouse, pipeline.hourly_tables())
    at = {"before": before}
    with warehouse.transaction() as con:
        _step("finding what is older", 0)
        con.execute(_DOOMED.format(live_rows=warehouse.segments.live_rows_between(_NEVER, before)), at)
        con.execute(_LIVES)
        if keep_in_force:
            con.execute(_RESTED_UPON, at)
            con.execute(_SPARE)
        con.execute(_REACH, at)
        _step("deleting events", 1)
        book_to_files(con)
        con.execute(_MOVE_EVENTS)
        con.execute(_HOURS)
        con.execute(_SUBJECTS)
        warehouse.segments.mark_deleted("doomed")
        warehouse.segments.rewrite_without_deleted()
        engine.touch_readers("events", "select distinct event_hour from doomed")
        _step("deleting quarantine", 2)
        con.execute(_EMPTIED, at)
        con.execute("delete from quarantine where file_id in (select file_id from emptied)")
        con.execute(_MOVE_QUARANTINE)
        # No bump: the networks of the addresses that remain are the same.
        con.execute(
            "delete from address_networks where src_ip not in (select src_ip from events where src_ip is not null)"
        )
        _step("leaving the tombstone", 3)
        pruned = Pruned(before.isoformat(), *(fetch_row(con, _COUNTS, at) or (0,) * 5))
        if pruned.n_events or pruned.n_quarantined or (newest_tombstone(con) or _NEVER) < before:
            _leave_tombstone(con, before, pruned)
        for table in ("events", "files", "quarantine", "pruned_hours", "pruned_reach", "pruned_subjects"):
            warehouse.bump_version(table)
    _step("freeing the space", 4)
    warehouse.segments.compact()
    warehouse.con.execute("checkpoint")
    return pruned


def _leave_tombstone(con: duckdb.DuckDBPyConnection, before: datetime, pruned: Pruned) -> None:
    con.execute(
        "insert into tombstones by name select ? as before_at, ? as pruned_at, ? as software, ? as n_events, "
        "? as n_kept, ? as n_quarantined, ? as n_files, ? as n_approvals_in_force",
        [
            before,
            datetime.now(UTC),
            f"ultravires {__version__}",
            pruned.n_events,
            pruned.n_kept,
            pruned.n_quarantined,
            pruned.n_files,
            pruned.n_approvals_in_force,
        ],
    )


def give_back_space(warehouse: Warehouse) -> None:
    """Write the file anew where much of it is free; its live rows are what that costs."""
    warehouse.con.execute("checkpoint")
    row = fetch_row(warehouse.con, "select free_blocks / nullif(total_blocks, 0) from pragma_database_size()")
    if row and (row[0] or 0) >= WORTH_COMPACTING:
        watcher().say("writing the warehouse anew without its free space")
        warehouse.compact()


def _step(what: str, done: int) -> None:
    watcher().step(what, done, _STEPS)
