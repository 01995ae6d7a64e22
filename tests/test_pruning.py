"""A prune deletes what is older and leaves a tombstone; nobody is accused, and nobody told, because of it."""

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest
import ultravires
from conftest import SAMPLES, Shared
from findings_world import BOTH, NOON, World, new_world
from restoring import restored
from small_logs import RUNNER, WORKER, approval, assume, call, session, write_lines
from tables_compared import differences
from ultravires.alerting.findings import update_findings
from ultravires.errors import RunError, UsageError
from ultravires.runs.pruning import prune_and_run
from ultravires.runs.run import run_once
from ultravires.schema import SCHEMA_VERSION
from ultravires.store.conservation import broken_law, count_conserved
from ultravires.store.prune import Pruned, parse_date, prune
from ultravires.store.queries import transaction
from ultravires.store.warehouse import open_warehouse

NOW = datetime(2026, 11, 25, tzinfo=UTC)
TUESDAY = datetime(2026, 10, 6, tzinfo=UTC)
"""The day after the day of the small logs."""
DAY = 24 * 60
UNAPPROVED = "ultravires_unapproved_privileged_activity"


def rows(home: Path, query: str) -> list[tuple[Any, ...]]:
    with ultravires.open(home) as con:
        return con.execute(query).fetchall()


def alerts(home: Path) -> list[str]:
    path = home / "alerts.jsonl"
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def assert_conserved(home: Path) -> None:
    with open_warehouse(home) as warehouse:
        assert broken_law(count_conserved(warehouse.con)) is None
        uneven = (
            "select path from files where n_records <> n_events + n_duplicates + n_quarantined + n_ignored + n_pruned"
        )
        assert warehouse.con.execute(uneven).fetchall() == []
        misbooked = (
            "select file_id from files where n_events <> (select count(*) from events where file_id = files.file_id)"
        )
        assert warehouse.con.execute(misbooked).fetchall() == []


def prune_plainly(home: Path, before: datetime = TUESDAY, *, keep_in_force: bool = False) -> Pruned:
    return prune_and_run(home, before, config=None, keep_in_force=keep_in_force)[0]


def load_two_days(place: Path) -> None:
    """Monday and Tuesday: an approval a day, a runner that acts under none, records that nobody can read."""
    folder, runner = place / "logs", session(RUNNER, "ASIARUNNER")
    write_lines(folder / "approvals_1.jsonl", [approval("ODD", -1, status="escalated"), approval("MON", 0)])
    write_lines(
        folder / "approvals_2.jsonl", [approval("TUE", DAY + 60), approval("ODDER", DAY + 60, status="escalated")]
    )
    parameters = {"roleName": "other", "policyName": "p"}
    acts = [
        call(f"e{n}", minute, "iam:PutRolePolicy", runner, requestParameters=parameters, sourceIPAddress=address)
        for n, (minute, address) in enumerate(((600, "198.51.100.1"), (DAY + 10, "198.51.100.2")))
    ]
    write_lines(folder / "trail_1.json", acts[:1])
    write_lines(folder / "trail_2.json", acts)
    run_once(folder, place / "home", config=None, as_of="")


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return restored(tmp_path_factory.getbasetemp() / "pruning", load_two_days) / "home"


@pytest.fixture
def logs(home: Path) -> Path:
    return home.parent / "logs"


def test_what_is_older_is_gone_from_every_table(home: Path) -> None:
    """Events, raw, addresses, the quarantine of old files, and old findings with their alerts; newer ones stay."""
    assert rows(home, "select count(*) from quarantine") == [(2,)]
    pruned = prune_plainly(home)
    assert (pruned.n_events, pruned.n_quarantined, pruned.n_files, pruned.n_kept) == (2, 1, 2, 0)
    assert rows(home, "select min(event_at) >= '2026-10-06' from events") == [(True,)]
    assert rows(home, "select count(*) from events_raw") == rows(home, "select count(*) from events") == [(2,)]
    assert rows(home, "select approval_uid from approvals") == [("TUE",)]
    assert rows(home, "select count(*) from quarantine join files using (file_id) where path like '%_2.jsonl'") == [
        (1,)
    ]
    assert rows(
        home, "select count(*) from chain_steps where event_hour < '2026-10-06' and node_kind <> 'credential'"
    ) == [(0,)]
    with open_warehouse(home) as warehouse:
        known = warehouse.con.execute("select src_ip from address_networks").fetchall()
    assert known == [("198.51.100.2",)]
    assert_conserved(home)


def test_what_an_approval_that_nobody_can_read_may_excuse_stays_excused(home: Path, logs: Path) -> None:
    """It lies between Monday and Tuesday: it stays in quarantine, and Tuesday's act is not accused after the prune."""
    write_lines(logs / "approvals_1b.jsonl", [approval("MON2", 700), approval("ODD2", 701, status="escalated")])
    run_once(logs, home, config=None, as_of="")
    accused = f"select evidence_event_ids from findings where detector_id = '{UNAPPROVED}' and state = 'open'"
    before = rows(home, accused)
    doubt = "select gaps from chain_steps join events using (event_id) where native_id = 'e1'"
    assert rows(home, doubt) == [(["no approval: record unreadable"],)]
    assert prune_plainly(home).n_quarantined == 1
    assert rows(home, "select parse_filename(path) from unread_records order by path") == [
        ("approvals_1b.jsonl",),
        ("approvals_2.jsonl",),
    ]
    assert rows(home, doubt) == [(["no approval: record unreadable"],)]
    assert before and rows(home, accused) == []


def test_the_tombstone_says_what_went(home: Path) -> None:
    """From when, how much, by which software, and that the tables have followed."""
    pruned = prune_plainly(home)
    found = rows(
        home, "select before_at, n_events, n_quarantined, n_files, software, settled_at > pruned_at from tombstones"
    )
    assert found == [(TUESDAY, 2, 1, 2, f"ultravires {ultravires.__version__}", True)]
    assert "2 events of 2 files, 1 quarantined records" in pruned.sentence()


def test_a_pruned_file_is_not_read_again_and_a_late_record_stays_outside(home: Path, logs: Path) -> None:
    """A file delivered later with records from both sides of the tombstone: the older ones are counted as pruned."""
    prune_plainly(home)
    assert run_once(logs, home, config=None, as_of="").files == 0
    write_lines(logs / "approvals_3.jsonl", [approval("LATE", 5), approval("NEW", DAY + 5), approval("TUE", DAY + 60)])
    result = run_once(logs, home, config=None, as_of="")
    assert (result.events, result.duplicates) == (1, 1)
    assert rows(home, "select n_events, n_duplicates, n_pruned from files where path like '%_3.jsonl'") == [(1, 1, 1)]
    assert rows(home, "select approval_uid from approvals order by 1") == [("NEW",), ("TUE",)]
    assert_conserved(home)


def test_nobody_is_told_of_what_a_prune_took(home: Path, logs: Path) -> None:
    """The finding about Monday goes without a close, the one about both days stays open, and later runs say no more."""
    subjects = rows(home, "select finding_id from findings where last_at < '2026-10-06' and state = 'open'")
    told = alerts(home)
    assert subjects and told
    assert prune_plainly(home).n_findings == len(subjects)
    write_lines(logs / "approvals_3.jsonl", [approval("NEW", DAY + 5)])
    run_once(logs, home, config=None, as_of="")
    assert alerts(home) == told
    assert not {row[0] for row in rows(home, "select finding_id from findings")} & {row[0] for row in subjects}
    assert rows(home, "select distinct state from findings") == [("open",)]


def test_a_home_without_any_event_left_stands_and_takes_new_ones(home: Path, logs: Path) -> None:
    """The logs are not absent, the time that they had reached stands, and the next delivery is read."""
    as_of = rows(home, "select max(as_of) from runs")
    prune_plainly(home, NOW)
    assert rows(home, "select count(*) from events") == [(0,)]
    assert rows(home, "select max_by(as_of, started_at) from runs") == as_of
    assert rows(home, "select state from sources where log in ('approvals', 'aws_cloudtrail')") == [("complete",)] * 2
    assert_conserved(home)


def test_pruning_twice_prunes_once(home: Path) -> None:
    """A second prune of the same date finds nothing; an earlier date does not move the tombstone back."""
    prune_plainly(home)
    again = prune_plainly(home)
    assert (again.n_events, again.n_quarantined, again.n_findings) == (0, 0, 0)
    prune_plainly(home, datetime(2026, 1, 1, tzinfo=UTC))
    assert_conserved(home)


def standing_logs(folder: Path) -> None:
    """On Monday a worker gets approval and a session for three days, and acts on Monday and Tuesday."""
    worker = session(WORKER, "ASIAWORKER", source_identity="LONG")
    write_lines(
        folder / "approvals.jsonl", [approval("LONG", 0, valid_until="2026-12-31T00:00:00Z"), approval("X", DAY + 60)]
    )
    issued = assume("a1", 5, session(RUNNER, "ASIARUNNER"), "ASIAWORKER", sourceIdentity="LONG")
    issued["responseElements"]["credentials"]["expiration"] = "2026-10-08T08:00:00Z"
    parameters = {"roleName": "other", "policyName": "p"}
    acts = [
        call(f"p{n}", minute, "iam:PutRolePolicy", worker, requestParameters=parameters)
        for n, minute in enumerate((10, DAY + 10))
    ]
    write_lines(folder / "trail.json", [issued, *acts])


def test_an_act_whose_approval_was_pruned_is_not_accused(tmp_path: Path) -> None:
    """The approval is still in force and gone: no approval means nothing until it would have ended."""
    logs, home = tmp_path / "logs", tmp_path / "home"
    standing_logs(logs)
    run_once(logs, home, config=None, as_of="")
    told = alerts(home)
    pruned = prune_plainly(home)
    assert pruned.n_approvals_in_force == 1
    assert "1 approvals still in force went too" in pruned.sentence()
    fact = "select has_no_approval, gaps from step_facts where action = 'iam:PutRolePolicy'"
    assert rows(home, fact) == [(None, ["no approval: pruned"])]
    assert alerts(home) == told


def test_what_is_in_force_can_be_kept(tmp_path: Path) -> None:
    """The approval and the session's issue stay with what they rest on; facts about Tuesday are what they were."""
    logs, home = tmp_path / "logs", tmp_path / "home"
    standing_logs(logs)
    run_once(logs, home, config=None, as_of="")
    facts = "select * exclude (task_ended_at) from step_facts where step_at >= '2026-10-06' order by step_id"
    before = rows(home, facts)
    pruned = prune_plainly(home, keep_in_force=True)
    assert (pruned.n_events, pruned.n_kept, pruned.n_approvals_in_force) == (1, 2, 0)
    assert rows(home, facts) == before
    assert rows(home, "select native_id from events where event_at < '2026-10-06' and kind = 'activity'") == [("a1",)]
    assert_conserved(home)


MIDDLE = datetime(2026, 10, 11, 13, 30, tzinfo=UTC)
"""In the middle of an hour, of the samples and of much that was under way."""


@pytest.fixture(scope="module")
def pruned_samples(sample_home: Path, shared: Shared) -> Callable[[bool], Path]:
    """The home of the samples after a prune that keeps what is in force, or does not; tests only read it."""

    def build(folder: Path, keep_in_force: bool) -> None:
        shutil.copytree(sample_home, folder / "home")
        prune_and_run(folder / "home", MIDDLE, config=SAMPLES / "ultravires.yaml", keep_in_force=keep_in_force)

    def pruned(keep_in_force: bool) -> Path:
        name = "pruned-to-what-is-in-force" if keep_in_force else "pruned"
        return shared(name, partial(build, keep_in_force=keep_in_force)) / "home"

    return pruned


@pytest.mark.parametrize("keep_in_force", [pytest.param(False, marks=pytest.mark.stress), True])
def test_marts_follow_a_prune_as_if_they_were_built_anew(
    keep_in_force: bool, sample_home: Path, pruned_samples: Callable[[bool], Path], tmp_path: Path
) -> None:
    """Hours that the prune touched are rewritten: every table is what building it from the remaining events gives."""
    home, config, told = pruned_samples(keep_in_force), SAMPLES / "ultravires.yaml", alerts(sample_home)
    assert alerts(home) == told
    assert_conserved(home)
    anew = tmp_path / "anew"
    shutil.copytree(home, anew)
    with duckdb.connect(str(anew / "warehouse.duckdb")) as con:
        con.execute("delete from built_from")
        con.execute("update table_state set code_hash = '' where code_hash <> ''")
    run_once(SAMPLES, anew, config=config, as_of="")
    assert differences(anew, home) == []
    assert alerts(anew) == told


def test_keeping_what_is_in_force_changes_no_judgement_of_the_samples(
    sample_home: Path, pruned_samples: Callable[[bool], Path]
) -> None:
    """Every act after the date has the approval, the parents, the gaps and the facts that it had. Evidence of a key
    that nobody saw issued is its first use, of those that are left.
    """
    judged = "* exclude (task_ended_at, evidence_event_ids)"
    facts = f"select {judged} from step_facts where step_at >= '{MIDDLE.isoformat()}' order by step_id"
    before, after = rows(sample_home, facts), rows(pruned_samples(True), facts)
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert before
    assert changed == []


def test_no_act_of_the_samples_is_accused_because_of_a_prune(
    sample_home: Path, pruned_samples: Callable[[bool], Path]
) -> None:
    """Whatever is deleted: no fact turns from false or unknown to true for want of what was pruned."""
    names = ["has_no_approval", "has_no_decision", "is_denied_by_decision", "is_after_task_end", "is_confused_deputy"]
    facts = f"select step_id, {', '.join(names)} from step_facts where step_at >= '{MIDDLE.isoformat()}'"
    before = {step: values for step, *values in rows(sample_home, facts)}
    accused = [
        (step, name)
        for step, *values in rows(pruned_samples(False), facts)
        for name, old, new in zip(names, before[step], values, strict=True)
        if new and not old
    ]
    assert accused == []


def test_a_run_after_a_stopped_prune_settles_it_before_it_reads(home: Path, logs: Path) -> None:
    """The prune was committed and nothing else: the next run closes nothing, and still reads the new file."""
    told = alerts(home)
    with open_warehouse(home) as warehouse:
        prune(warehouse, TUESDAY, keep_in_force=False)
    write_lines(logs / "approvals_3.jsonl", [approval("NEW", DAY + 5)])
    result = run_once(logs, home, config=None, as_of="")
    assert result.events == 1
    assert alerts(home) == told
    assert rows(home, "select count(*) from tombstones where settled_at is null") == [(0,)]
    assert_conserved(home)


def test_a_failure_in_the_middle_leaves_everything(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One transaction: events, quarantine, manifest and tombstone, or none of them."""
    monkeypatch.setattr("ultravires.store.prune._leave_tombstone", lambda *arguments: 1 / 0)
    with open_warehouse(home) as warehouse, pytest.raises(ZeroDivisionError):
        prune(warehouse, TUESDAY, keep_in_force=False)
    with open_warehouse(home) as warehouse:
        counts = (
            "select (select count(*) from events), (select count(*) from quarantine), (select count(*) from tombstones)"
        )
        assert warehouse.con.execute(counts).fetchall() == [(4, 2, 0)]
    assert_conserved(home)


def test_the_space_is_given_back(tmp_path: Path) -> None:
    """The file without its free blocks holds the same rows, zstd and all, under the same name."""
    with open_warehouse(tmp_path) as warehouse:
        con = warehouse.con
        con.execute(
            "create table ballast as select md5(i::varchar) as x, md5((i * 7)::varchar) as y from range(400000) t(i)"
        )
        con.execute("checkpoint")
        con.execute("delete from ballast where x > '1'")
        con.execute("checkpoint")
        size = warehouse.size()
        ddl = con.execute("select sql from duckdb_tables() order by table_name").fetchall()
        left = con.execute("select count(*), min(x) from ballast").fetchall()
        warehouse.compact()
        assert warehouse.size() < size / 2
        assert warehouse.con.execute("select count(*), min(x) from ballast").fetchall() == left
        assert warehouse.con.execute("select sql from duckdb_tables() order by table_name").fetchall() == ddl
    assert not (tmp_path / "warehouse.fresh").exists()
    assert (tmp_path / "warehouse.duckdb").stat().st_mode & 0o077 == 0


def test_a_home_of_an_earlier_schema_is_brought_up(home: Path) -> None:
    """It gets what a prune needs, its events go from the table they were into files, and its counts still hold."""
    every_event = "select * from events order by event_id"
    with open_warehouse(home) as warehouse:
        con = warehouse.con
        before = con.execute(every_event).fetchall()
        con.execute("create table stored as from events; drop view events; alter table stored rename to events")
        con.execute("delete from event_segments; update warehouse_schema set version = 1")
        con.execute("alter table files drop column n_pruned")
    shutil.rmtree(home / "events")
    for _ in range(2):
        with open_warehouse(home) as warehouse:
            assert warehouse.con.execute(every_event).fetchall() == before
            assert warehouse.con.execute("select distinct n_pruned from files").fetchall() == [(0,)]
            assert warehouse.con.execute("from warehouse_schema").fetchall() == [(SCHEMA_VERSION,)]
            assert broken_law(count_conserved(warehouse.con)) is None
            assert len(list((home / "events").iterdir())) == 1


def test_the_ids_of_a_home_of_the_third_schema_get_their_hours(home: Path) -> None:
    """By its segments; where one is missing that is said, and nothing is changed."""
    ids = "select * from event_ids order by all"
    with open_warehouse(home) as warehouse:
        before = warehouse.con.execute(ids).fetchall()
        assert len(before) == 4
        warehouse.con.execute("alter table event_ids drop column event_hour")
        warehouse.con.execute("update warehouse_schema set version = 3")
    (segment,) = (home / "events").iterdir()
    aside = segment.rename(home / "aside")
    with pytest.raises(RunError, match=f"{segment.name} is missing"), open_warehouse(home):
        pass
    aside.rename(segment)
    for _ in range(2):
        with open_warehouse(home) as warehouse:
            assert warehouse.con.execute(ids).fetchall() == before
            assert warehouse.con.execute("from warehouse_schema").fetchall() == [(SCHEMA_VERSION,)]


def test_a_home_of_an_earlier_schema_without_events_is_brought_up(tmp_path: Path) -> None:
    """It was made, and nothing was loaded into it."""
    with open_warehouse(tmp_path) as warehouse:
        warehouse.con.execute(
            "create table stored as from events; drop view events; alter table stored rename to events"
        )
        warehouse.con.execute("update warehouse_schema set version = 2")
    with open_warehouse(tmp_path) as warehouse:
        assert warehouse.con.execute("select count(*) from events").fetchall() == [(0,)]


@pytest.mark.parametrize(
    ("text", "moment"),
    [("2026-10-06", TUESDAY), ("2026-10-06T02:00:00+02:00", TUESDAY), ("2026-10-06T00:00:00Z", TUESDAY)],
)
def test_a_date_is_its_begin_in_utc_and_a_time_says_its_zone(text: str, moment: datetime) -> None:
    """Both are ISO 8601."""
    assert parse_date(text, now=NOW) == moment


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("last week", "not a date, such as 2026-10-01"),
        ("2026-10-06T00:00:00", "say the time zone"),
        ("2026-12-24", "lies in the future"),
    ],
)
def test_any_other_date_is_refused_with_one_line(text: str, words: str) -> None:
    """What comes after now would be turned away at the door for good."""
    with pytest.raises(UsageError, match=words):
        parse_date(text, now=NOW)


def test_a_home_that_never_ran_has_nothing_to_prune(tmp_path: Path) -> None:
    """It says so and makes no warehouse."""
    with pytest.raises(UsageError, match="nothing is published"):
        prune_plainly(tmp_path / "none")
    assert not (tmp_path / "none").exists()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with new_world(tmp_path / "home") as world:
        world.detector("key_made")
        world.con.execute("insert into tombstones(before_at, pruned_at) values (?, now())", [NOON])
        yield world


def settle(world: World) -> None:
    world.group()
    with transaction(world.con):
        update_findings(world.con, "prune", sinks=BOTH, is_settling=True)


def test_a_finding_that_lost_part_of_its_evidence_keeps_its_facts_and_is_not_closed(world: World) -> None:
    """It is pruned, not withdrawn, then and later; when its hit returns it is open, and nobody is told again."""
    world.hit("key_made", "AKIA1", [world.event("e1")])
    world.update()
    before = world.one("from findings")
    world.con.execute("delete from hits")
    settle(world)
    for _ in range(2):
        assert world.one("from findings") == before | {"state": "pruned"}
        assert world.update()["alerts"] == 0
    world.hit("key_made", "AKIA1", ["e1"])
    assert world.update()["alerts"] == 0
    assert world.one("select state from findings") == {"state": "open"}
    assert [world.told(sink) for sink in BOTH] == [[1], [1]]


def test_a_finding_that_appears_only_because_of_a_prune_is_historic_until_it_gets_new_evidence(world: World) -> None:
    """It goes to the alerts file alone; an act that comes later is news."""
    world.hit("key_made", "AKIA1", [world.event("e1")])
    settle(world)
    world.update()
    assert world.one("select is_historic from findings") == {"is_historic": True}
    assert [world.told(sink) for sink in BOTH] == [[1], []]
    world.hit("key_made", "AKIA1", [world.event("e2", AFTERNOON)], at=AFTERNOON)
    world.update()
    assert [world.told(sink) for sink in BOTH] == [[1], [1]]


def test_what_others_told_of_before_a_prune_took_them_is_not_sent(world: World) -> None:
    """One act, of which the more severe finding told; when that is gone, the other stands, and nothing is news."""
    world.detector("power_given", severity="high")
    world.hit("key_made", "AKIA1", [world.event("e1")], acts=["e1"])
    world.hit("power_given", "arn:role/bot", ["e1"], acts=["e1"], kind="actor")
    world.update()
    assert sorted(row["n"] for row in world.rows("select len(told_by) as n from findings")) == [0, 1]
    assert len(world.rows("from alerts")) == len(BOTH)
    world.con.execute("delete from hits where detector_id = 'power_given'")
    settle(world)
    assert world.rows("select sink from alerts where state = 'covered' order by all") == [
        {"sink": sink} for sink in BOTH
    ]
    for _ in range(2):
        assert world.update()["alerts"] == 0
    world.hit("key_made", "AKIA1", [world.event("e2", AFTERNOON)], at=AFTERNOON, acts=["e2"], severity="critical")
    assert world.update()["alerts"] == len(BOTH)


AFTERNOON = NOON.replace(hour=14)


def test_an_alert_that_a_sink_has_not_taken_outlives_its_finding(world: World) -> None:
    """What was sent long ago goes with the finding, what is owed stays until a later prune."""
    world.hit("key_made", "AKIA1", [world.event("e1", NOON.replace(hour=1))], at=NOON.replace(hour=1))
    world.update()
    world.con.execute("update alerts set state = 'sent', sent_at = now() - interval 2 hour where sink = 'splunk_hec'")
    world.con.execute("delete from hits")
    settle(world)
    assert world.rows("from findings") == []
    assert world.rows("select sink, state from alerts") == [{"sink": BOTH[0], "state": "pending"}]
    assert json.loads(world.one("select body from alerts")["body"])
