"""A run whose counts do not add up fails before anything is built on it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from restoring import restored
from small_logs import approval, write_lines
from ultravires.errors import RunError
from ultravires.runs.run import run_once
from ultravires.store.conservation import broken_law, count_conserved


def load_three_records(place: Path) -> None:
    """Two events and one record in quarantine."""
    records = [approval("APR-1", 0), approval("APR-2", 1), approval("APR-3", 2, status="escalated")]
    write_lines(place / "logs" / "approvals.jsonl", records)
    run_once(place / "logs", place / "home", config=None, as_of="")


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return restored(tmp_path_factory.getbasetemp() / "conserved", load_three_records) / "home"


def give_a_segment_twice(home: Path) -> str:
    """A copy of the file, and what lets it count."""
    (segment,) = (home / "events").iterdir()
    shutil.copy(segment, segment.with_name("again.parquet"))
    return "insert into event_segments select 'again.parquet', * exclude (segment) from event_segments"


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (
            "insert into deleted_rows select segment, 1 from event_segments",
            "2 events are stored and the manifest says 3",
        ),
        (give_a_segment_twice, "5 events are stored and the manifest says 3"),
        ("delete from quarantine", "0 records are in quarantine and the manifest says 1"),
        ("update files set n_records = 5", "2 records were read and became nothing"),
    ],
)
def test_a_run_over_counts_that_do_not_add_up_fails_and_builds_nothing(
    home: Path, damage: str | Callable[[Path], str], words: str
) -> None:
    """One line that says which count is off; readers keep the snapshot from before."""
    published = (home / "published" / "CURRENT").read_bytes()
    write_lines(home.parent / "logs" / "more.jsonl", [approval("APR-9", 5)])
    with duckdb.connect(str(home / "warehouse.duckdb")) as con:
        con.execute(damage if isinstance(damage, str) else damage(home))
    with pytest.raises(RunError, match=words) as caught:
        run_once(home.parent / "logs", home, config=None, as_of="")
    assert "\n" not in str(caught.value)
    assert (home / "published" / "CURRENT").read_bytes() == published
    with duckdb.connect(str(home / "warehouse.duckdb")) as con:
        built = con.execute("select approval_uid from stg_approvals order by all").fetchall()
    assert built == [("APR-1",), ("APR-2",)]


def test_the_law_holds_after_a_run(home: Path) -> None:
    """Two stored, one in quarantine, none lost."""
    with duckdb.connect(str(home / "warehouse.duckdb")) as con:
        counts = count_conserved(con)
    assert counts == {"stored": 2, "noted": 2, "in_quarantine": 1, "noted_in_quarantine": 1, "lost": 0, "silent": 0}
    assert broken_law(counts) is None
