"""What is in quarantine can be looked at safely, and read again after an upgrade without losing count."""

import io
import json
from pathlib import Path

import duckdb
import pytest
from restoring import restored
from rich.console import Console
from small_logs import approval
from ultravires import registry
from ultravires.errors import UsageError
from ultravires.reading.events import Event, NotParsed
from ultravires.reading.options import Options
from ultravires.reading.splitting import KEPT_BYTES
from ultravires.runs.retrying import retry_and_run
from ultravires.runs.run import run_once
from ultravires.store.quarantine import draw, look, safe_beginning
from ultravires.store.snapshot import open_published

CONSERVED = """
select sum(n_records) = sum(n_events + n_duplicates + n_quarantined + n_ignored + n_pruned)
    and sum(n_events) = (select count(*) from events) and sum(n_quarantined) = (select count(*) from quarantine)
from files
"""


def load_refused_records(place: Path) -> None:
    """Two good approvals, one of them twice, one of an unknown status, broken JSON, one too long to be kept."""
    folder = place / "logs"
    folder.mkdir()
    lines = [
        json.dumps(approval("APR-1", 0)),
        json.dumps(approval("APR-2", 1, status="escalated")),
        '{"approval_id": "\x1b[2J\u202egnp.exe", "status": ',
        json.dumps(approval("APR-3", 2, status="escalated", task="x" * KEPT_BYTES)),
        json.dumps(approval("APR-2", 1)),
        json.dumps(approval("APR-4", 4, status="escalated")),
    ]
    (folder / "approvals.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    run_once(folder, place / "home", config=None, as_of="")


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return restored(tmp_path_factory.getbasetemp() / "quarantined", load_refused_records) / "home"


def upgrade(monkeypatch: pytest.MonkeyPatch, *, refused: str = "") -> None:
    """From now on the reader knows the status `escalated` as approved, but for the approval `refused`."""
    source = registry.sources()["approvals"]
    old = source.events

    def events(record: dict[str, object], options: Options) -> tuple[Event, ...]:
        if record.get("approval_id") == refused:
            raise NotParsed("still not known")
        is_new = record.get("status") == "escalated"
        return tuple(old({**record, "status": "approved"} if is_new else record, options))

    upgraded = type(source)(**{**vars(source), "events": events})
    monkeypatch.setattr(registry, "sources", lambda: {"approvals": upgraded})


def rows(home: Path, query: str) -> list[tuple[object, ...]]:
    with open_published(home) as con:
        return con.execute(query).fetchall()


def test_quarantine_is_shown_by_reason_with_file_record_and_bytes(home: Path) -> None:
    """The largest group first; only the asked number of examples."""
    with open_published(home) as con:
        found = look(con, examples=1)
    assert [group.n_records for group in found.groups] == [3, 1]
    (first,) = found.groups[0].records
    assert first.path.endswith("approvals.jsonl")
    assert (first.record_no, found.groups[0].log) == (2, "approvals")
    assert first.byte_offset == len(json.dumps(approval("APR-1", 0))) + 1
    assert first.beginning.startswith('{"approval_id":"APR-2"')


def test_nothing_in_a_refused_record_reaches_the_terminal(home: Path) -> None:
    """Escape sequences and characters that turn text around are written out."""
    with open_published(home) as con:
        found = look(con, examples=5)
    out = io.StringIO()
    draw(found, Console(file=out, width=200))
    assert "\x1b" not in out.getvalue()
    assert "\u202e" not in out.getvalue() + json.dumps(found.as_dict(), ensure_ascii=False)
    assert "\\x1b[2J\\u202egnp.exe" in out.getvalue()
    assert safe_beginning(b"\xff\x00a") == "\\xff\\x00a"


def test_what_parses_now_becomes_events_with_the_same_provenance(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One was delivered again since and is a duplicate; broken and cut-off records stay."""
    upgrade(monkeypatch)
    retried, _ = retry_and_run(home, config=None)
    assert retried.as_dict() == {
        "n_events": 1, "n_duplicates": 1, "n_ignored": 0, "n_pruned": 0, "n_staying": 2, "n_cut_off": 1
    }  # fmt: skip
    assert rows(home, "select record_no from quarantine order by 1") == [(3,), (4,)]
    assert rows(home, "select record_no from events where approval_uid = 'APR-4'") == [(6,)]
    assert rows(home, CONSERVED) == [(True,)]


def test_a_record_that_still_does_not_parse_stays_as_it_was(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its first reason; a later record keeps its own number."""
    before = rows(home, "select * from quarantine where record_no = 2")
    upgrade(monkeypatch, refused="APR-2")
    retried, _ = retry_and_run(home, config=None)
    assert (retried.n_events, retried.n_staying) == (1, 3)
    assert rows(home, "select * from quarantine where record_no = 2") == before
    assert rows(home, CONSERVED) == [(True,)]


def test_retrying_twice_changes_nothing_more(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second finds only what still cannot be read."""
    upgrade(monkeypatch)
    retry_and_run(home, config=None)
    again, result = retry_and_run(home, config=None)
    assert (again.n_events, again.n_duplicates, again.n_staying) == (0, 0, 2)
    assert result.events == 0


def test_a_failure_in_the_middle_leaves_everything_in_quarantine(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One transaction: neither events nor manifest moved."""
    upgrade(monkeypatch)
    monkeypatch.setattr("ultravires.runs.retry_quarantine._move_in_manifest", lambda home, file: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        retry_and_run(home, config=None)
    with duckdb.connect(str(home / "warehouse.duckdb")) as con:
        assert con.execute(CONSERVED).fetchall() == [(True,)]
        assert con.execute("select count(*) from quarantine").fetchall() == [(4,)]


def test_a_home_that_never_ran_has_nothing_to_retry(tmp_path: Path) -> None:
    """It says so and makes no warehouse."""
    with pytest.raises(UsageError, match="nothing is published"):
        retry_and_run(tmp_path / "none", config=None)
    assert not (tmp_path / "none").exists()
