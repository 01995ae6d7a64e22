"""One act is one alert, however many rules speak of it, and none of them is lost."""

import json
import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from findings_world import LONG_AGO, NOON, World, new_world
from ultravires.alerting.sink import ALERTS_FILE
from ultravires.store.warehouse import open_warehouse
from ultravires_models.hits import SEVERITIES

RAW, EFFECT, STANDING, MODEL = "raw_rule", "effect_rule", "no_approval", "rare"
KINDS = {RAW: "event", EFFECT: "actor and action", STANDING: "identity", MODEL: "actor_action"}
HEC = "splunk_hec"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with new_world(tmp_path) as opened:
        for detector in (RAW, EFFECT, STANDING):
            opened.detector(detector, severity="high")
        opened.detector(MODEL, kind="model")
        yield opened


def tell(world: World, detector: str, *acts: str, severity: str = "high", **columns: Any) -> None:
    """`detector` speaks of these acts; on the same subject for all of them, unless it is about single events."""
    subject = acts[0] if detector == RAW else "bot"
    slot = "2026-11-20" if detector == EFFECT else ""
    world.hit(detector, subject, acts, acts=list(acts), kind=KINDS[detector], severity=severity, slot=slot, **columns)


def stop(world: World, detector: str) -> None:
    world.con.execute("delete from hits where detector_id = ?", [detector])


def told_by(world: World) -> dict[str, list[str]]:
    """Detector -> the detectors that tell its acts in its place."""
    rows = world.rows(
        "select one.detector_id, list_sort(list(other.detector_id)) as tellers from findings as one, "
        "unnest(one.told_by) as named(id) join findings as other on other.finding_id = named.id group by 1"
    )
    return {row["detector_id"]: row["tellers"] for row in rows}


def alerts(world: World, sink: str = HEC) -> list[tuple[str, int, str]]:
    """Detector, activity (1 create, 2 update, 3 close) and severity of what was queued, in the order of the runs."""
    rows = world.rows(
        "select f.detector_id, a.activity_id, a.severity from alerts as a join findings as f using (finding_id) "
        f"where a.sink = '{sink}' order by a.run_id, f.detector_id"
    )
    return [(row["detector_id"], row["activity_id"], row["severity"]) for row in rows]


def last_body(world: World) -> dict[str, Any]:
    (row,) = world.rows(f"select body from alerts where sink = '{HEC}' order by run_id desc, revision desc limit 1")
    body: dict[str, Any] = json.loads(row["body"])
    return body


def test_one_act_is_told_once_with_all_who_speak_of_it(world: World) -> None:
    """The rule that speaks of the action all day is delivered; the others stand in its alert and in the table."""
    world.event("e1")
    for detector in (RAW, EFFECT, STANDING):
        tell(world, detector, "e1")
    tell(world, MODEL, "e1", severity="medium")
    assert world.update()["opened"] == 4
    assert alerts(world) == alerts(world, ALERTS_FILE) == [(EFFECT, 1, "high")]
    assert told_by(world) == {RAW: [EFFECT], STANDING: [EFFECT], MODEL: [EFFECT]}
    body = last_body(world)
    others = [(one["detector_id"], one["severity"]) for one in body["unmapped"]["also_told_by"]]
    assert others == [(STANDING, "high"), (RAW, "high"), (MODEL, "medium")]
    assert {one["uid"] for one in body["finding_info"]["related_analytics"]} == {RAW, STANDING, MODEL}
    assert world.update()["alerts"] == 0


def test_the_most_severe_tells(world: World) -> None:
    """Also where it speaks of one event only."""
    world.event("e1")
    tell(world, RAW, "e1")
    tell(world, EFFECT, "e1", severity="medium")
    world.update()
    assert alerts(world) == [(RAW, 1, "high")]


def test_another_rule_that_comes_later_is_no_second_alert(world: World) -> None:
    """What was sent while the tables of effects could not be built is not sent again when they can."""
    world.event("e1")
    tell(world, RAW, "e1")
    world.update()
    tell(world, EFFECT, "e1")
    tell(world, MODEL, "e1", severity="medium")
    assert world.update()["alerts"] == 0
    assert alerts(world) == [(RAW, 1, "high")]
    assert told_by(world) == {RAW: [EFFECT], MODEL: [EFFECT]}


def test_a_more_severe_rule_that_comes_later_is_an_update(world: World) -> None:
    """Of what the receiver knows, once, with who says so; and a further rule raises it again."""
    world.event("e1")
    tell(world, RAW, "e1", severity="medium")
    world.update()
    created = last_body(world)
    tell(world, EFFECT, "e1", severity="high")
    world.update()
    raised = last_body(world)
    assert raised["message"].startswith("New: it is high now (Title of effect_rule). ")
    assert raised["finding_info"]["uid"] == created["finding_info"]["uid"]
    assert raised["metadata"]["uid"] != created["metadata"]["uid"]
    assert raised["metadata"]["sequence"] > created["metadata"]["sequence"]
    assert world.update()["alerts"] == 0
    tell(world, STANDING, "e1", severity="critical")
    world.update()
    assert alerts(world) == [(RAW, 1, "medium"), (RAW, 2, "high"), (RAW, 2, "critical")]
    assert world.update()["alerts"] == 0


def test_a_less_severe_rule_that_comes_later_is_nothing_new(world: World) -> None:
    world.event("e1")
    tell(world, EFFECT, "e1")
    world.update()
    tell(world, RAW, "e1", severity="low")
    assert world.update()["alerts"] == 0


def test_what_was_hidden_is_told_when_its_teller_goes(world: World) -> None:
    """An approval that comes late explains the one, and the other stands."""
    world.event("e1")
    tell(world, RAW, "e1")
    tell(world, EFFECT, "e1")
    world.update()
    stop(world, EFFECT)
    world.update()
    assert alerts(world) == [(EFFECT, 1, "high"), (EFFECT, 3, "high"), (RAW, 1, "high")]
    assert told_by(world) == {}


def test_what_spoke_for_another_leaves_it_to_speak(world: World) -> None:
    """The raised one is closed, and the one that raised it is opened."""
    world.event("e1")
    tell(world, RAW, "e1", severity="medium")
    world.update()
    tell(world, EFFECT, "e1", severity="high")
    world.update()
    stop(world, RAW)
    world.update()
    assert alerts(world)[2:] == [(EFFECT, 1, "high"), (RAW, 3, "medium")]


def test_the_same_act_again_on_one_day_is_no_second_alert(world: World) -> None:
    """The rule that speaks of the action all day is known already; what is on another resource is an update of it."""
    world.event("e1")
    tell(world, RAW, "e1")
    tell(world, EFFECT, "e1")
    world.update()
    world.event("e2", NOON + timedelta(minutes=5))
    tell(world, RAW, "e2")
    tell(world, EFFECT, "e2")
    assert world.update()["alerts"] == 0
    world.event("e3", NOON + timedelta(minutes=9), resources=["arn:aws:iam::1:user/other"])
    tell(world, RAW, "e3")
    tell(world, EFFECT, "e3")
    world.update()
    assert alerts(world) == [(EFFECT, 1, "high"), (EFFECT, 2, "high")]


def test_a_new_act_is_told_although_the_old_one_was(world: World) -> None:
    """A rule over all acts of an identity has one that nobody else tells of."""
    world.event("e1")
    tell(world, RAW, "e1")
    world.update()
    world.event("e2")
    tell(world, STANDING, "e1", "e2")
    world.update()
    assert alerts(world) == [(RAW, 1, "high"), (STANDING, 1, "high")]


def test_acts_that_several_tell_need_no_sum(world: World) -> None:
    """Each act is told by a rule of its own, so that who sums them up says nothing new."""
    world.event("e1")
    world.event("e2")
    for act in ("e1", "e2"):
        tell(world, RAW, act)
    tell(world, STANDING, "e1", "e2")
    world.update()
    assert alerts(world) == [(RAW, 1, "high"), (RAW, 1, "high")]
    assert told_by(world) == {STANDING: [RAW, RAW]}


def test_a_more_severe_sum_of_acts_that_several_told_is_an_alert(world: World) -> None:
    """None of those that the receiver knows could be raised for all of them."""
    for act in ("e1", "e2"):
        world.event(act)
        tell(world, RAW, act, severity="medium")
    world.update()
    tell(world, STANDING, "e1", "e2", severity="high")
    world.update()
    assert alerts(world)[2:] == [(STANDING, 1, "high")]
    assert told_by(world) == {RAW: [STANDING, STANDING]}


def test_what_several_acts_are_together_is_more_than_each(world: World) -> None:
    """A hit that names no act, such as a burst, or how a credential stands, is told beside."""
    world.event("e1")
    tell(world, EFFECT, "e1")
    world.hit(STANDING, "AKIA1", ["e1"], severity="high")
    world.update()
    assert alerts(world) == [(EFFECT, 1, "high"), (STANDING, 1, "high")]
    assert "also_told_by" not in last_body(world)["unmapped"]


def test_who_is_suppressed_tells_nothing_in_anothers_place(world: World) -> None:
    """Nor is it said to tell the act."""
    world.con.execute("insert into suppressions values (?, '%', 'me', 'noise', null)", [EFFECT])
    world.event("e1")
    tell(world, RAW, "e1")
    tell(world, EFFECT, "e1", severity="critical")
    world.update()
    assert alerts(world) == [(RAW, 1, "high")]
    assert told_by(world) == {}


def test_who_is_historic_tells_the_network_nothing_in_anothers_place(world: World) -> None:
    """The file hears the one that tells, the network the one that it may hear."""
    world.event("e1", LONG_AGO)
    tell(world, EFFECT, "e1", at=LONG_AGO)
    tell(world, RAW, "e1", at=NOON)
    world.update()
    assert alerts(world) == [(RAW, 1, "high")]
    assert alerts(world, ALERTS_FILE) == [(EFFECT, 1, "high")]


def test_alerts_sent_before_are_closed_each(world: World) -> None:
    """A home in which both were sent: both are known, both are closed, and only the one that tells is updated."""
    world.event("e1")
    tell(world, RAW, "e1")
    tell(world, EFFECT, "e1")
    world.con.execute("update hits set act_event_ids = null")
    world.update()
    assert [activity for _, activity, _ in alerts(world)] == [1, 1]
    world.con.execute("update hits set act_event_ids = evidence_event_ids")
    assert world.update()["alerts"] == 0
    world.event("e2", resources=["another"])
    tell(world, EFFECT, "e2")
    world.update()
    assert alerts(world)[2:] == [(EFFECT, 2, "high")]
    stop(world, RAW)
    stop(world, EFFECT)
    world.update()
    assert alerts(world)[3:] == [(EFFECT, 3, "high"), (RAW, 3, "high")]


def test_a_home_of_an_earlier_schema_gets_the_columns(tmp_path: Path) -> None:
    """What was sent stays known; of which acts it told is not."""
    with new_world(tmp_path) as world:
        world.detector(RAW)
        world.event("e1")
        tell(world, RAW, "e1")
        world.update()
        world.con.execute("alter table findings drop column told_by; alter table alerts drop column act_event_ids")
        world.con.execute("update warehouse_schema set version = 9")
    with open_warehouse(tmp_path) as warehouse:
        assert warehouse.con.execute("select told_by from findings").fetchall() == [(None,)]
        assert warehouse.con.execute("select distinct act_event_ids from alerts").fetchall() == [(None,)]


@pytest.mark.parametrize("seed", range(10))
def test_no_act_is_lost_in_any_order(tmp_path: Path, seed: int) -> None:
    """Whatever comes and goes in whatever order: the findings that stand are the same, and each of their acts was told
    to the network by one that it knows as open, as badly as the worst of them says.
    """
    chance = random.Random(seed)
    hits = [
        (chance.choice(list(KINDS)), f"e{chance.randrange(6)}", chance.choice(SEVERITIES[1:]), chance.random() < 0.2)
        for _ in range(14)
    ]

    def build(name: str, batches: list[list[tuple[str, str, str, bool]]]) -> list[dict[str, Any]]:
        with new_world(tmp_path / name) as world:
            for detector in KINDS:
                world.detector(detector, severity="low")
            for n in range(6):
                world.event(f"e{n}", NOON + timedelta(minutes=n))
            for batch in batches:
                for detector, act, severity, _ in batch:
                    tell(world, detector, act, severity=severity)
                world.update()
                all_acts_are_told(world)
            for detector, act, severity, goes in hits:
                if goes:
                    world.con.execute(
                        "delete from hits where detector_id = ? and list_contains(act_event_ids, ?) and severity = ?",
                        [detector, act, severity],
                    )
            world.update()
            all_acts_are_told(world)
            assert world.update()["alerts"] == 0
            return world.rows("select * exclude (revision) from findings where state = 'open' order by finding_id")

    shuffled = chance.sample(hits, len(hits))
    cut = chance.randrange(1, 13)
    assert build("parts", [shuffled[:cut], shuffled[cut:]]) == build("whole", [hits])


def all_acts_are_told(world: World) -> None:
    """Checks that what a finding says of an act, the network has heard of a finding that is open for it."""
    unheard = world.rows(
        """
        with known as (
            select
                finding_id, max_by(activity_id, revision) as activity_id,
                max(list_position($order, severity)) as worst
            from alerts where sink = $sink group by finding_id
        ),
        acts as (
            select finding_id, list_position($order, severity) as rank, unnest(act_event_ids) as act
            from int_findings__grouped
        )
        select said.* from acts as said
        left join acts as same on same.act = said.act
        left join known on known.finding_id = same.finding_id and known.activity_id <> 3
        group by said.finding_id, said.rank, said.act
        having coalesce(max(known.worst), 0) < said.rank
        """,
        {"order": list(SEVERITIES), "sink": HEC},  # type: ignore[arg-type]
    )
    assert unheard == []
