"""What somebody wants who is the receiver of alerts, or before it: that a run never ends, that alerts are lost."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alert_samples import sample_alerts
from ultravires.alerting.sink import Sink, SinkContext
from ultravires.sinks.splunk_hec import MOST_REFUSALS, open_splunk_hec
from ultravires.sinks.splunk_hec_double import HecDouble, Token
from ultravires.sinks.splunk_hec_settings import SplunkSettings

TOKEN = "8d7a3c52-0000-4000-8000-0123456789ab"


@pytest.fixture
def splunk() -> Iterator[HecDouble]:
    with HecDouble(tokens={TOKEN: Token()}) as double:
        yield double


def open_sink(url: str, **settings: Any) -> Sink:
    parsed = SplunkSettings(url=url, token_env="HEC", **settings)
    return open_splunk_hec(parsed, SinkContext(home=Path(), environ={"HEC": TOKEN}))


def test_a_reply_that_drips(splunk: HecDouble) -> None:
    """A byte before each timeout, headers and body: the whole answer has one deadline."""
    splunk.drip = 0.2
    sink = open_sink(splunk.url, timeout=1, max_attempts=1)
    started = time.monotonic()
    result = sink.send(sample_alerts(2))
    sink.close()
    assert time.monotonic() - started < 4
    assert set(result.retryable.values()) == {"ReadTimeout: no whole answer within 1 s"}


def test_a_kept_connection_whose_next_reply_drips(splunk: HecDouble) -> None:
    """The deadline is that of every answer, not of a new connection."""
    sink = open_sink(splunk.url, timeout=1, max_attempts=1)
    assert len(sink.send(sample_alerts(1)).acknowledged) == 1
    splunk.drip = 0.2
    started = time.monotonic()
    assert len(sink.send(sample_alerts(2)).retryable) == 2
    sink.close()
    assert time.monotonic() - started < 4


@pytest.mark.parametrize("number", [0, 10**9])
def test_a_bad_event_number_that_never_moves_on(number: int, splunk: HecDouble) -> None:
    """Neither a request for each alert, nor each alert given up as bad: the rest waits."""
    splunk.always_bad = number
    sink = open_sink(splunk.url)
    alerts = sample_alerts(500)
    result = sink.send(alerts)
    sink.close()
    assert len(splunk.requests) == MOST_REFUSALS + 1
    assert len(result.failed) <= MOST_REFUSALS
    assert len(result.retryable) == len(alerts) - len(result.failed)
    assert "refused 64 events one after another" in next(iter(result.retryable.values()))
