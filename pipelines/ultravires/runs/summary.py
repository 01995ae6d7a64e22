"""What a person sees at the end of `ultravires run`."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
from rich.table import Table
from rich.text import Text

from ultravires.report.overview import ACCOUNTED_KINDS, UNSEEN_KINDS, WORST_FIRST
from ultravires.runs.run_result import RunResult
from ultravires.store.queries import fetch_row
from ultravires.store.snapshot import open_published
from ultravires.tracing.terminal import Terminal
from ultravires.tracing.visible import LONGEST_LINE, visible

MOST_REFUSED = 50
"""Lines about refused rules; a pack of another product may hold thousands."""


def print_summary(result: RunResult, home: Path) -> None:
    """A short table of what was found, and where report and alerts are."""
    console = Terminal()
    table = Table(title="Ultravires", show_header=False, title_justify="left")
    table.add_row("files read now", f"{result.files:,}")
    if result.files == 0:
        table.add_row("", "no new files below the input folder")
    table.add_row(
        "records now",
        f"{result.events:,} new events, {result.duplicates:,} duplicates, {result.quarantined:,} quarantined",
    )
    for reason, n in result.ignored.items():
        table.add_row("no event in", f"{n:,} records of {visible(reason)}")
    if result.clock is not None:
        table.add_row("clock", result.clock)
    if result.origins is not None:
        table.add_row("origins", visible(result.origins, LONGEST_LINE))
    for label, words in _refused(result.rules_refused):
        table.add_row(label, words)
    table.add_row("chains", f"{result.chains:,} over {result.links:,} links")
    with open_published(home) as con:
        table.add_row("records in all", _records(con))
        for label, words in _accounted(con):
            table.add_row(label, words)
        for log, state in con.execute(
            "select log, state from sources where state not in ('complete', 'absent') order by log"
        ).fetchall():
            table.add_row("log " + visible(log), state)
        for log, n in con.execute(
            "select log, n_from_future from sources where n_from_future > 0 order by log"
        ).fetchall():
            table.add_row("log " + visible(log), f"{n:,} from the future, which move no time")
        unseen = con.execute(UNSEEN_KINDS).fetchall()
        if unseen:
            table.add_row("no log of", ", ".join(kind for (kind,) in unseen))
        for label, words in _found(con):
            table.add_row(label, words)
        n_silenced = fetch_row(con, "select count(*) from drift where reviewed_by is not null")
        top = con.execute(
            "select severity, title, coalesce(identity_id, subject_uid), finding_id from findings "
            "where state = 'open' and not is_suppressed and len(coalesce(told_by, [])) = 0 "
            "order by risk_score desc, finding_id limit 5"
        ).fetchall()
    if n_silenced and n_silenced[0]:
        table.add_row("silenced by review", f"{n_silenced[0]:,} rows of drift, listed in the report")
    table.add_row("alerts sent now", f"{result.alerts_sent:,}")
    console.print(table)
    for severity, title, who, finding_id in top:
        console.print(
            Text(f"  {finding_id} {severity:9} {visible(title)} - {visible(who)}"), no_wrap=True, overflow="ellipsis"
        )
    console.print(Text(f"report  {home / 'report.html'}"), soft_wrap=True)
    console.print(Text(f"alerts  {home / 'alerts.jsonl'}"), soft_wrap=True)
    console.print(Text(f"took    {result.seconds} s"))


def _found(con: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, str]]:
    """What is told, by severity, and how much of it reaches no network."""
    told = "state = 'open' and not is_suppressed and len(coalesce(told_by, [])) = 0"
    by_severity = dict(
        con.execute(f"select severity, count(*) from findings where {told} group by severity").fetchall()
    )
    yield "open findings", ", ".join(f"{by_severity[s]} {s}" for s in WORST_FIRST if s in by_severity) or "none"
    row = fetch_row(
        con,
        "select count(*) filter (where len(told_by) > 0), "
        f"count(*) filter (where is_historic and {told}) from findings where state = 'open'",
    )
    n_others, n_historic = row or (0, 0)
    if n_others:
        yield "told by these", f"{n_others:,} more of the same acts, which are not sent beside them"
    if n_historic:
        words = f"{n_historic:,} of them, more than a day older than the first run, are sent to no network"
        yield "historic", f"{words}; see: ultravires findings"


def _records(con: duckdb.DuckDBPyConnection) -> str:
    """The conservation law over everything ever loaded; a run whose counts break it has failed before this."""
    row = fetch_row(
        con,
        "select coalesce(sum(n_records), 0), coalesce(sum(n_events), 0), coalesce(sum(n_duplicates), 0), "
        "coalesce(sum(n_quarantined), 0), coalesce(sum(n_ignored), 0), coalesce(sum(n_pruned), 0) from files",
    )
    read, events, duplicates, quarantined, ignored, pruned = row or (0, 0, 0, 0, 0, 0)
    kinds = f"{events:,} events, {duplicates:,} duplicates, {quarantined:,} quarantined"
    more = (f", {ignored:,} without an event" if ignored else "") + (f", {pruned:,} pruned" if pruned else "")
    return f"{read:,} read: {kinds}{more}"


def _refused(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The first rules that cannot be used, and how many more there are."""
    for line in lines[:MOST_REFUSED]:
        yield "rule refused", visible(line, LONGEST_LINE)
    if len(lines) > MOST_REFUSED:
        left = len(lines) - MOST_REFUSED
        yield "", f"{left:,} more, in the table `rules` and in: ultravires rules list"


def _accounted(con: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """The share of what non-human identities did, and a line for each kind of identity with the methods."""
    if fetch_row(con, "select 1 from sources where list_contains(evidence_seen, 'approval')") is None:
        return [("accounted for", "unknown: no log of approvals")]
    row = fetch_row(
        con, "select sum(n_activities), sum(n_accounted), sum(n_by_task), sum(n_by_standing) from accounted"
    )
    if not row or not row[0]:
        return [("accounted for", "no activity of non-human identities")]
    n, accounted, by_task, by_standing = row
    parts = f"{by_task / n:.1%} by a task, {by_standing / n:.1%} by a standing approval"
    kinds = [
        (f"  {kind}", f"{n_accounted / n_of_kind:.1%} of {n_of_kind:,}" + (f": {methods}" if methods else ""))
        for kind, n_of_kind, n_accounted, _, _, methods in con.execute(ACCOUNTED_KINDS).fetchall()
    ]
    return [("accounted for", f"{accounted / n:.1%} of {n:,} activities of non-human identities ({parts})"), *kinds]
