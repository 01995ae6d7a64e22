"""The outbox delivers at least once, in order, within bounds, and remembers what each sink said."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from findings_world import AS_OF, BOTH, NOON, World, new_world
from ultravires.alerting.outbox import Delivery, deliver
from ultravires.alerting.sink import ALERTS_FILE, Alert, SendResult, Sink, SinkContext, close_sinks, open_sinks
from ultravires.errors import DeliveryError
from ultravires.registry import sinks as known_sinks
from ultravires.sinks.alerts_file import FILE_NAME, AlertsFile
from ultravires.sinks.splunk_hec_double import HecDouble, Token
from ultravires.store.warehouse import open_warehouse

TOKEN = "8d7a3c52-0000-4000-8000-0123456789ab"
NOW = AS_OF + timedelta(minutes=5)


class Recorder:
    """A sink that keeps what it is sent and answers as it is told."""

    def __init__(self, *, batch_size: int = 100, max_per_hour: int | None = None) -> None:
        self.batch_size = batch_size
        self.max_per_hour = max_per_hour
        self.batches: list[list[Alert]] = []
        self.failed: dict[str, str] = {}
        self.retryable: dict[str, str] = {}
        self.error: DeliveryError | None = None

    def send(self, alerts: Sequence[Alert]) -> SendResult:
        self.batches.append(list(alerts))
        if self.error:
            raise self.error
        bad = self.failed.keys() | self.retryable.keys()
        return SendResult(frozenset(a.alert_id for a in alerts) - bad, self.failed, self.retryable)

    def close(self) -> None:
        pass

    @property
    def alerts(self) -> list[Alert]:
        return [alert for batch in self.batches for alert in batch]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with new_world(tmp_path / "home") as world:
        world.detector("key_made")
        yield world


def add_findings(world: World, n: int, *, first: int = 0, chain: str | None = None) -> None:
    for i in range(first, first + n):
        world.hit("key_made", f"AKIA{i:04}", [world.event(f"e{i}", NOON + timedelta(seconds=i))], chain=chain)


def states(world: World, sink: str = "splunk_hec") -> dict[str, int]:
    rows = world.rows("select state, count(*) as n from alerts where sink = ? group by state", [sink])
    return {row["state"]: row["n"] for row in rows}


def ids(world: World, sink: str = "splunk_hec") -> set[str]:
    return {row["alert_id"] for row in world.rows("select alert_id from alerts where sink = ?", [sink])}


def send(world: World, sink: Sink, *, after: timedelta = timedelta()) -> Delivery:
    return deliver(world.con, {"splunk_hec": sink}, now=NOW + after)


def test_a_sent_alert_is_not_sent_again(world: World) -> None:
    """After the acknowledgement a second delivery has nothing to do."""
    add_findings(world, 3)
    world.update()
    sink = Recorder()
    assert send(world, sink).sent == 3
    assert send(world, sink).sent == 0
    assert len(sink.alerts) == 3 and states(world) == {"sent": 3}
    assert world.one("select distinct sent_at, n_attempts from alerts where sink = 'splunk_hec'") == {
        "sent_at": NOW,
        "n_attempts": 1,
    }


def test_batches_are_no_larger_than_the_sink_takes(world: World) -> None:
    """Each batch is its own commit."""
    add_findings(world, 5)
    world.update()
    sink = Recorder(batch_size=2)
    send(world, sink)
    assert [len(batch) for batch in sink.batches] == [2, 2, 1]


def test_findings_of_one_chain_go_together_the_most_severe_first(world: World) -> None:
    """Alerts of one chain stand next to one another, and carry the chain as their correlation."""
    world.detector("worse", severity="critical")
    for n, (detector, chain) in enumerate(
        [("key_made", "ch_a"), ("key_made", "ch_b"), ("key_made", "ch_a"), ("worse", "ch_b"), ("key_made", "ch_a")]
    ):
        world.hit(detector, f"s{n}", [world.event(f"e{n}")], chain=chain)
    world.update()
    sink = Recorder()
    send(world, sink)
    assert [alert.chain_id for alert in sink.alerts] == ["ch_b"] * 2 + ["ch_a"] * 3
    for alert in sink.alerts:
        assert json.loads(alert.body)["metadata"]["correlation_uid"] == alert.chain_id


def test_what_is_retryable_waits_and_then_goes(world: World) -> None:
    """A retryable alert stays pending with a back-off that doubles, and is sent when its time has come."""
    add_findings(world, 2)
    world.update()
    (one, _) = sorted(ids(world))
    sink = Recorder()
    sink.retryable = {one: "HTTP 503: the server is busy"}
    first = send(world, sink)
    assert (first.sent, first.waiting) == (1, 1)
    assert first.problems == {"splunk_hec": "HTTP 503: the server is busy"}
    row = world.one("from alerts where sink = 'splunk_hec' and state = 'pending'")
    assert (row["n_attempts"], row["last_error"]) == (1, "HTTP 503: the server is busy")
    assert row["next_attempt_at"] == NOW + timedelta(minutes=1)
    assert send(world, sink).sent == 0 and len(sink.alerts) == 2
    send(world, sink, after=timedelta(minutes=1))
    assert world.one("from alerts where alert_id = '" + one + "' and sink = 'splunk_hec'")[
        "next_attempt_at"
    ] == NOW + timedelta(minutes=3)
    sink.retryable = {}
    assert send(world, sink, after=timedelta(minutes=3)).sent == 1
    assert states(world) == {"sent": 2}


def test_an_alert_that_the_receiver_refuses_is_final(world: World) -> None:
    """A failed alert keeps its reason and is not tried again; the others are sent."""
    add_findings(world, 3)
    world.update()
    bad = sorted(ids(world))[1]
    sink = Recorder()
    sink.failed = {bad: "the event is\nnot valid"}
    delivery = send(world, sink)
    assert (delivery.sent, delivery.failed) == (2, 1)
    assert send(world, sink, after=timedelta(days=2)).sent == 0
    row = world.one("from alerts where sink = 'splunk_hec' and state = 'failed'")
    assert (row["alert_id"], row["last_error"]) == (bad, "the event is not valid")


def test_a_refused_sender_fails_all_and_the_next_run_tries_once_more(world: World) -> None:
    """A wrong token blames no alert: all are failed with the reason, and go when the token is right."""
    add_findings(world, 5)
    world.update()
    sink = Recorder(batch_size=2)
    sink.error = DeliveryError("Splunk refuses us: the token is not known there", is_retryable=False)
    delivery = send(world, sink)
    assert (delivery.sent, delivery.failed) == (0, 5) and len(sink.batches) == 1
    assert "token is not known" in delivery.problems["splunk_hec"]
    assert send(world, sink).failed == 5 and len(sink.batches) == 2
    sink.error = None
    assert send(world, sink).sent == 5


def test_a_sink_in_trouble_does_not_stop_the_others(world: World, tmp_path: Path) -> None:
    """The alerts file is written while Splunk is away."""
    add_findings(world, 2)
    world.update()
    sink = Recorder()
    sink.error = DeliveryError("no route", is_retryable=True)
    delivery = deliver(world.con, {"splunk_hec": sink, ALERTS_FILE: AlertsFile(tmp_path / FILE_NAME)}, now=NOW)
    assert delivery.sent == 2 and states(world, ALERTS_FILE) == {"sent": 2}
    assert states(world) == {"pending": 2} and list(delivery.problems) == ["splunk_hec"]


def test_an_alert_without_an_answer_was_not_taken(world: World) -> None:
    """A sink that forgets an alert in its answer gets it again."""
    add_findings(world, 1)
    world.update()

    class Forgetful(Recorder):
        def send(self, alerts: Sequence[Alert]) -> SendResult:
            return SendResult(frozenset({"of another world"}))

    assert send(world, Forgetful()).sent == 0
    assert states(world) == {"pending": 1}


def test_the_hourly_bound_holds_the_rest_and_says_so_once(world: World) -> None:
    """Above the bound alerts are held, one notice tells how many, and later hours release them. One alert an hour is
    kept for others than this identity.
    """
    add_findings(world, 7)
    world.update()
    sink = Recorder(max_per_hour=4)
    first = send(world, sink)
    assert (first.sent, first.held) == (4, 4)
    (notice,) = [alert for alert in sink.alerts if alert.finding_id is None]
    assert "4 alerts" in json.loads(notice.body)["message"]
    assert send(world, sink, after=timedelta(minutes=30)).sent == 0
    assert send(world, sink, after=timedelta(minutes=61)).sent == 3
    assert send(world, sink, after=timedelta(minutes=130)).sent == 1
    assert states(world) == {"sent": 8}
    assert sorted({alert.alert_id for alert in sink.alerts}) == sorted(alert.alert_id for alert in sink.alerts)


def test_the_bound_lets_the_worst_through(world: World) -> None:
    """A flood of small things does not hold back a critical one that came last."""
    add_findings(world, 5)
    world.update()
    send(world, Recorder(max_per_hour=1))
    world.detector("worse", severity="critical")
    world.hit("worse", "late", [world.event("late")])
    world.update()
    sink = Recorder(max_per_hour=1)
    send(world, sink, after=timedelta(hours=2))
    assert json.loads(sink.alerts[0].body)["severity"] == "Critical"


def test_the_alerts_file_has_no_bound(world: World, tmp_path: Path) -> None:
    """alerts.jsonl holds every alert, however many there are."""
    add_findings(world, 300)
    world.update([ALERTS_FILE])
    assert deliver(world.con, {ALERTS_FILE: AlertsFile(tmp_path / FILE_NAME)}, now=NOW).held == 0
    assert len((tmp_path / FILE_NAME).read_text().splitlines()) == 300


def test_revisions_of_one_finding_leave_in_order(world: World) -> None:
    """A close never overtakes its create, not even when the create has to wait."""
    add_findings(world, 1)
    world.update()
    sink = Recorder()
    sink.retryable = {next(iter(ids(world))): "busy"}
    send(world, sink)
    world.con.execute("delete from hits")
    world.update()
    assert send(world, sink).sent == 0
    sink.retryable = {}
    assert send(world, sink, after=timedelta(minutes=2)).sent == 2
    assert [alert.activity_id for alert in sink.alerts] == [1, 1, 3]


def test_a_later_fact_closes_what_was_sent(world: World) -> None:
    """The sink hears create and close under one finding id and two alert ids."""
    add_findings(world, 1)
    world.update()
    sink = Recorder()
    send(world, sink)
    world.con.execute("delete from hits")
    world.update()
    send(world, sink)
    bodies = [json.loads(alert.body) for alert in sink.alerts]
    assert [body["activity_name"] for body in bodies] == ["Create", "Close"]
    assert len({body["finding_info"]["uid"] for body in bodies}) == 1
    assert len({body["metadata"]["uid"] for body in bodies}) == 2


def test_a_first_run_over_old_logs_pages_nobody(world: World, tmp_path: Path) -> None:
    """Historic findings are in alerts.jsonl and nowhere else."""
    old = NOON - timedelta(days=300)
    world.hit("key_made", "AKIA1", [world.event("e1", old)], at=old)
    world.update()
    sink = Recorder()
    deliver(world.con, {"splunk_hec": sink, ALERTS_FILE: AlertsFile(tmp_path / FILE_NAME)}, now=NOW)
    assert sink.alerts == []
    assert json.loads((tmp_path / FILE_NAME).read_text())["unmapped"]["is_historic"] is True


_KILLED = """
import os, signal, sys
from datetime import datetime
from pathlib import Path
from ultravires.alerting.outbox import deliver
from ultravires.registry import sinks
from ultravires.alerting.sink import SinkContext, open_sinks
from ultravires.store.warehouse import open_warehouse

home, url, victim, batch = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
settings = {"splunk_hec": {"url": url, "token_env": "HEC", "batch_size": 3}}
opened = open_sinks(settings, sinks(), SinkContext(home, {"HEC": sys.argv[5]}))
opened["alerts_file"].batch_size = 3
send, seen = opened[victim].send, []

def send_and_die(alerts):
    result = send(alerts)
    seen.append(result)
    if len(seen) == batch:
        os.kill(os.getpid(), signal.SIGKILL)
    return result

opened[victim].send = send_and_die
with open_warehouse(home) as warehouse:
    deliver(warehouse.con, opened, now=datetime.fromisoformat(sys.argv[6]))
"""


@pytest.mark.parametrize("victim", BOTH)
@pytest.mark.parametrize("batch", [1, 2])
def test_a_kill_between_send_and_commit_loses_nothing(tmp_path: Path, victim: str, batch: int) -> None:
    """kill -9 right after the receiver took a batch: the next run sends the same ids, and no alert is missing."""
    home = tmp_path / "home"
    with new_world(home) as world:
        world.detector("key_made")
        add_findings(world, 8)
        world.update()
        expected = ids(world)
    with HecDouble({TOKEN: Token()}) as splunk:
        command = [sys.executable, "-c", _KILLED, str(home), splunk.url, victim, str(batch), TOKEN]
        child = subprocess.run([*command, NOW.isoformat()], check=False, env=os.environ, timeout=60)
        assert child.returncode == -signal.SIGKILL
        deliver_all(home, splunk.url)
        deliver_all(home, splunk.url)
        arrived = [event["fields"]["alert_id"] for event in splunk.events]
    written = [json.loads(line)["metadata"]["uid"] for line in (home / FILE_NAME).read_text().splitlines()]
    assert len(written) == 8 and set(written) == expected
    assert set(arrived) == expected and len(arrived) == (8 if victim == ALERTS_FILE else 11)
    with open_warehouse(home) as warehouse:
        assert warehouse.con.execute("select distinct state from alerts").fetchall() == [("sent",)]


def deliver_all(home: Path, url: str) -> None:
    settings = {"splunk_hec": {"url": url, "token_env": "HEC", "batch_size": 3}}
    opened = open_sinks(settings, known_sinks(), SinkContext(home, {"HEC": TOKEN}))
    with open_warehouse(home) as warehouse:
        deliver(warehouse.con, opened, now=NOW)
    close_sinks(opened)


def test_a_wrong_token_is_mended_by_the_right_one(world: World) -> None:
    """With a real receiver: refused in one line without the token, then delivered when the token is right."""
    add_findings(world, 2)
    world.update()
    with HecDouble({TOKEN: Token()}) as splunk:
        settings = {"splunk_hec": {"url": splunk.url, "token_env": "HEC"}}
        wrong = open_sinks(settings, known_sinks(), SinkContext(world.home, {"HEC": "wrong-token"}))
        delivery = deliver(world.con, wrong, now=NOW)
        assert "wrong-token" not in str(delivery) and "not known there" in delivery.problems["splunk_hec"]
        assert not world.rows("from alerts where last_error like '%wrong-token%'")
        right = open_sinks(settings, known_sinks(), SinkContext(world.home, {"HEC": TOKEN}))
        assert deliver(world.con, right, now=NOW).sent == 2
        close_sinks(wrong | {"right": right["splunk_hec"]})
        assert {event["fields"]["alert_id"] for event in splunk.events} == ids(world)
