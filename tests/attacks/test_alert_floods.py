"""Attacks on what is told: the worse act under a finding that is open already, and a flood that holds others back."""

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from findings_world import AS_OF, NOON, World, new_world
from ultravires.alerting.outbox import deliver
from ultravires.alerting.sink import Alert, SendResult

NOW = AS_OF + timedelta(minutes=5)
SINK = "splunk_hec"
HOURLY = 100


class Receiver:
    """A sink that takes what it is sent."""

    batch_size = 50

    def __init__(self, max_per_hour: int = HOURLY) -> None:
        self.max_per_hour = max_per_hour
        self.taken: list[Alert] = []

    def send(self, alerts: Sequence[Alert]) -> SendResult:
        self.taken += alerts
        return SendResult(frozenset(alert.alert_id for alert in alerts))

    def close(self) -> None:
        pass


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with new_world(tmp_path / "home") as world:
        world.detector("acted")
        world.detector("worse", severity="high")
        yield world


def act(world: World, event_id: str, subject: str = "bot acts", *, detector: str = "acted", **columns: object) -> None:
    """One more act that the detector shows."""
    identity = columns.pop("identity", "arn:role/bot")
    world.event(event_id, **columns)  # type: ignore[arg-type]
    world.hit(detector, subject, [event_id], identity=identity)


def told(world: World) -> list[tuple[int, str]]:
    """What the sink is told, in order: the activity (1 create, 2 update) and the message."""
    rows = world.rows("select activity_id, body from alerts where sink = ? order by created_at, revision", [SINK])
    return [(row["activity_id"], json.loads(row["body"])["message"]) for row in rows]


def heard(world: World, receiver: Receiver, after: timedelta = timedelta()) -> set[str]:
    """Whose findings the receiver was told of by now."""
    deliver(world.con, {SINK: receiver}, now=NOW + after)
    ids = [alert.finding_id for alert in receiver.taken if alert.finding_id]
    rows = world.rows("select identity_id, detector_id from findings where finding_id in (select unnest(?))", [ids])
    return {f"{row['identity_id']} {row['detector_id']}" for row in rows}


def test_the_second_act_of_a_day_is_on_another_resource(world: World) -> None:
    """A small act opens the finding, and the same act on what matters is hoped to be silent under it."""
    act(world, "e1", resources=["arn:aws:s3:::scratch"])
    world.update([SINK])
    act(world, "e2", resources=["arn:aws:s3:::payroll"])
    world.update([SINK])
    assert [activity for activity, _ in told(world)] == [1, 2]
    assert told(world)[1][1].startswith("New: it touched arn:aws:s3:::payroll.")
    world.update([SINK])
    assert len(told(world)) == 2


def test_a_crown_jewel_under_an_open_finding(world: World) -> None:
    """It is named first, also among many others."""
    world.con.execute("insert into crown_jewels values ('arn:aws:s3:::vault%')")
    act(world, "e1")
    world.update([SINK])
    act(world, "e2", resources=[*(f"arn:aws:s3:::a-{n}" for n in range(400)), "arn:aws:s3:::vault/z"])
    world.update([SINK])
    assert told(world)[1][1].startswith("New: it reached the crown jewel arn:aws:s3:::vault/z;")


def test_success_after_failures(world: World) -> None:
    """Who tried until it worked is told of twice; who then fails again is not."""
    act(world, "e1", outcome="denied")
    world.update([SINK])
    act(world, "e2", outcome="success")
    world.update([SINK])
    act(world, "e3", outcome="denied")
    world.update([SINK])
    assert [activity for activity, _ in told(world)] == [1, 2]
    assert told(world)[1][1].startswith("New: it succeeded, which had failed before.")


def test_a_higher_power_under_an_open_finding(world: World) -> None:
    """A privileged action after one that was none."""
    act(world, "e1", action="s3:GetObject")
    world.update([SINK])
    act(world, "e2", action="iam:PutRolePolicy")
    world.con.execute("insert into chain_steps values ('ch_1', 'activity:e2', 'activity', 'e2', true)")
    world.update([SINK])
    assert told(world)[1][1].startswith("New: it used the privileged action iam:PutRolePolicy.")


def test_resources_without_end_fill_the_outbox(world: World) -> None:
    """A thousand of them are one list of a few hundred; whoever doubles their number is heard, one more is not."""
    act(world, "e1", resources=[f"r-{n:05}" for n in range(1_000)])
    world.update([SINK])
    act(world, "e2", at=NOON + timedelta(minutes=1), resources=["r-99999"])
    world.update([SINK])
    assert len(told(world)) == 1
    act(world, "e3", at=NOON + timedelta(minutes=2), resources=[f"s-{n:05}" for n in range(1_500)])
    world.update([SINK])
    assert told(world)[1][1].startswith("New: it touched more than 2048 resources")
    (row,) = world.rows("select max(len(facts)) as n from alerts")
    assert row["n"] <= 310


def test_a_flood_of_one_identity_holds_back_another(world: World) -> None:
    """A hundred and ten findings of one identity, one of another: that goes, though less severe and the last."""
    for number in range(110):
        act(world, f"f{number}", f"flood {number}", identity="attacker", detector="worse")
    act(world, "late", "victim acts", identity="victim")
    world.update([SINK])
    receiver = Receiver()
    assert heard(world, receiver) == {"attacker worse", "victim acted"}
    assert sum(alert.finding_id is not None for alert in receiver.taken) <= HOURLY


def test_an_hour_that_a_flood_has_filled_holds_back_another(world: World) -> None:
    """The flood comes first and takes what it may; there is room for who comes within the hour."""
    for number in range(110):
        act(world, f"f{number}", f"flood {number}", identity="attacker")
    world.update([SINK])
    receiver = Receiver()
    assert heard(world, receiver) == {"attacker acted"}
    act(world, "late", "victim acts", identity="victim")
    world.update([SINK])
    assert heard(world, receiver, timedelta(minutes=10)) == {"attacker acted", "victim acted"}
    assert sum(alert.finding_id is not None for alert in receiver.taken) <= HOURLY


def test_a_flood_of_small_things_holds_back_the_large_one_of_the_same_identity(world: World) -> None:
    """Another detector speaks of it, which was not heard in this hour."""
    for number in range(110):
        act(world, f"f{number}", f"flood {number}")
    world.update([SINK])
    receiver = Receiver()
    heard(world, receiver)
    act(world, "worst", "bot does worse", detector="worse")
    world.update([SINK])
    assert "arn:role/bot worse" in heard(world, receiver, timedelta(minutes=10))


def test_a_flood_of_many_identities_holds_back_another_detector(world: World) -> None:
    """Names are cheap; a detector that speaks for the first time is heard beside them."""
    for number in range(150):
        act(world, f"f{number}", f"flood {number}", identity=f"attacker-{number:03}", detector="worse")
    act(world, "late", "victim acts", identity="zoe")
    world.update([SINK])
    assert "zoe acted" in heard(world, Receiver())
