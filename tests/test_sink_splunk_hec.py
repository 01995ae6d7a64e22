"""The Splunk sink against the double: a real HTTP server that answers as Splunk does."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from alert_samples import sample_alert, sample_alerts
from ultravires.alerting.sink import Sink, SinkContext, open_sinks
from ultravires.errors import ConfigError, DeliveryError
from ultravires.registry import sinks
from ultravires.sinks.splunk_hec import in_chunks, open_splunk_hec
from ultravires.sinks.splunk_hec_double import HecDouble, Token
from ultravires.sinks.splunk_hec_reply import Verdict, read_reply
from ultravires.sinks.splunk_hec_settings import SplunkSettings

TOKEN = "8d7a3c52-0000-4000-8000-0123456789ab"


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def read(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def splunk() -> Iterator[HecDouble]:
    with HecDouble(tokens={TOKEN: Token()}) as double:
        yield double


def open_sink(url: str, clock: Clock, token: str = TOKEN, **settings: Any) -> Sink:
    context = SinkContext(home=Path(), environ={"HEC": token})
    parsed = SplunkSettings(url=url, token_env="HEC", **settings)
    return open_splunk_hec(parsed, context, sleep=clock.sleep, clock=clock.read)


def ids_at(double: HecDouble) -> list[str]:
    return [event["fields"]["alert_id"] for event in double.events]


def test_a_batch_is_one_request_of_events_in_order(splunk: HecDouble, clock: Clock) -> None:
    """Every event carries time, source, sourcetype, index, the body as it is and the alert's id."""
    alerts = sample_alerts(3)
    sink = open_sink(splunk.url, clock, index="security")
    result = sink.send(alerts)
    sink.close()
    assert result.acknowledged == {alert.alert_id for alert in alerts}
    assert splunk.requests == ["/services/collector/event"]
    assert ids_at(splunk) == [alert.alert_id for alert in alerts]
    first = splunk.events[0]
    assert (first["time"], first["source"], first["sourcetype"], first["index"]) == (
        1_795_176_000.123,
        "ultravires",
        "ultravires:alert",
        "security",
    )
    assert first["event"]["metadata"]["uid"] == alerts[0].alert_id


def test_a_large_batch_is_cut_below_a_megabyte(splunk: HecDouble, clock: Clock) -> None:
    """No request is larger than Splunk Cloud takes, and nothing is lost by the cutting."""
    alerts = [sample_alert(str(n), text="x" * 300_000) for n in range(7)]
    sink = open_sink(splunk.url, clock)
    assert sink.send(alerts).acknowledged == {alert.alert_id for alert in alerts}
    sink.close()
    assert len(splunk.requests) == 3 and ids_at(splunk) == [alert.alert_id for alert in alerts]
    assert [len(chunk) for chunk in in_chunks([("a", b"x" * 2_000_000), ("b", b"y")])] == [1, 1]


def test_one_event_too_large_fails_alone(clock: Clock) -> None:
    """A request that is refused for its size is halved until the culprit stands alone."""
    alerts = [sample_alert("a"), sample_alert("b", text="x" * 3000), sample_alert("c")]
    with HecDouble({TOKEN: Token()}, max_bytes=2000) as splunk:
        sink = open_sink(splunk.url, clock)
        result = sink.send(alerts)
        sink.close()
    assert set(result.failed) == {alerts[1].alert_id} and "larger" in result.failed[alerts[1].alert_id]
    assert result.acknowledged == {alerts[0].alert_id, alerts[2].alert_id}


def test_a_busy_collector_is_asked_again_with_growing_pauses(splunk: HecDouble, clock: Clock) -> None:
    """503 and then OK ends in one copy of each event."""
    splunk.busy = 2
    sink = open_sink(splunk.url, clock)
    alerts = sample_alerts(2)
    result = sink.send(alerts)
    sink.close()
    assert len(result.acknowledged) == 2 and len(splunk.events) == 2
    assert len(clock.pauses) == 2 and 0.5 <= clock.pauses[0] <= 1 <= clock.pauses[1] <= 2


def test_retry_after_is_honoured(splunk: HecDouble, clock: Clock) -> None:
    """The collector's own wish decides the pause."""
    splunk.busy, splunk.retry_after = 1, "7"
    sink = open_sink(splunk.url, clock)
    assert sink.send(sample_alerts(1)).acknowledged
    sink.close()
    assert clock.pauses == [7.0]


def test_a_long_retry_after_is_left_to_the_next_run(splunk: HecDouble, clock: Clock) -> None:
    """A run does not wait an hour for a sink."""
    splunk.busy, splunk.retry_after = 9, "3600"
    sink = open_sink(splunk.url, clock)
    result = sink.send(sample_alerts(1))
    sink.close()
    assert len(result.retryable) == 1 and clock.pauses == [] and len(splunk.requests) == 1


def test_a_collector_that_stays_busy_leaves_all_alerts_to_be_tried_again(splunk: HecDouble, clock: Clock) -> None:
    """After max_attempts nothing is lost, no alert is blamed, and later requests are not even tried."""
    splunk.busy = 100
    sink = open_sink(splunk.url, clock, max_attempts=3)
    alerts = [sample_alert(str(n), text="x" * 600_000) for n in range(3)]
    result = sink.send(alerts)
    sink.close()
    assert set(result.retryable) == {alert.alert_id for alert in alerts} and not result.failed
    assert len(splunk.requests) == 3


def test_a_collector_that_cannot_be_reached_is_retryable(clock: Clock) -> None:
    """A refused connection is no answer about any alert."""
    with HecDouble({TOKEN: Token()}) as splunk:
        url = splunk.url
    sink = open_sink(url, clock, max_attempts=2)
    result = sink.send(sample_alerts(1))
    sink.close()
    (reason,) = result.retryable.values()
    assert reason.startswith("ConnectError") and TOKEN not in reason


def test_a_crash_after_accepting_sends_the_same_id_again(splunk: HecDouble, clock: Clock) -> None:
    """No answer means not sent: the event comes twice with one id, never not at all."""
    splunk.crash_after_accept = 1
    sink = open_sink(splunk.url, clock)
    (alert,) = sample_alerts(1)
    assert sink.send([alert]).acknowledged == {alert.alert_id}
    sink.close()
    assert ids_at(splunk) == [alert.alert_id, alert.alert_id]


def test_one_bad_event_fails_and_the_rest_arrives(splunk: HecDouble, clock: Clock) -> None:
    """The collector names the bad event by its number; only that one is given up."""
    splunk.bad_marker = "poison"
    alerts = [sample_alert(str(n), text="poison" if n in (1, 3) else "fine") for n in range(5)]
    sink = open_sink(splunk.url, clock)
    result = sink.send(alerts)
    sink.close()
    assert set(result.failed) == {alerts[1].alert_id, alerts[3].alert_id}
    assert set(ids_at(splunk)) == result.acknowledged == {alerts[n].alert_id for n in (0, 2, 4)}


@pytest.mark.parametrize(
    ("state", "sent_token", "says"),
    [
        (Token(), "deadbeef-0000-4000-8000-0123456789ab", "not known there"),
        (Token(is_enabled=False), TOKEN, "disabled"),
        (Token(indexes=frozenset({"other"})), TOKEN, "index"),
    ],
)
def test_a_refused_sender_gets_one_line_without_the_token(
    clock: Clock, state: Token, sent_token: str, says: str
) -> None:
    """A wrong or disabled token and an unknown index refuse the sender once, without showing the token."""
    with HecDouble({TOKEN: state}) as splunk:
        sink = open_sink(splunk.url, clock, token=sent_token, index="main")
        with pytest.raises(DeliveryError, match=says) as caught:
            sink.send(sample_alerts(3))
        sink.close()
        assert len(splunk.requests) == 1 and splunk.events == []
    assert not caught.value.is_retryable
    assert sent_token not in str(caught.value) and "\n" not in str(caught.value)


def test_a_refusal_after_a_part_was_taken_keeps_what_was_taken(clock: Clock) -> None:
    """The alerts that were taken count as sent; the others wait."""
    answers = iter([httpx.Response(200, json={"code": 0}), httpx.Response(403, json={"code": 1})])
    transport = httpx.MockTransport(lambda _: next(answers))
    settings = SplunkSettings(url="https://splunk.example.org:8088", token_env="HEC")
    context = SinkContext(Path(), {"HEC": TOKEN})
    sink = open_splunk_hec(settings, context, transport=transport, sleep=clock.sleep)
    alerts = [sample_alert(str(n), text="x" * 600_000) for n in range(3)]
    result = sink.send(alerts)
    sink.close()
    assert result.acknowledged == {alerts[0].alert_id}
    assert set(result.retryable) == {alerts[1].alert_id, alerts[2].alert_id}


def test_with_acknowledgement_sent_means_indexed(clock: Clock) -> None:
    """The sink sends its channel and asks until the indexer has confirmed."""
    with HecDouble({TOKEN: Token(use_ack=True)}) as splunk:
        sink = open_sink(splunk.url, clock, use_ack=True)
        alerts = [sample_alert(str(n), text="x" * 600_000) for n in range(3)]
        result = sink.send(alerts)
        sink.close()
        assert splunk.requests.count("/services/collector/ack") == 1
    assert result.acknowledged == {alert.alert_id for alert in alerts}


def test_a_lost_acknowledgement_is_not_sent(clock: Clock) -> None:
    """Without the indexer's word in time the alert is tried again later."""
    with HecDouble({TOKEN: Token(use_ack=True)}) as splunk:
        splunk.lose_acks = True
        sink = open_sink(splunk.url, clock, use_ack=True, ack_timeout=20)
        result = sink.send(sample_alerts(2))
        sink.close()
    assert not result.acknowledged and len(result.retryable) == 2 and 20 <= clock.now < 26


def test_a_token_without_acknowledgement_is_named_as_the_problem(splunk: HecDouble, clock: Clock) -> None:
    """use_ack with a token that has none would wait for ever; it is refused with the cure."""
    sink = open_sink(splunk.url, clock, use_ack=True)
    with pytest.raises(DeliveryError, match="use_ack: false"):
        sink.send(sample_alerts(1))
    sink.close()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"url": "http://splunk.example.org:8088", "token_env": "HEC"}, "must be https"),
        ({"url": "https://me:secret@splunk.example.org", "token_env": "HEC"}, "must not hold a user"),
        ({"url": "splunk", "token_env": "HEC"}, "must be a URL"),
        ({"url": "https://splunk.example.org", "token_env": TOKEN}, "token_env"),
        ({"url": "https://splunk.example.org", "token_env": "EMPTY"}, "EMPTY is empty or not set"),
        ({"url": "https://splunk.example.org", "token_env": "TWO_LINES"}, "no token"),
        (
            {"url": "https://splunk.example.org", "token_env": "HEC", "tokn": 1},
            "unknown key .*tokn",
        ),
        ({"url": "https://splunk.example.org", "token_env": "HEC", "ca_file": "/no/such"}, "ca_file"),
        ({"token_env": "HEC"}, "sinks.splunk_hec.url"),
    ],
)
def test_wrong_settings_are_one_line_that_shows_no_secret(tmp_path: Path, settings: dict[str, Any], says: str) -> None:
    """A mistake in the configuration is named by its key; values stay unsaid."""
    context = SinkContext(tmp_path, {"HEC": TOKEN, "EMPTY": " ", "TWO_LINES": f"{TOKEN}\n{TOKEN}"})
    with pytest.raises(ConfigError, match=says) as caught:
        open_sinks({"splunk_hec": settings}, sinks(), context)
    assert TOKEN not in str(caught.value) and "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [
        (200, b'{"text":"Success","code":0}', Verdict.TAKEN),
        (200, b'{"text":"queue capacity is approaching","code":24}', Verdict.TAKEN),
        (200, b"<html>sign in</html>", Verdict.RETRY),
        (200, b'{"code":7}', Verdict.REFUSED),
        (200, b"[" * 100_000, Verdict.RETRY),
        (302, b"", Verdict.REFUSED),
        (400, b'{"code":6,"invalid-event-number":2}', Verdict.BAD_EVENT),
        (400, b'{"code":[1]}', Verdict.REFUSED),
        (401, b'{"code":2}', Verdict.REFUSED),
        (404, b"", Verdict.REFUSED),
        (413, b'{"code":27}', Verdict.BAD_EVENT),
        (429, b'{"code":26}', Verdict.RETRY),
        (500, b"\xff\xfe", Verdict.RETRY),
        (503, b'{"code":9}', Verdict.RETRY),
    ],
)
def test_every_answer_has_a_meaning(status: int, body: bytes, verdict: Verdict) -> None:
    """Splunk's codes, a proxy's pages and nonsense each lead to one verdict, never to an exception."""
    assert read_reply(status, {}, body).verdict is verdict


def test_retry_after_may_be_a_date() -> None:
    """RFC 9110 allows seconds and a date; a wish that cannot be read is none."""
    now = datetime(2026, 11, 20, 12, tzinfo=UTC)
    waits = [
        read_reply(503, {"retry-after": value}, b"", now=now).retry_after
        for value in ("30", "Fri, 20 Nov 2026 12:00:40 GMT", "Fri, 20 Nov 2026 11:00:00 GMT", "soon", "-1")
    ]
    assert waits == [30.0, 40.0, 0.0, None, None]


def test_the_double_answers_like_splunk(splunk: HecDouble) -> None:
    """Tokens, data, channels and health: each mistake has the documented status and code."""
    splunk.tokens["acked"] = Token(use_ack=True)
    url, event = f"{splunk.url}/services/collector", b'{"event":"x"}'
    good = {"Authorization": f"Splunk {TOKEN}"}
    acked = {"Authorization": "Splunk acked"}
    cases = [
        ("/event", {}, event, 401, 2),
        ("/event", {"Authorization": f"Bearer {TOKEN}"}, event, 401, 3),
        ("/event", {"Authorization": "Splunk nobody"}, event, 403, 4),
        ("/event?token=x", {}, event, 400, 16),
        ("/event", good, b"", 400, 5),
        ("/event", good, b'{"event":"a"}{not json', 400, 6),
        ("/event", good, b'{"time":1}', 400, 12),
        ("/event", good, b'{"event":""}', 400, 13),
        ("/event", good, b'{"event":"x","fields":{"a":{"b":1}}}', 400, 15),
        ("/event", acked, event, 400, 10),
        ("/event", acked | {"X-Splunk-Request-Channel": "no guid"}, event, 400, 11),
        ("/ack", good, b'{"acks":[0]}', 400, 14),
        ("/raw", good, b"line", 400, 10),
        ("/raw?channel=8d7a3c52-0000-4000-8000-0123456789ab", good, b"line", 200, 0),
        ("", good, b'[{"event":"a"},{"event":"b"}]', 200, 0),
    ]
    with httpx.Client(trust_env=False) as client:
        for path, headers, content, status, code in cases:
            answer = client.post(url + path, headers=headers, content=content)
            assert (path, answer.status_code, answer.json()["code"]) == (path, status, code)
        assert client.get(url + "/health").json() == {"text": "HEC is healthy", "code": 17}
        assert client.post(f"{splunk.url}/elsewhere").status_code == 404
    assert splunk.raw == ["line"] and [event["event"] for event in splunk.events] == ["a", "a", "b"]
