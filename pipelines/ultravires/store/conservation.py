"""The conservation law: what was read is stored, known already, in quarantine, pruned, or no event; nothing else.

Checked in every run, before anything is built on the events.
"""

import duckdb

from ultravires.store.queries import fetch_row

_COUNTS = """
select
    (select count(*) from events),
    coalesce(sum(n_events), 0),
    (select count(*) from quarantine),
    coalesce(sum(n_quarantined), 0),
    -- A record may hold several events, so a file may have more outcomes than records, never fewer.
    coalesce(sum(greatest(n_records - n_events - n_duplicates - n_quarantined - n_ignored - n_pruned, 0)), 0),
    -- Nothing is wrong with them; but a reader that overlooks records would show here, and nowhere else.
    count(*) filter (state = 'loaded' and source is not null and n_events + n_duplicates + n_quarantined + n_pruned = 0)
from files
"""

_BOOK = """
update files set n_events = standing.n, n_duplicates = n_duplicates + n_events - standing.n
from (
    select files.file_id, count(events.file_id) as n
    from files left join events on events.file_id = files.file_id
    group by files.file_id
) as standing
where standing.file_id = files.file_id and standing.n <> files.n_events
"""


def book_to_files(con: duckdb.DuckDBPyConnection) -> None:
    """Let `n_events` of each file count the rows of `events` that name it, before some of them go.

    Where a better copy of an event replaced the first one, the first file still has it in its count, though the row
    names the other; the sums are the same before and after.
    """
    con.execute(_BOOK)


def count_conserved(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """What stands in `events` and `quarantine`, what the manifest says, the records that have no outcome, and the files
    (`silent`) that a source recognised and that gave nothing.
    """
    row = fetch_row(con, _COUNTS)
    assert row is not None
    names = ("stored", "noted", "in_quarantine", "noted_in_quarantine", "lost", "silent")
    return {name: int(value) for name, value in zip(names, row, strict=True)}


def broken_law(counts: dict[str, int]) -> str | None:
    """One line on what does not add up in the counts of `count_conserved`; None when all does."""
    broken = []
    if counts["stored"] != counts["noted"]:
        broken.append(f"{counts['stored']:,} events are stored and the manifest says {counts['noted']:,}")
    if counts["in_quarantine"] != counts["noted_in_quarantine"]:
        broken.append(
            f"{counts['in_quarantine']:,} records are in quarantine and the manifest says "
            f"{counts['noted_in_quarantine']:,}"
        )
    if counts["lost"]:
        broken.append(f"{counts['lost']:,} records were read and became nothing")
    if not broken:
        return None
    return f"records are not conserved: {'; '.join(broken)}; nothing was published, load the logs into a new --home"
