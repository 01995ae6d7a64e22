"""alerts.jsonl holds every alert once, whatever was killed when."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from alert_samples import sample_alert, sample_alerts
from ultravires.errors import DeliveryError
from ultravires.sinks.alerts_file import FILE_NAME, AlertsFile

ALERTS = sample_alerts(4)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / FILE_NAME


@pytest.fixture
def sink(path: Path) -> Iterator[AlertsFile]:
    yield AlertsFile(path)


def ids_in(path: Path) -> list[str]:
    return [json.loads(line)["metadata"]["uid"] for line in path.read_text(encoding="utf-8").splitlines()]


def test_alerts_are_appended_one_a_line_for_the_owner_only(sink: AlertsFile, path: Path) -> None:
    """The file is private, in order, and the body is written as it is."""
    assert sink.send(ALERTS[:2]).acknowledged == {alert.alert_id for alert in ALERTS[:2]}
    sink.send(ALERTS[2:])
    assert path.read_text(encoding="utf-8") == "".join(alert.body + "\n" for alert in ALERTS)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_others_could_read_is_closed_to_them(sink: AlertsFile, path: Path) -> None:
    """An alerts file that somebody opened up is made private again."""
    path.touch(mode=0o644)
    sink.send(ALERTS[:1])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_alert_that_stands_there_is_not_written_again(sink: AlertsFile, path: Path) -> None:
    """A kill between the append and the outbox's note sends it again; the file keeps one."""
    sink.send(ALERTS[:3])
    result = AlertsFile(path).send(ALERTS)
    assert len(result.acknowledged) == 4
    assert ids_in(path) == [alert.alert_id for alert in ALERTS]


@pytest.mark.parametrize("kept", [1, 40, -2])
def test_a_half_written_last_line_is_cut_off(sink: AlertsFile, path: Path, kept: int) -> None:
    """What a kill left of a line is removed, and the alert is written whole."""
    sink.send(ALERTS[:2])
    with path.open("a", encoding="utf-8") as handle:
        handle.write(ALERTS[2].body[:kept])
    AlertsFile(path).send(ALERTS[2:])
    assert ids_in(path) == [alert.alert_id for alert in ALERTS]


def test_a_half_written_line_longer_than_a_block_is_cut_off(sink: AlertsFile, path: Path) -> None:
    """The search for the last line feed goes back as far as it must."""
    long = sample_alert("long", text="x" * 300_000)
    sink.send(ALERTS[:1])
    with path.open("a", encoding="utf-8") as handle:
        handle.write(long.body[:250_000])
    AlertsFile(path).send([long])
    assert ids_in(path) == [ALERTS[0].alert_id, long.alert_id]


def test_a_file_of_nothing_but_a_half_line_starts_anew(path: Path) -> None:
    """A kill within the very first line leaves a file that is used again."""
    path.write_text(ALERTS[0].body[:20], encoding="utf-8")
    AlertsFile(path).send(ALERTS[:1])
    assert ids_in(path) == [ALERTS[0].alert_id]


def test_a_whole_last_line_without_line_feed_is_kept(path: Path) -> None:
    """An editor that drops the last line feed costs no alert."""
    path.write_text(ALERTS[0].body, encoding="utf-8")
    AlertsFile(path).send(ALERTS[:2])
    assert ids_in(path) == [alert.alert_id for alert in ALERTS[:2]]


def test_foreign_lines_are_left_alone(path: Path) -> None:
    """Somebody's note in the file neither stops the sink nor is lost."""
    path.write_bytes(b"a note\n\xff\xfe\n[1]\n\n")
    AlertsFile(path).send(ALERTS[:1])
    assert path.read_bytes() == b"a note\n\xff\xfe\n[1]\n\n" + ALERTS[0].body.encode() + b"\n"


def test_a_home_that_cannot_be_written_is_a_retryable_problem(tmp_path: Path) -> None:
    """A full or missing disk is said in one line, and the alerts are tried again."""
    with pytest.raises(DeliveryError, match="cannot write alerts") as caught:
        AlertsFile(tmp_path / "missing" / FILE_NAME).send(ALERTS)
    assert caught.value.is_retryable
