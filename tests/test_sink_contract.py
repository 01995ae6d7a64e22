"""What every sink has to keep, over all that are discovered."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import ultravires.sinks
from alert_samples import sample_alerts
from pydantic import BaseModel, ValidationError
from ultravires.alerting.sink import ALERTS_FILE, Sink, SinkContext, SinkType, close_sinks, open_sinks
from ultravires.errors import ConfigError
from ultravires.registry import discover
from ultravires.sinks.splunk_hec_double import HecDouble, Token

SINKS: dict[str, SinkType] = discover(ultravires.sinks, "SINK")
TOKEN = "8d7a3c52-0000-4000-8000-0123456789ab"


@contextmanager
def receiver_of(name: str) -> Iterator[dict[str, object]]:
    """The settings under which a sink finds its receiver; a new sink adds its own here."""
    if name == ALERTS_FILE:
        yield {}
    elif name == "splunk_hec":
        with HecDouble({TOKEN: Token()}) as splunk:
            yield {"url": splunk.url, "token_env": "HEC"}
    else:
        raise AssertionError(f"the contract test has no receiver for the sink {name}")


@pytest.fixture(params=sorted(SINKS))
def sink(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sink]:
    with receiver_of(request.param) as settings:
        opened = open_sinks({request.param: settings}, SINKS, SinkContext(tmp_path, {"HEC": TOKEN}))
        yield opened[request.param]
        close_sinks(opened)


def test_every_alert_of_a_batch_is_answered(sink: Sink) -> None:
    """A sink acknowledges what it took, and says nothing of alerts it was not given."""
    alerts = sample_alerts(min(5, sink.batch_size))
    result = sink.send(alerts)
    assert result.acknowledged == {alert.alert_id for alert in alerts}
    assert not result.failed and not result.retryable


def test_sending_again_is_acknowledged_again(sink: Sink) -> None:
    """At least once means that the same id may come twice, and is welcome twice."""
    alerts = sample_alerts(2)
    assert sink.send(alerts).acknowledged == sink.send(alerts).acknowledged


def test_bounds_are_sane(sink: Sink) -> None:
    """A sink takes at least one alert at a time and at least one an hour."""
    assert sink.batch_size >= 1 and (sink.max_per_hour is None or sink.max_per_hour >= 1)


def test_an_empty_batch_is_no_event(sink: Sink) -> None:
    """Nothing to send ends in nothing said."""
    assert sink.send([]).acknowledged == frozenset()


@pytest.mark.parametrize("name", sorted(SINKS))
def test_a_sink_is_named_as_its_module_and_refuses_unknown_settings(name: str) -> None:
    """The name in the configuration is the file's, and a typing error in a setting is refused."""
    kind = SINKS[name]
    assert kind.name == name and issubclass(kind.settings, BaseModel)
    with pytest.raises(ValidationError, match="no_such_setting"):
        kind.settings.model_validate({"no_such_setting": 1})


def test_an_unknown_sink_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    """A typing error in a sink's name lists the names that exist."""
    with pytest.raises(ConfigError, match=f"known sinks: {', '.join(sorted(SINKS))}$"):
        open_sinks({"splunk": {}}, SINKS, SinkContext(tmp_path, {}))


def test_the_alerts_file_is_always_on(tmp_path: Path) -> None:
    """Without any configuration there is one sink."""
    assert list(open_sinks({}, SINKS, SinkContext(tmp_path, {}))) == [ALERTS_FILE]
