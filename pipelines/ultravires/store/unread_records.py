"""Records of approvals and decisions that could not be read, as a table: of which log, from when to when, and whether
the place is believed. What one of them said may account for what was done then, so its absence accuses nobody.
"""

from collections.abc import Iterator
from typing import NamedTuple

import duckdb
import pyarrow as pa

from ultravires import registry
from ultravires.build.table_schemas import table_schemas
from ultravires.reading.origins import MISPLACED, RECORDED, Origins
from ultravires.reading.source import Source
from ultravires.store.queries import registered
from ultravires.store.warehouse import Warehouse

_WHOLE_FILE_IS_LOST = frozenset({"unreadable", "unrecognised"})
_END_IS_LOST = frozenset({"damaged", "changed", "waiting"})

_REFUSED = """
select quarantine.file_id, files.path, files.input, quarantine.log, quarantine.place
from quarantine
join files using (file_id)
where not contains(quarantine.reason, $misplaced)
group by all
"""

_FAILED = """
select
    unread_files.path, unread_files.state, unread_files.reason, unread_files.sources_beside, unread_files.is_evidence,
    max(files.source) as source, max(inputs.input) as input
from unread_files
left join files on files.path = unread_files.path and files.state = 'loaded'
left join (select distinct input from files) as inputs on starts_with(unread_files.path, inputs.input)
group by all
order by all
"""

# Neighbours are those of the file. Where a record is the first or last of its file, the log's record next in time;
# where the file has no other, those of the files beside it by name. A document may have the later record first.
_STRETCHES = """
with missing as (
    select
        believed.path, believed.log, quarantine.file_id, quarantine.record_no, quarantine.reason,
        believed.is_believed, believed.is_bound
    from quarantine
    join believed
        on believed.file_id = quarantine.file_id and believed.log = quarantine.log
        and believed.place is not distinct from quarantine.place
    where not contains(quarantine.reason, $misplaced)
    union all
    select failed.path, failed.log, files.file_id, null, failed.reason, failed.is_believed, failed.is_bound
    from failed
    left join files on files.path = failed.path and files.state = 'loaded'
),

of_logs as (
    select events.log, events.event_at, events.file_id, events.record_no
    from events
    semi join missing on missing.log = events.log
),

in_order as (
    select
        file_id, log, record_no, event_at, false as is_missing,
        null as path, null as reason, null as is_believed, null as is_bound
    from of_logs
    semi join missing on missing.file_id = of_logs.file_id
    union all
    select file_id, log, coalesce(record_no, 9223372036854775807), null, true, path, reason, is_believed, is_bound
    from missing
),

beside_in_file as (
    select
        *,
        last_value(event_at ignore nulls) over (
            partition by file_id, log order by record_no rows unbounded preceding
        ) as before_at,
        first_value(event_at ignore nulls) over (
            partition by file_id, log order by record_no rows between current row and unbounded following
        ) as after_at
    from in_order
    qualify is_missing
),

moments as (
    select distinct log, event_at from of_logs
),

beside_in_log as (
    select
        beside_in_file.* replace (
            coalesce(beside_in_file.before_at, earlier.event_at) as before_at,
            coalesce(beside_in_file.after_at, later.event_at) as after_at
        )
    from beside_in_file
    asof left join moments as earlier
        on earlier.log = beside_in_file.log and earlier.event_at < beside_in_file.after_at
    asof left join moments as later on later.log = beside_in_file.log and later.event_at > beside_in_file.before_at
),

spans as (
    select of_logs.log, files.path, regexp_replace(files.path, '[/!][^/!]*$', '') as folder,
        min(of_logs.event_at) as first_at, max(of_logs.event_at) as last_at
    from of_logs
    join files using (file_id)
    group by all
),

beside_in_folder as (
    select
        beside_in_log.* exclude (event_at, is_missing, before_at, after_at),
        coalesce(
            beside_in_log.before_at, case when beside_in_log.after_at is null then earlier.last_at end
        ) as before_at,
        coalesce(
            beside_in_log.after_at, case when beside_in_log.before_at is null then later.first_at end
        ) as after_at
    from beside_in_log
    asof left join spans as earlier
        on earlier.log = beside_in_log.log and earlier.folder = regexp_replace(beside_in_log.path, '[/!][^/!]*$', '')
        and earlier.path < beside_in_log.path
    asof left join spans as later
        on later.log = beside_in_log.log and later.folder = regexp_replace(beside_in_log.path, '[/!][^/!]*$', '')
        and later.path > beside_in_log.path
)

select
    path,
    log,
    case when after_at < before_at then after_at else before_at end as from_at,
    case when after_at < before_at then before_at else after_at end as until_at,
    count(*) filter (where record_no < 9223372036854775807) as n_records,
    min(record_no) filter (where record_no < 9223372036854775807) as first_record_no,
    min(reason) as reason,
    is_believed,
    is_bound
from beside_in_folder
group by all
order by all
"""


class _Believed(NamedTuple):
    """Whether a record of `log` at `place` in this file would be believed."""

    file_id: str | None
    path: str
    log: str
    place: str | None
    reason: str | None
    is_believed: bool
    is_bound: bool


_BELIEVED = pa.schema([(name, pa.bool_() if name.startswith("is_") else pa.string()) for name in _Believed._fields])


def note_unread_records(warehouse: Warehouse, origins: Origins) -> None:
    """Bring `unread_records` up to what stands in quarantine and in `unread_files`."""
    con = warehouse.con
    granting = {source.log: source for source in registry.sources().values() if source.is_granting}
    refused, failed = list(_refused(con, granting, origins)), list(_failed(con, granting, origins))
    rows = table_schemas()["unread_records"].arrow().empty_table()
    if refused or failed:
        with registered(con, "believed", _table(refused)), registered(con, "failed", _table(failed)):
            found = con.sql(_STRETCHES, params={"misplaced": MISPLACED}).to_arrow_table()
        rows = found.select(rows.column_names).cast(rows.schema)
    warehouse.store_reference("unread_records", rows)


def _table(rows: list[_Believed]) -> pa.Table:
    return pa.Table.from_pylist([row._asdict() for row in rows], _BELIEVED)


def _refused(con: duckdb.DuckDBPyConnection, granting: dict[str, Source], origins: Origins) -> Iterator[_Believed]:
    for file_id, path, root, log, place in con.execute(_REFUSED, {"misplaced": MISPLACED}).fetchall():
        if log in granting:
            yield _judged(granting[log], origins, path, root, file_id=file_id, place=place)


def _failed(con: duckdb.DuckDBPyConnection, granting: dict[str, Source], origins: Origins) -> Iterator[_Believed]:
    """Files of such a log that were not read, or not to their end."""
    by_name = {source.name: source for source in granting.values()}
    for path, state, reason, beside, is_evidence, source, root in con.execute(_FAILED).fetchall():
        of_path = {name for name, inner in origins.of_file(path, root).bound if inner is None}
        if state in _END_IS_LOST and (is_evidence or of_path):
            names = {source}
        elif state == "unreadable" and is_evidence and not of_path:
            names = set(beside)
        elif state in _WHOLE_FILE_IS_LOST:
            names = of_path
        else:
            continue
        of_one = by_name.get(next(iter(names))) if len(names) == 1 else None
        if of_one is not None:
            yield _judged(of_one, origins, path, root, reason=reason)


def _judged(
    source: Source,
    origins: Origins,
    path: str,
    root: str | None,
    *,
    file_id: str | None = None,
    place: str | None = None,
    reason: str | None = None,
) -> _Believed:
    of_file = origins.of_file(path, root)
    verdict = of_file.verdict(source, source.log, place)
    is_believed = verdict.voice == RECORDED and not verdict.bound_to
    return _Believed(file_id, path, source.log, place, reason, is_believed, is_believed and of_file.has_origins)
