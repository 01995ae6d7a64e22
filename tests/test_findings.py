"""Findings keep their names over time, and every change is told exactly where it should be."""

import hashlib
import json
import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
from findings_world import AS_OF, BOTH, LONG_AGO, NOON, World, new_world
from ultravires.alerting.findings import create_findings_tables, update_findings
from ultravires.alerting.sink import ALERTS_FILE
from ultravires.store.queries import transaction


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with new_world(tmp_path / "home") as world:
        world.detector("key_made")
        yield world


def simple_hit(world: World, **columns: object) -> None:
    world.event("e1")
    world.hit("key_made", "AKIA1", ["e1"], **columns)


def test_a_first_hit_opens_revision_one_and_is_told_to_every_sink(world: World) -> None:
    """A new finding is open at revision 1, with one create alert for each sink."""
    simple_hit(world)
    counts = world.update()
    assert counts == {"open": 1, "opened": 1, "updated": 0, "withdrawn": 0, "reopened": 0, "alerts": 2}
    row = world.one("from findings")
    assert (row["state"], row["revision"], row["severity"]) == ("open", 1, "medium")
    assert row["evidence_event_ids"] == ["e1"] and row["n_evidence"] == 1
    assert sum(json.loads(row["risk_parts"]).values()) == row["risk_score"]
    assert [world.told(sink) for sink in BOTH] == [[1], [1]]


def test_the_name_of_a_finding_follows_the_contract(world: World) -> None:
    """finding_id is a hash of detector, subject and slot, and of nothing that may change later."""
    simple_hit(world, slot="2026-11-20")
    world.update()
    text = "\x1f".join(["key_made", "credential", "AKIA1", "2026-11-20"])
    assert world.one("from findings")["finding_id"] == "fi_" + hashlib.sha256(text.encode()).hexdigest()[:24]


def test_the_alert_id_is_a_hash_of_finding_revision_and_facts(world: World) -> None:
    """alert_id is the same for every sink and for every attempt at the same revision."""
    simple_hit(world)
    world.update()
    finding = world.one("from findings")
    text = "\x1f".join([finding["finding_id"], "1", finding["facts_hash"]])
    ids = {row["alert_id"] for row in world.rows("select alert_id from alerts")}
    assert ids == {hashlib.sha256(text.encode()).hexdigest()}


def test_a_second_run_without_news_changes_nothing(world: World) -> None:
    """Running again on the same hits keeps revisions and queues no alert."""
    simple_hit(world)
    world.update()
    before = world.rows("from findings")
    assert world.update()["alerts"] == 0
    assert world.rows("from findings") == before


def test_more_of_the_same_evidence_changes_the_table_only(world: World) -> None:
    """Growth within a class of evidence gives a revision and no alert."""
    simple_hit(world)
    world.update()
    world.event("e2", NOON + timedelta(minutes=5))
    world.hit("key_made", "AKIA1", ["e2"], at=NOON + timedelta(minutes=5))
    counts = world.update()
    assert (counts["updated"], counts["alerts"]) == (1, 0)
    row = world.one("from findings")
    assert (row["revision"], row["n_evidence"], row["first_at"]) == (2, 2, NOON)
    assert row["last_at"] == NOON + timedelta(minutes=5)


def test_a_new_class_of_evidence_is_told_as_an_update(world: World) -> None:
    """Evidence from a log and kind that the earlier alert did not rest on makes an update."""
    simple_hit(world)
    world.update()
    world.event("d1", log="opa_decisions", kind="decision", outcome="denied")
    world.hit("key_made", "AKIA1", ["d1"])
    assert world.update()["alerts"] == 2
    assert world.told("splunk_hec") == [1, 2]
    assert world.update()["alerts"] == 0


def test_a_raised_severity_is_told_and_a_lowered_one_is_not(world: World) -> None:
    """Worse news goes out; better news only changes the table."""
    simple_hit(world)
    world.update()
    world.detector("key_made", severity="critical")
    world.update()
    assert world.told("splunk_hec") == [1, 2]
    world.detector("key_made", severity="low")
    world.update()
    row = world.one("from findings")
    assert (row["severity"], row["revision"], world.told("splunk_hec")) == ("low", 3, [1, 2])


def test_an_override_of_one_hit_raises_the_whole_finding(world: World) -> None:
    """The worst severity among the hits is the finding's."""
    simple_hit(world)
    world.hit("key_made", "AKIA1", ["e1"], severity="high")
    world.update()
    assert world.one("from findings")["severity"] == "high"


def test_a_later_fact_closes_and_a_later_one_reopens(world: World) -> None:
    """A hit that vanishes withdraws its finding and closes the alert; its return updates the same finding."""
    simple_hit(world)
    world.update()
    world.con.execute("create table saved as from hits")
    world.con.execute("delete from hits")
    assert world.update()["withdrawn"] == 1
    closed = world.one("from findings")
    assert (closed["state"], closed["revision"], closed["evidence_event_ids"]) == ("withdrawn", 2, ["e1"])
    assert world.update()["withdrawn"] == 0
    world.con.execute("insert into hits from saved")
    assert world.update()["reopened"] == 1
    assert world.one("from findings")["revision"] == 3
    assert [world.told(sink) for sink in BOTH] == [[1, 3, 2], [1, 3, 2]]
    ids = world.rows("select distinct alert_id from alerts")
    assert len(ids) == 3


def test_a_new_rule_version_is_a_revision_without_an_alert(world: World) -> None:
    """The version of the rule is one of the facts, but no news for an analyst."""
    simple_hit(world)
    world.update()
    world.detector("key_made", version="v2")
    world.update()
    row = world.one("from findings")
    assert (row["revision"], row["rule_version"], world.told("splunk_hec")) == (2, "v2", [1])


def test_historic_findings_wake_nobody(world: World) -> None:
    """What lies over a day before the home's first run goes to the alerts file alone, closing included."""
    world.event("e1", LONG_AGO)
    world.hit("key_made", "AKIA1", ["e1"], at=LONG_AGO)
    world.update()
    assert world.one("from findings")["is_historic"] is True
    world.con.execute("delete from hits")
    world.update()
    assert (world.told(ALERTS_FILE), world.told("splunk_hec")) == ([1, 3], [])


def test_a_historic_finding_that_goes_on_today_is_new_to_the_network(world: World) -> None:
    """Fresh evidence makes it a first alert where nothing was told, and growth where it was told."""
    world.event("e1", LONG_AGO)
    world.hit("key_made", "AKIA1", ["e1"], at=LONG_AGO)
    world.update()
    world.event("e2")
    world.hit("key_made", "AKIA1", ["e2"])
    world.update()
    assert world.one("from findings")["is_historic"] is False
    assert (world.told(ALERTS_FILE), world.told("splunk_hec")) == ([1], [1])


@pytest.mark.parametrize(
    ("detector", "subject", "expires", "is_suppressed"),
    [
        ("key_made", "arn:role%", AS_OF + timedelta(days=1), True),
        ("key_made", "ARN:role/bot", AS_OF + timedelta(days=1), True),
        ("key_made", "arn:role\\%", AS_OF + timedelta(days=1), False),
        ("key_made", "arn:role%", AS_OF, False),
        ("key_made", "AKIA%", AS_OF + timedelta(days=1), False),
        ("key_made", "%", AS_OF + timedelta(days=1), True),
        ("other", "%", AS_OF + timedelta(days=1), False),
    ],
)
def test_suppression_is_by_detector_declared_identity_and_time(
    world: World, detector: str, subject: str, expires: object, is_suppressed: bool
) -> None:
    """A suppressed finding stands in the table and alerts nobody; an escaped wildcard is plain."""
    world.con.execute("insert into suppressions values (?, ?, 'sec', 'known', ?)", [detector, subject, expires])
    world.con.execute("insert into declared_identities(identity_id) values ('arn:role/bot')")
    simple_hit(world)
    world.update()
    assert world.one("from findings")["is_suppressed"] is is_suppressed
    assert world.told("splunk_hec") == ([] if is_suppressed else [1])


def test_the_end_of_a_suppression_is_the_first_alert(world: World) -> None:
    """When the suppression has expired, an open finding is told as new."""
    world.con.execute(
        "insert into suppressions values ('key_made', '%', 'sec', 'known', ?)", [AS_OF + timedelta(days=1)]
    )
    simple_hit(world)
    world.update()
    world.con.execute("update run_context set as_of = as_of + interval 2 day")
    world.update()
    assert [world.told(sink) for sink in BOTH] == [[1], [1]]


def test_a_sink_added_later_learns_what_is_open(world: World) -> None:
    """A sink that was told nothing is told of every finding that is open and not historic."""
    simple_hit(world)
    world.update([ALERTS_FILE])
    assert world.update(BOTH)["alerts"] == 1
    assert world.told("splunk_hec") == [1]


def test_the_chain_comes_from_the_hit_else_from_the_earliest_evidence(world: World) -> None:
    """A rule over a raw log knows no chain; the first of its events that stands in a chain gives it."""
    world.event("late", NOON)
    world.event("early", NOON - timedelta(hours=1))
    world.con.execute(
        "insert into chain_steps values ('ch_late', 'activity:late', 'activity', 'late', false), "
        "('ch_cred', 'credential:x', 'credential', 'early', false), "
        "('ch_early', 'activity:early', 'activity', 'early', true)"
    )
    world.con.execute("insert into chains values ('ch_early', 0.8), ('ch_own', 0.4)")
    world.hit("key_made", "joined", ["late", "early"])
    world.hit("key_made", "given", ["early"], chain="ch_own")
    world.update()
    found = world.rows("select subject_uid, chain_id, confidence from findings order by subject_uid")
    assert [tuple(row.values()) for row in found] == [("given", "ch_own", 0.4), ("joined", "ch_early", 0.8)]


def test_an_alias_is_resolved_to_its_identity(world: World) -> None:
    """A rule over a raw log names the actor; the finding names the identity that the actor stands for."""
    world.con.execute(
        "insert into int_identities__resolved values "
        "('arn:role/bot', 'deploy-bot', '2000-01-01 00:00Z', '9999-01-01 00:00Z')"
    )
    simple_hit(world)
    world.update()
    row = world.one("from findings")
    assert (row["identity_id"], row["actor_uid"]) == ("deploy-bot", "arn:role/bot")


def test_the_risk_parts_come_from_the_tables(world: World) -> None:
    """Privilege, crown jewel, chain, share, tier and anomaly each find their way into the parts."""
    world.detector("odd", kind="model", severity="low")
    world.event("e1", resources=["arn:aws:s3:::payroll/x"])
    world.con.execute("insert into crown_jewels values ('arn:aws:s3:::payroll/%')")
    world.con.execute("insert into chain_steps values ('ch_1', 'activity:e1', 'activity', 'e1', true)")
    world.con.execute("insert into chains values ('ch_1', 1.0)")
    world.con.execute("insert into identities values ('arn:role/bot', 'critical')")
    world.con.execute(
        "insert into accounted values ('arn:role/bot', '2026-11-20', 4, 1, 0.25), "
        "('arn:role/bot', '2026-11-19', 4, 1, 0.25)"
    )
    world.con.execute("insert into sources values ('approvals', ['approval'])")
    world.hit("odd", "x", ["e1"], score=0.7)
    world.update()
    assert json.loads(world.one("from findings")["risk_parts"]) == {
        "severity": 20,
        "privilege": 10,
        "crown_jewel": 10,
        "outcome": 5,
        "chain": 5,
        "unaccounted": 4,
        "tier": 5,
        "anomaly": 7,
    }


def test_without_a_log_of_approvals_nobody_is_unaccounted_for(world: World) -> None:
    """An absent source does not accuse: the part of unaccounted activity is zero."""
    world.con.execute("insert into accounted values ('arn:role/bot', '2026-11-20', 4, 0, 0.0)")
    world.con.execute("insert into sources values ('approvals', [])")
    simple_hit(world)
    world.update()
    assert json.loads(world.one("from findings")["risk_parts"])["unaccounted"] == 0


def test_the_evidence_list_is_bounded_and_the_count_is_not(world: World) -> None:
    """A hundred of the earliest events are listed, all are counted, and all of them make the facts."""
    ids = [world.event(f"e{n:04}", NOON + timedelta(seconds=n)) for n in range(150)]
    world.hit("key_made", "AKIA1", ids)
    world.update()
    row = world.one("from findings")
    assert (row["n_evidence"], row["evidence_event_ids"]) == (150, ids[:100])
    world.event("e9999", NOON + timedelta(hours=1))
    world.hit("key_made", "AKIA1", ["e9999"])
    world.update()
    assert world.one("from findings")["revision"] == 2


def test_gaps_of_all_hits_are_joined(world: World) -> None:
    """A finding carries every gap of its hits once, in order."""
    simple_hit(world, gaps=["no decision", "evidence late"])
    world.hit("key_made", "AKIA1", ["e1"], gaps=["evidence late"])
    world.update()
    assert world.one("from findings")["gaps"] == ["evidence late", "no decision"]


def test_a_failure_between_findings_and_alerts_leaves_neither(world: World) -> None:
    """A revision and its outbox rows commit together or not at all."""
    simple_hit(world)
    create_findings_tables(world.con)
    world.group()
    world.con.execute("alter table events rename actor_kind to out_of_reach")
    with pytest.raises(duckdb.BinderException, match="actor_kind"), transaction(world.con):
        update_findings(world.con, "run", sinks=BOTH)
    assert world.rows("from findings") == []
    assert world.rows("from alerts") == []


@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_arrival_does_not_matter(tmp_path: Path, seed: int) -> None:
    """Hits in any order and split into any loads end in the same findings, revisions aside."""
    chance = random.Random(seed)
    hits = [(f"AKIA{n % 5}", f"e{n}", NOON + timedelta(minutes=n % 7)) for n in range(30)]

    def build(name: str, batches: list[list[tuple[str, str, object]]]) -> list[dict[str, object]]:
        with new_world(tmp_path / name) as world:
            world.detector("key_made")
            for batch in batches:
                for subject, event, at in batch:
                    world.event(event, at)
                    world.hit("key_made", subject, [event], at=at, message=f"It did {event}.")
                world.update()
            return world.rows("select * exclude (revision) from findings order by finding_id")

    shuffled = chance.sample(hits, len(hits))
    cut = chance.randrange(1, 29)
    assert build("parts", [shuffled[:cut], shuffled[cut:]]) == build("whole", [hits])
