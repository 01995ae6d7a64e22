"""Each source's sample is part of a chain that crosses into another log.

Where the samples of two sources do not meet by themselves, crossing.jsonl beside the sample holds the record of another
log that the sample joins: an approval, a policy engine's answer, or what the cloud recorded.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from source_samples import SAMPLES, SOURCE_SAMPLES, claimed_by, sample_file, source
from ultravires.errors import UsageError
from ultravires.runs.run import run_once
from ultravires.store.snapshot import open_published
from ultravires.tracing.search import find_nodes

NAMES = sorted(SAMPLES)
SNAPSHOTS = [name for name in NAMES if source(name).evidence_kinds == ("inventory",)]
"""They say who holds what, and nobody acts in them."""


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """All samples, with what they cross into, in one home."""
    folder = tmp_path_factory.mktemp("crossings")
    logs = folder / "logs"
    logs.mkdir()
    for name in NAMES:
        for path in (sample_file(name), *_crossing(name)):
            shutil.copy(path, logs / f"{name}.{path.name}")
    run_once(logs, folder / "home", config=None, as_of="")
    with open_published(folder / "home") as con:
        yield con


def _crossing(name: str) -> list[Path]:
    return sorted((SOURCE_SAMPLES / name).glob("crossing.*"))


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_whom_a_snapshot_names_acts_in_another_log(name: str, published: duckdb.DuckDBPyConnection) -> None:
    """Holders are named as `actor_uid` names them, else what they hold is of nobody who does anything."""
    known = published.execute(
        """
        with holders as (
            select distinct unnest(json_extract_string(detail, '$.grants[*].holder')) as holder
            from events where log = $log
        )
        select holder from holders where holder in (select actor_uid from events where log <> $log)
        """,
        {"log": name},
    ).fetchall()
    assert known


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_a_snapshot_is_no_node_and_nobodys_act(name: str, published: duckdb.DuckDBPyConnection) -> None:
    """Who is listed has done nothing: no chain, link, identity or hour of activity comes of it."""
    (n_events,) = published.execute("select count(*) from events where log = ?", [name]).fetchone() or (0,)
    (n_steps,) = published.execute("select count(*) from chain_steps where log = ?", [name]).fetchone() or (1,)
    (n_seen,) = published.execute(
        "select count(*) from identities where list_contains(logs, ?)", [name]
    ).fetchone() or (1,)
    assert (n_events > 0, n_steps, n_seen) == (True, 0, 0)
    (event_id, native_id) = published.execute(
        "select event_id, native_id from events where log = ?", [name]
    ).fetchone() or ("", "")
    for any_id in (event_id, native_id):
        with pytest.raises(UsageError, match="nothing here has the id"):
            find_nodes(published, any_id)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in SNAPSHOTS])
def test_a_sample_is_linked_to_another_log(name: str, published: duckdb.DuckDBPyConnection) -> None:
    """A link leads from one of its nodes to a node of another log, or from there to one of its own."""
    crossing = published.execute(
        """
        select distinct child.log, parent.log, links.kind, links.method
        from links
        join chain_steps as child on child.step_id = links.child_id
        join chain_steps as parent on parent.step_id = links.parent_id
        where child.log <> parent.log and $log in (child.log, parent.log)
        """,
        {"log": name},
    ).fetchall()
    assert crossing


@pytest.mark.parametrize("path", sorted(SOURCE_SAMPLES.glob("*/crossing.*")), ids=lambda path: path.parent.name)
def test_what_a_sample_crosses_into_is_of_another_log(path: Path) -> None:
    """One source recognises it, and not the one beside whose sample it lies."""
    (claimed,) = claimed_by(path.read_bytes())
    assert claimed != path.parent.name
