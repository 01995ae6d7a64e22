"""What a run does, step after step, over an open home. `ultravires run` takes the steps in this order, in this process;
Dagster has an asset for each of them (`ultravires.assets`), for schedules, backfills and its page.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

from ultravires_models.describe import describe
from ultravires_models.detector import Detector, run_detector
from ultravires_models.frameworks import frameworks_table

from ultravires import registry
from ultravires.alerting.findings import update_findings
from ultravires.alerting.outbox import deliver
from ultravires.build import pipeline
from ultravires.build.chain_aliases import follow_chains
from ultravires.build.duckdb_engine import Built
from ultravires.build.reference import first_run_at, last_run_context, store_run_context
from ultravires.build.sql_tables import SqlTable
from ultravires.build.table_schemas import LOADED, names_in
from ultravires.errors import RunError
from ultravires.progress import watcher
from ultravires.reading.pool import file_reader
from ultravires.report.report import write_report
from ultravires.runs import clock
from ultravires.runs.home import OpenHome, finish_run, store_configuration
from ultravires.runs.judge_again import judge_again
from ultravires.runs.not_read import lines, not_read
from ultravires.runs.stopping import is_interrupt
from ultravires.runs.upgrade import read_outdated_again
from ultravires.store.conservation import broken_law, count_conserved
from ultravires.store.load import LoadCounts, Loader
from ultravires.store.publish import publish
from ultravires.store.queries import count_rows
from ultravires.store.shared_ids import note_shared_ids
from ultravires.store.snapshot import open_published
from ultravires.store.tombstones import is_unsettled
from ultravires.store.unread_records import note_unread_records

_READS = "reads "
_LONGEST_REASON = 300


class Made(NamedTuple):
    """What a step made: the name of a table or of something else, and what there is to say of it."""

    name: str
    metadata: dict[str, Any]
    is_changed: bool = True
    """False where it stands as the run before left it."""


JUDGED_ANYWAY = ("hits", pipeline.FINDING_INPUTS)
"""What stands is judged, also where some of it is of a run before: so what was found goes on standing, and what the
other tables show is told."""


class Step(NamedTuple):
    name: str
    take: Callable[[OpenHome], Iterator[Made]]
    makes_table: bool = False
    """Whether it makes one table, in a transaction, and does nothing else."""


def steps() -> list[Step]:
    """All steps of a run, each after those whose tables it reads."""
    builds = {
        **{name: partial(build_table, table) for name, table in pipeline.sql_tables().items()},
        **{name: partial(score, name, detector) for name, detector in pipeline.score_names().items()},
    }
    return [
        Step("configuration", store_reference_tables),
        Step("loaded_logs", load_logs),
        Step("conservation", refuse_losses),
        Step("run_context", judge_time),
        Step("detectors", describe_detectors),
        *(Step(name, builds[name], makes_table=True) for name in pipeline.build_order()),
        Step("findings", find),
        Step("delivered_alerts", deliver_alerts),
        Step("chain_aliases", follow_chain_ids),
        Step("published", publish_tables),
        Step("report", draw_report),
        Step("everything_built", refuse_gaps),
    ]


def store_reference_tables(home: OpenHome) -> Iterator[Made]:
    """ultravires.yaml and the packaged data as small tables."""
    for name, stored in store_configuration(home).items():
        yield Made(name, {"dagster/row_count": stored.n_rows}, stored.is_changed)


def load_logs(home: OpenHome) -> Iterator[Made]:
    """Read again what an older reader read, then the new files of the input; nothing while a prune waits
    to be settled.
    """
    counts = LoadCounts() if is_unsettled(home.warehouse.con) else _load(home)
    note_shared_ids(home.warehouse)
    note_unread_records(home.warehouse, home.options().origins)
    home.not_read = not_read(counts)
    home.ignored = dict(sorted(counts.ignored_as.items()))
    for line in lines(counts):
        watcher().say(line)
    if counts.pruned:
        watcher().say(f"{counts.pruned:,} events from before the tombstone of a prune were not stored")
    home.counts |= {
        name: getattr(counts, name)
        for name in ("files", "records", "events", "duplicates", "pruned", "quarantined", "ignored")
    }
    home.counts["unrecognised"] = len(counts.unrecognised)
    home.counts["files_waiting"] = len(counts.waiting) + len(counts.unfinished)
    for name in names_in(LOADED):
        metadata = {"dagster/row_count": count_rows(home.warehouse.con, name), "new events": counts.events}
        yield Made(name, metadata, counts.files > 0)


def _load(home: OpenHome) -> LoadCounts:
    home.counts["read_again"] = read_outdated_again(home)
    home.counts["judged_again"] = judge_again(home)
    with file_reader(home.options(), home.path / "reading") as read:
        return Loader(home.engine, home.settings, read, watcher().step).load(home.input)


def refuse_losses(home: OpenHome) -> Iterator[Made]:
    """Raises RunError where a record that was read is nowhere."""
    counts = count_conserved(home.warehouse.con)
    if (broken := broken_law(counts)) is not None:
        raise RunError(broken)
    yield Made("conservation", counts)


def judge_time(home: OpenHome) -> Iterator[Made]:
    """The time that the run judges as of."""
    con = home.warehouse.con
    tolerance = home.settings.clock_tolerance
    # The clock as it is now: what was written while this run was reading is not from the future.
    time = clock.judged_time(con, clock=clock.now(), tolerance=tolerance, said=home.as_of)
    home.clock_doubt = time.clock_doubt
    # Where a prune took every event, the time that they had reached stands.
    as_of = time.as_of or last_run_context(home.warehouse, "as_of")
    first = first_run_at(home.warehouse, clock=time.clock, said=home.as_of)  # before this run is one of those before
    con.execute("update runs set as_of = ? where run_id = ?", [as_of, home.run_id])
    store_run_context(home.warehouse, as_of, tolerance, time.future_from, first_run_at=first)
    yield Made("run_context", {})


def build_table(table: SqlTable, home: OpenHome) -> Iterator[Made]:
    """One table that a SELECT makes; as it stood, where it or what it reads cannot be made."""
    started = time.monotonic()
    watcher().step(table.name, home.n_built, len(pipeline.sql_tables()))
    home.n_built += 1
    built = fenced(home, table.name, table.inputs, lambda: home.engine.build(table))
    if built is None:
        yield Made(table.name, {"state": "not built", "reason": home.not_built[table.name]}, is_changed=False)
        return
    metadata = {
        "dagster/row_count": built.n_rows,
        "state": built.state,
        "hours rewritten": built.n_hours,
        "seconds": round(time.monotonic() - started, 3),
    }
    yield Made(table.name, metadata, built.state == "built")


def score(name: str, detector: Detector, home: OpenHome) -> Iterator[Made]:
    """The hits of one anomaly model."""
    engine = home.engine
    inputs = engine.versions(frozenset(detector.inputs))
    if engine.is_fresh(name, code_hash=detector.version, inputs=inputs):
        yield Made(name, {"state": "fresh"}, is_changed=False)
        return

    def judge() -> Built:
        tables = {table: engine.con.table(table).to_arrow_table() for table in detector.inputs}
        return engine.store(name, run_detector(detector, tables), code_hash=detector.version, inputs=inputs)

    built = fenced(home, name, detector.inputs, judge)
    if built is None:
        yield Made(name, {"state": "not built", "reason": home.not_built[name]}, is_changed=False)
        return
    yield Made(name, {"dagster/row_count": built.n_rows, "state": built.state}, built.state == "built")


def describe_detectors(home: OpenHome) -> Iterator[Made]:
    """Every rule and model as a row."""
    rows = describe(pipeline.rule_book().detectors(), list(registry.detectors().values()))
    is_changed = home.warehouse.store_reference("detectors", rows)
    yield Made("detectors", {"dagster/row_count": rows.num_rows}, is_changed)


def find(home: OpenHome) -> Iterator[Made]:
    """Compare what the detectors say now with what stands, and queue what has to be told."""
    with home.sinks() as sinks, home.warehouse.transaction() as con:
        counts = update_findings(con, home.run_id, sinks=sorted(sinks), is_settling=is_unsettled(con))
    for name in ("findings", "alerts"):
        yield Made(name, {"dagster/row_count": count_rows(home.warehouse.con, name), **counts})


def deliver_alerts(home: OpenHome) -> Iterator[Made]:
    """Alerts handed to the sinks and acknowledged by them."""
    with home.sinks() as sinks:
        delivery = deliver(home.warehouse.con, sinks, now=datetime.now(UTC))
    home.counts |= {"alerts_sent": delivery.sent, "alerts_waiting": delivery.waiting + delivery.held}
    for sink, problem in delivery.problems.items():
        watcher().say(f"sink {sink}: {problem}")
    yield Made("delivered_alerts", {"sent": delivery.sent, "waiting": delivery.waiting, "held": delivery.held})


def follow_chain_ids(home: OpenHome) -> Iterator[Made]:
    """Old ids of chains, and what they are now."""
    rows = follow_chains(home.warehouse, home.run_id)
    yield Made("chain_aliases", {"dagster/row_count": rows})


def publish_tables(home: OpenHome) -> Iterator[Made]:
    """Every table for readers, and this run's line in `runs`."""
    home.warehouse.store_reference("frameworks", frameworks_table())
    home.warehouse.store_reference("rules", pipeline.rule_book().table())
    rows = publish(home.warehouse, pipeline.published_names(), run_id=home.run_id)
    home.counts |= {name: rows[name] for name in ("links", "chains", "findings")}
    finish_run(home, home.counts)
    yield Made("published", {"tables": len(rows), "rows": sum(rows.values())})


def draw_report(home: OpenHome) -> Iterator[Made]:
    """HOME/report.html."""
    path = home.path / "report.html"
    with open_published(home.path) as con:
        write_report(con, path)
    yield Made("report", {"path": str(path)})


def refuse_gaps(home: OpenHome) -> Iterator[Made]:
    """Raises RunError, when all else is done, where a table could not be made."""
    failed = [f"{table}: {reason}" for table, reason in home.not_built.items() if not reason.startswith(_READS)]
    if failed:
        n_behind = len(home.not_built) - len(failed)
        raise RunError(
            f"not built: {'; '.join(failed)}; {n_behind} tables that read it stand as the run before left them, "
            "alerts of all others were sent; please report this, the next run tries again"
        )
    yield Made("everything_built", {})


def fenced(home: OpenHome, name: str, reads: Iterable[str], make: Callable[[], Built]) -> Built | None:
    """What `make` made of the table; None where it failed or reads what failed: then the table stands as it stood, and
    what does not depend on it is made all the same. Otherwise one record that breaks one table would stop all alerts.
    Raises the error where many tables are made in one transaction, which it has broken.
    """
    behind = next((table for table in sorted(reads) if table in home.not_built), None)
    reason = f"{_READS}{behind}" if behind is not None and name not in JUDGED_ANYWAY else None
    if reason is None:
        try:
            return make()
        except Exception as error:
            if is_interrupt(error) or name in JUDGED_ANYWAY or home.warehouse.is_together:
                raise
            reason = " ".join(str(error).split())[:_LONGEST_REASON]
            watcher().say(f"{name} could not be built and stands as it stood: {reason}")
    home.not_built[name] = reason
    home.engine.stand_in(name)
    return None
