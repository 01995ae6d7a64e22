"""What a sink is: a module in `sinks/` that defines `SINK`: it sends alerts and says which were taken.

Delivery is at least once: an alert may come again after a crash, always with the same `alert_id`, which
is the receiver's key. A sink says per alert what happened; a sink that refuses its sender altogether (a
wrong token, an unknown index) raises DeliveryError with `is_retryable=False`, so that no alert is blamed
for it.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ultravires.errors import ConfigError

ALERTS_FILE = "alerts_file"
"""The sink in the home: always on, takes every alert, historic ones too, and wakes nobody."""


@dataclass(frozen=True)
class Alert:
    """One finding revision for one sink; `body` is its OCSF JSON on one line."""

    alert_id: str
    finding_id: str | None
    chain_id: str | None
    activity_id: int
    body: str


@dataclass(frozen=True)
class SendResult:
    """Every alert of the batch stands in exactly one of the three; the values are one-line reasons."""

    acknowledged: frozenset[str]
    failed: Mapping[str, str] = field(default_factory=dict)
    retryable: Mapping[str, str] = field(default_factory=dict)


class Sink(Protocol):
    @property
    def batch_size(self) -> int:
        """How many alerts one `send` takes at most."""

    @property
    def max_per_hour(self) -> int | None:
        """How many alerts may leave in an hour before the rest is held; None for no bound."""

    def send(self, alerts: Sequence[Alert]) -> SendResult:
        """Send in the given order; DeliveryError when the receiver refuses the sender altogether."""

    def close(self) -> None:
        """Let go of connections and files."""


@dataclass(frozen=True)
class SinkContext:
    """What a sink may know beside its settings: the home, and the environment that holds its secret."""

    home: Path
    environ: Mapping[str, str]


class SinkSettings(BaseModel):
    """Settings that every sink of the network has; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    batch_size: int = Field(default=100, ge=1, le=10_000)
    max_per_hour: int | None = Field(default=100, ge=1)


@dataclass(frozen=True)
class SinkType:
    """A kind of sink: its name in `ultravires.yaml`, its settings, and how to open one."""

    name: str
    settings: type[BaseModel]
    open: Callable[[Any, SinkContext], Sink]


def open_sinks(
    configured: Mapping[str, Mapping[str, Any]], types: Mapping[str, SinkType], context: SinkContext
) -> dict[str, Sink]:
    """The sinks of the configuration by name, with the alerts file always among them.

    Raises ConfigError with one line for an unknown sink, an unknown or wrong setting, or a missing
    secret. No value of a setting stands in the message: somebody may have written a secret where its
    variable's name belongs.
    """
    for name in configured:
        if name not in types:
            raise ConfigError(f"sinks.{name}: there is no such sink; known sinks: {', '.join(sorted(types))}")
    opened: dict[str, Sink] = {}
    try:
        for name in sorted({ALERTS_FILE, *configured}):
            settings = _read_settings(types[name], configured.get(name) or {})
            opened[name] = types[name].open(settings, context)
    except BaseException:
        close_sinks(opened)
        raise
    return opened


def close_sinks(sinks: Mapping[str, Sink]) -> None:
    for sink in sinks.values():
        sink.close()


def one_line(text: object, *, limit: int = 300) -> str:
    """Text of another machine made fit for a log line and a table cell: no control characters, bounded."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", str(text)).strip()[:limit]


def _read_settings(kind: SinkType, values: Mapping[str, Any]) -> BaseModel:
    try:
        return kind.settings.model_validate(dict(values))
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(("sinks", kind.name, *(str(part) for part in problem["loc"])))
        if problem["type"] == "extra_forbidden":
            known = ", ".join(sorted(kind.settings.model_fields))
            raise ConfigError(f"unknown key '{where}'; known keys there: {known}") from None
        raise ConfigError(f"{where}: {problem['msg']}") from None
