"""Who speaks in an event: the source says it, and a home that did not know it learns it."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import ultravires
from small_logs import RUNNER, WORKER, approval, assume, call, session, write_lines
from test_segments import add, mark_deleted, stored
from ultravires import registry
from ultravires.errors import RunError
from ultravires.runs.run import run_once
from ultravires.schema import SCHEMA_VERSION, VOICES
from ultravires.store import migrations
from ultravires.store.warehouse import Warehouse, open_warehouse


def ask(home: Path, query: str) -> list[tuple[Any, ...]]:
    with ultravires.open(home) as con:
        return con.execute(query).fetchall()


def write_logs(folder: Path) -> None:
    """A role that is taken under an approval, and a span of the agent."""
    runner = session(RUNNER, "ASIARUNNER", source_identity="APR-A")
    write_lines(folder / "approvals.jsonl", [approval("APR-A", 0)])
    write_lines(
        folder / "trail.json",
        [
            assume("e1", 5, runner, "ASIAWORKER", sourceIdentity="APR-A"),
            call("e2", 6, "s3:GetObject", session(WORKER, "ASIAWORKER", source_identity="APR-A")),
        ],
    )
    attributes = [{"key": "gen_ai.operation.name", "value": {"stringValue": "execute_tool"}}]
    times = {"startTimeUnixNano": "1791187440000000000", "endTimeUnixNano": "1791187441000000000"}
    span = {"traceId": "0" * 31 + "1", "spanId": "0" * 15 + "1", "name": "a", "attributes": attributes, **times}
    write_lines(folder / "spans.jsonl", [{"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}])


def make_old(warehouse: Warehouse) -> None:
    """The home as the sixth schema wrote it, its segments without the columns that came then."""
    for path in warehouse.segments.folder.glob("*.parquet"):
        pq.write_table(pq.read_table(path).drop_columns(["voice", "place"]), path)
        warehouse.con.execute(
            "update event_segments set n_bytes = ? where segment = ?", [path.stat().st_size, path.name]
        )
    warehouse.con.execute("update warehouse_schema set version = 6")


@pytest.mark.parametrize("name", sorted(registry.sources()))
def test_every_source_has_a_voice(name: str) -> None:
    """Who told of it is told of every event."""
    assert registry.sources()[name].voice in VOICES


def test_events_links_and_steps_show_their_voice(tmp_path: Path) -> None:
    """An event has that of its source; a step that of its event; a link that of the better of its two ends."""
    write_logs(tmp_path / "logs")
    run_once(tmp_path / "logs", tmp_path / "home", config=None, as_of="")
    assert ask(tmp_path / "home", "select distinct log, voice, place from events order by all") == [
        ("approvals", "recorded", None),
        ("aws_cloudtrail", "recorded", None),
        ("otel_genai", "reported", None),
    ]
    steps = ask(tmp_path / "home", "select distinct node_kind, voice from chain_steps order by all")
    assert ("approval", "recorded") in steps
    assert ("tool_call", "reported") in steps
    assert ask(tmp_path / "home", "select distinct voice from links where kind like '%approval'") == [("recorded",)]


def test_a_home_of_the_sixth_schema_learns_the_voices(tmp_path: Path) -> None:
    """Its events get the voice of their source, and are what they were."""
    home = tmp_path / "home"
    write_logs(tmp_path / "logs")
    run_once(tmp_path / "logs", home, config=None, as_of="")
    findings = "select finding_id, state, revision from findings order by all"
    before = ask(home, "select * from events order by event_id"), ask(home, findings)
    with open_warehouse(home) as warehouse:
        index = warehouse.con.execute("select * exclude (segment) from event_ids order by all").fetchall()
        make_old(warehouse)
    for _ in range(2):
        with open_warehouse(home) as warehouse:
            assert warehouse.con.execute("from warehouse_schema").fetchall() == [(SCHEMA_VERSION,)]
            found = warehouse.con.execute("select * exclude (segment) from event_ids order by all").fetchall()
            assert found == index
    run_once(tmp_path / "logs", home, config=None, as_of="")
    assert (ask(home, "select * from events order by event_id"), ask(home, findings)) == before


def test_a_home_without_events_learns_the_voices(tmp_path: Path) -> None:
    """There is nothing to write anew."""
    with open_warehouse(tmp_path) as warehouse:
        make_old(warehouse)
    with open_warehouse(tmp_path) as warehouse:
        assert warehouse.con.execute("select count(*) from events").fetchall() == [(0,)]
        assert warehouse.con.execute("from warehouse_schema").fetchall() == [(SCHEMA_VERSION,)]


def test_deleted_rows_stay_deleted(tmp_path: Path) -> None:
    """They are named by their place in their file, which does not change."""
    with open_warehouse(tmp_path) as warehouse:
        add(warehouse, list(range(10)))
        add(warehouse, list(range(20, 25)))
        mark_deleted(warehouse, {3, 7, 22})
        make_old(warehouse)
    with open_warehouse(tmp_path) as warehouse:
        assert stored(warehouse) == [0, 1, 2, 4, 5, 6, 8, 9, 20, 21, 23, 24]
        warehouse.segments.rewrite_without_deleted()
        assert stored(warehouse) == [0, 1, 2, 4, 5, 6, 8, 9, 20, 21, 23, 24]
        # nobody knows the source of these events
        assert warehouse.con.execute("select distinct voice from events").fetchall() == [("reported",)]


def test_a_kill_while_a_home_learns_the_voices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is as it was, and learns them when it is opened the next time."""
    with open_warehouse(tmp_path) as warehouse:
        add(warehouse, [1, 2])
        add(warehouse, [3])
        make_old(warehouse)
    calls: list[int] = []

    def killed(events: Any) -> Any:
        calls.append(events.num_rows)
        if len(calls) == 2:
            raise RunError("killed")
        return with_voices(events)

    with_voices = migrations._with_voices
    monkeypatch.setattr(migrations, "_with_voices", killed)
    with pytest.raises(RunError, match="killed"), open_warehouse(tmp_path):
        pass
    monkeypatch.undo()
    with open_warehouse(tmp_path) as warehouse:
        assert stored(warehouse) == [1, 2, 3]
        assert len(list(warehouse.segments.folder.iterdir())) == 2
        assert warehouse.con.execute("from warehouse_schema").fetchall() == [(SCHEMA_VERSION,)]
