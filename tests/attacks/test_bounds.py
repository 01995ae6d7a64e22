"""What the writer of a log wants here: a build that takes so long, or so much memory, that no alert is sent."""

import io
import re
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hostile_worlds import WORLDS as OF_LINKS
from hostile_worlds import act, approval, approvals_of_one_window, decision, role_hops, spans_of_one_trace
from hostile_worlds_of_power import WORLDS as OF_POWER
from source_samples import SAMPLES
from sql_cases import build_all, prepare
from sql_world import AS_OF, Event, as_events
from ultravires.build.duckdb_engine import DuckDBEngine
from ultravires.reading.input_file import InputFile, read_file
from ultravires.reading.locations import local_file
from ultravires.reading.options import Options
from ultravires.registry import sources
from ultravires.settings import Settings
from ultravires.store.deduplicate import store_events
from ultravires.store.warehouse import open_warehouse

WORLDS = {**OF_LINKS, **OF_POWER}
MOST_MEGABYTES = 500
PEAK, RESET_PEAK = Path("/proc/self/status"), Path("/proc/self/clear_refs")
SECONDS = 10
"""CPU seconds of all tables together; each of these worlds takes one to four on one core."""
MORE = {
    "uses_of_one_credential": 100_000,
    "names_never_seen": 50_000,
    "role_hops": 30_000,
    "circle_of_hops": 30_000,
    "approvals_of_one_window": 20_000,
    "resources_of_one_act": 5_000,
    "patterns_of_one_approval": 5_000,
}
"""Worlds that are written larger, or smaller, than the others under `make stress`."""


@contextmanager
def built(home: Path, events: list[Event]) -> Iterator[tuple[DuckDBEngine, float]]:
    """All tables of these events, and the CPU seconds that they took. Nothing may be written to a disk beside them, and
    the process may not grow beyond its bound, as DuckDB does not count all that its queries hold.
    """
    with open_warehouse(home) as warehouse:
        engine = prepare(warehouse, AS_OF)
        with warehouse.transaction():
            store_events(engine, Settings(), as_events(events))
        engine.con.execute(f"set memory_limit = '{MOST_MEGABYTES}MB'")
        engine.con.execute("set max_temp_directory_size = '0KB'")
        before, started = peak_megabytes(anew=True), time.process_time()
        build_all(engine)
        seconds = time.process_time() - started
        assert peak_megabytes() - before < MOST_MEGABYTES
        yield engine, seconds


def peak_megabytes(*, anew: bool = False) -> int:
    """The most that this process has held at once, since it was asked to begin `anew`; 0 where no system says it."""
    if not PEAK.exists():
        return 0
    if anew:
        RESET_PEAK.write_text("5", encoding="utf-8")
    found = re.search(r"VmHWM:\s+(\d+) kB", PEAK.read_text(encoding="utf-8"))
    return int(found[1]) >> 10 if found else 0


def rows(engine: DuckDBEngine, query: str) -> list[tuple[Any, ...]]:
    return engine.con.execute(query).fetchall()


@pytest.mark.parametrize("name", WORLDS)
def test_no_world_stops_the_build(name: str, tmp_path: Path) -> None:
    """2,000 events that all fit one another are built in a second or two, and every node stands in a chain."""
    with built(tmp_path / "home", WORLDS[name](2_000)) as (engine, seconds):
        assert seconds < SECONDS
        assert rows(engine, "select count(*) from chain_steps") == rows(engine, "select count(*) from int_nodes")
        ((n_links, n_keys),) = rows(engine, "select (select count(*) from links), (select count(*) from stg_keys)")
        assert n_links <= 50 * (2_000 + n_keys)


@pytest.mark.stress
@pytest.mark.parametrize("name", WORLDS)
def test_ten_thousand_events_that_all_fit_are_built(name: str, tmp_path: Path) -> None:
    """What costs n * n when each is joined with each: 10,000 events, and 100,000 uses of one credential."""
    with built(tmp_path / "home", WORLDS[name](MORE.get(name, 10_000))) as (_, seconds):
        assert seconds < SECONDS


def test_hops_without_end_do_not_stop_the_product(tmp_path: Path) -> None:
    """6,000 roles taken one from another are one chain that says how long it is."""
    with built(tmp_path / "home", role_hops(6_000)) as (engine, seconds):
        assert seconds < SECONDS
        assert rows(engine, "select max(max_hops) from chains") == [(6_001,)]


def test_a_circle_of_thousands_is_cut_once(tmp_path: Path) -> None:
    """3,000 credentials that issued each other, and 3,000 below them: one cut, at the least, and one chain."""
    with built(tmp_path / "home", WORLDS["circle_of_hops"](6_000)) as (engine, seconds):
        assert seconds < SECONDS
        assert rows(engine, "select node_id, spine from int_cycles") == [("credential:ASIA000000", "authority")]
        assert rows(engine, "select step_id from chain_steps where list_contains(gaps, 'cycle')") == [
            ("credential:ASIA000000",)
        ]


def test_who_stands_too_deep_says_so(tmp_path: Path) -> None:
    """Nobody climbs more than 10,000 hops; what stands deeper is a root of its own, with a gap."""
    with built(tmp_path / "home", role_hops(10_100)) as (engine, seconds):
        assert seconds < SECONDS
        deep = "select count(*) from chain_steps where list_contains(gaps, 'too deep') and root_id = step_id"
        assert rows(engine, f"{deep} and node_kind = 'credential'") == [(100,)]
        assert rows(engine, "select max(depth) from int_paths where starts_with(node_id, 'credential:')") == [(10_000,)]


def test_three_thousand_spans_of_one_trace_are_not_nine_million_pairs(tmp_path: Path) -> None:
    """6,000 events of one trace: each act keeps its twenty nearest calls and says how many more there were."""
    with built(tmp_path / "home", spans_of_one_trace(6_000)) as (engine, seconds):
        assert seconds < SECONDS
        per_act = "select distinct count(*) from links where kind = 'activity>tool_call' group by child_id"
        assert rows(engine, per_act) == [(20,)]
        assert rows(engine, "select distinct n_candidates from links where kind = 'activity>tool_call'") == [(3_000,)]
        told = "select count(*) from chain_steps where list_contains(gaps, 'candidates left out: 2980')"
        assert rows(engine, told) == [(3_000,)]
        assert rows(engine, "select max(len(gaps)) from chains")[0][0] <= 6


def test_approvals_that_all_fit_are_not_all_joined(tmp_path: Path) -> None:
    """5,000 approvals of one window and 5,000 acts in it: twenty candidates each, none of which is proof."""
    with built(tmp_path / "home", approvals_of_one_window(10_000)) as (engine, seconds):
        assert seconds < SECONDS
        shown = """
            select distinct count(*), max(n_candidates), max(confidence) < 0.01
            from links where kind = 'activity>approval' group by child_id
        """
        assert rows(engine, shown) == [(20, 5_000, True)]
        assert rows(
            engine, "select count(*) from chain_steps where list_contains(gaps, 'candidates left out: 4980')"
        ) == [(5_000,)]
        assert rows(engine, "select count(*) from chain_steps where is_accounted and node_kind = 'activity'") == [(0,)]


def test_acts_beyond_an_approval_do_not_each_carry_all_resources(tmp_path: Path) -> None:
    """One action on 20,000 resources under one approval: one row of drift that names them, made of one each."""
    with built(tmp_path / "home", OF_POWER["acts_beyond_one_approval"](20_000)) as (engine, seconds):
        assert seconds < SECONDS
        told = "select n_events, len(resource_uids), len(evidence_event_ids) from drift where kind = 'overreach'"
        assert rows(engine, told) == [(20_000, 20_000, 100)]


def test_rights_and_denied_acts_are_not_all_pairs(tmp_path: Path) -> None:
    """3,000 denied acts, 3,000 rights to itself and the acts done: each act has the twenty rights just before it."""
    with built(tmp_path / "home", OF_POWER["rights_given_to_itself"](9_000)) as (engine, seconds):
        assert seconds < SECONDS
        of_acts = "select distinct count(*) from denied_then_allowed group by action"
        assert rows(engine, of_acts) == [(20,)]


@pytest.mark.parametrize("n", [50, 1_000])
def test_what_states_its_approval_has_no_links_to_all_that_fit(n: int, tmp_path: Path) -> None:
    """However many approvals fit an act, it has the one link to that which it carries, and says how many fitted."""
    carried = [act(i, keys=[{"kind": "source_identity", "value": f"A{i}", "role": "carries"}]) for i in range(n)]
    with built(tmp_path / "home", [*(approval(i, f"A{i}") for i in range(n)), *carried]) as (engine, seconds):
        assert seconds < SECONDS
        kept = "select count(*), min(method), min(n_weaker), max(n_weaker) from links where spine is not null"
        assert rows(engine, kept) == [(n, "carried", n, n)]
        assert rows(engine, "select distinct accounted_by from chain_steps where node_kind = 'activity'") == [
            ("carried",)
        ]
        left_out = "select max(n_left_out) from int_approvals__in_window"
        assert rows(engine, left_out) == [(n - 20,)]
        told = f"select count(*) from chain_steps where list_contains(gaps, 'candidates left out: {n - 20}')"
        assert rows(engine, told) == [(n,)]


def test_no_flood_of_answers_hides_the_one_that_denied(tmp_path: Path) -> None:
    """10,000 allows for one call, and the deny that came last of all is still among those that count."""
    events = WORLDS["decisions_of_one_call"](10_000)
    denied = decision(99_999, events[-1]["keys"][1:]) | {"detail": {"result": "deny"}, "event_at": AS_OF}
    with built(tmp_path / "home", [*events, denied]) as (engine, seconds):
        assert seconds < SECONDS
        kept = """
            select count(*), max(n_candidates), bool_or(parent_id = 'decision:D99999')
            from links where kind = 'tool_call>decision'
        """
        assert rows(engine, kept) == [(20, 10_000, True)]


@pytest.mark.parametrize(
    "name", ["spans_of_one_trace", "approvals_of_one_ticket", "tokens_of_one_bearer", "sessions_of_one_name"]
)
def test_which_candidates_are_kept_does_not_depend_on_arrival(name: str, tmp_path: Path) -> None:
    """The same events stored in the opposite order give the same links."""
    events = [event | {"event_id": f"{number:032x}"} for number, event in enumerate(WORLDS[name](300))]
    links = []
    for folder, order in (("one", events), ("other", events[::-1])):
        with built(tmp_path / folder, order) as (engine, _):
            links.append(rows(engine, "from links order by all"))
    assert links[0] == links[1]
    assert any(link[9] > 20 for link in links[0])


def test_one_honest_act_beside_a_flood_keeps_its_approval(tmp_path: Path) -> None:
    """Whoever else is flooded: the joins of another session, ticket and identity are those that they were."""
    events = WORLDS["approvals_of_one_ticket"](2_000)
    own = act(1, credential_uid="ASIAOWN", keys=[{"kind": "source_identity", "value": "OWN", "role": "carries"}])
    with built(tmp_path / "home", [*events, approval(99_999, "OWN"), own]) as (engine, _):
        link = "select parent_id, confidence from links where child_id = 'credential:ASIAOWN' and is_primary"
        assert rows(engine, link) == [("approval:OWN", 0.8)]


def read(path: Path) -> InputFile:
    *_, file = read_file(local_file(path), tuple(sources().values()), Options(hash_key=b"key", max_file_bytes=16 << 20))
    return file


@pytest.mark.parametrize("beginning", ["a log", "nothing known"])
def test_a_hole_of_a_terabyte_is_not_hashed(beginning: str, tmp_path: Path) -> None:
    """A file of a terabyte that takes no room is read up to the limit, and not to its end for its hash."""
    path = tmp_path / "sparse.jsonl"
    path.write_bytes(SAMPLES["opa_decisions"].rstrip() + b"\n" if beginning == "a log" else b"hello\n")
    with path.open("ab") as file:
        file.truncate(1 << 40)
    started = time.process_time()
    found = read(path)
    assert time.process_time() - started < SECONDS
    assert found.sha256 is None
    assert found.emitted == (3 if beginning == "a log" else 0)


def test_nothing_behind_the_end_of_a_tar_is_read_without_end(tmp_path: Path) -> None:
    """The same hole behind the end of an archive: its members are read, and the rest is told."""
    path = tmp_path / "logs.tar"
    data = SAMPLES["opa_decisions"]
    with tarfile.open(path, "w") as archive:
        member = tarfile.TarInfo("opa.jsonl")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    with path.open("ab") as file:
        file.truncate(1 << 40)
    started = time.process_time()
    found = read(path)
    assert time.process_time() - started < SECONDS
    assert (found.state, found.is_damaged, found.sha256) == ("archive", True, None)
    assert found.message == f"more than {16 << 20} empty bytes after the end of the tar"
