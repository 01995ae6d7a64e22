"""Splunk's HTTP Event Collector.

Events go in batches to `/services/collector/event`, each with the alert's id as the indexed field `alert_id`.
Splunk has no key that would refuse a second copy, so a search takes the latest event per `alert_id`.

With `use_ack` an alert counts as sent only when the indexer has acknowledged it, else when the collector has
taken it. Source of the protocol: Splunk's documentation of the HTTP Event Collector and of indexer
acknowledgement.
"""

import ssl
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import msgspec
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_result,
    stop_after_attempt,
    wait_exponential,
    wait_random_exponential,
)

from ultravires.alerting.sink import Alert, SendResult, SinkContext, SinkType
from ultravires.environment import STARTED_IN
from ultravires.errors import ConfigError, DeliveryError
from ultravires.sinks.splunk_hec_line import Line
from ultravires.sinks.splunk_hec_reply import Reply, Verdict, read_reply, unreachable
from ultravires.sinks.splunk_hec_settings import ACK_PATH, EVENT_PATH, SplunkSettings

# Splunk Cloud takes at most a megabyte in one request.
MAX_REQUEST_BYTES = 1_000_000
MAX_REPLY_BYTES = 1 << 16
MOST_REFUSALS = 64
"""Of events in one `send`: a collector that finds fault with one after another is itself at fault."""
LONGEST_PAUSE = 60.0
_BACKOFF = wait_exponential(multiplier=0.5, max=LONGEST_PAUSE / 2) + wait_random_exponential(0.5, max=LONGEST_PAUSE / 2)

Event = tuple[str, bytes]
"""An alert's id and its event as JSON."""


@dataclass
class _Tally:
    acknowledged: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)
    retryable: dict[str, str] = field(default_factory=dict)
    awaited: dict[int, list[str]] = field(default_factory=dict)
    trouble: str | None = None
    n_refusals: int = 0

    def put_off(self, chunk: Sequence[Event], reason: str) -> None:
        self.trouble = reason
        self.retryable |= {alert_id: reason for alert_id, _ in chunk}


class SplunkHec:
    def __init__(
        self,
        settings: SplunkSettings,
        client: httpx.Client,
        token: str,
        *,
        sleep: Callable[[float], None],
        clock: Callable[[], float],
    ) -> None:
        self.settings = settings
        self.client = client
        self.sleep = sleep
        self.clock = clock
        self.line = Line()
        self.batch_size = settings.batch_size
        self.max_per_hour = settings.max_per_hour
        self._token = token

    def send(self, alerts: Sequence[Alert]) -> SendResult:
        """Send in requests of bounded size; DeliveryError when token, index or channel is refused."""
        tally = _Tally()
        waiting = deque(in_chunks([(alert.alert_id, self._as_event(alert)) for alert in alerts]))
        while waiting:
            chunk = waiting.popleft()
            if tally.trouble is None:
                waiting.extendleft(reversed(self._send_chunk(chunk, tally)))
            else:
                # The collector is in trouble: what follows waits for the next run, in its order.
                tally.put_off(chunk, tally.trouble)
        self._await_acks(tally)
        return SendResult(frozenset(tally.acknowledged), tally.failed, tally.retryable)

    def close(self) -> None:
        self.client.close()

    def _as_event(self, alert: Alert) -> bytes:
        event: dict[str, Any] = {
            "time": msgspec.json.decode(alert.body)["time"] / 1000,
            "source": self.settings.source,
            "sourcetype": self.settings.sourcetype,
            "event": msgspec.Raw(alert.body.encode()),
            "fields": {"alert_id": alert.alert_id},
        }
        if self.settings.index:
            event["index"] = self.settings.index
        return msgspec.json.encode(event)

    def _send_chunk(self, chunk: list[Event], tally: _Tally) -> list[list[Event]]:
        """Post a chunk and note the answer; returns what of it has to be sent again, in chunks."""
        reply = self._ask_patiently(b"".join(event for _, event in chunk))
        match reply.verdict:
            case Verdict.TAKEN:
                self._note_taken(chunk, reply, tally)
            case Verdict.RETRY:
                tally.put_off(chunk, reply.reason)
            case Verdict.REFUSED:
                self._note_refusal(chunk, reply.reason, tally)
            case Verdict.BAD_EVENT:
                tally.n_refusals += 1
                if tally.n_refusals <= MOST_REFUSALS:
                    return _without_bad_event(chunk, reply, tally)
                tally.put_off(chunk, f"it refused {MOST_REFUSALS} events one after another; {reply.reason}")
        return []

    def _note_taken(self, chunk: list[Event], reply: Reply, tally: _Tally) -> None:
        ids = [alert_id for alert_id, _ in chunk]
        if not self.settings.use_ack:
            tally.acknowledged |= set(ids)
        elif reply.ack_id is None:
            self._note_refusal(chunk, "indexer acknowledgement is off for this token; set use_ack: false", tally)
        else:
            tally.awaited.setdefault(reply.ack_id, []).extend(ids)

    def _note_refusal(self, chunk: list[Event], reason: str, tally: _Tally) -> None:
        problem = f"Splunk at {self.settings.url} refuses us: {reason}"
        if not (tally.acknowledged or tally.awaited):
            raise DeliveryError(problem, is_retryable=False)
        # Part of the batch was taken and must be kept as such; the next run meets the refusal first.
        tally.put_off(chunk, problem)

    def _await_acks(self, tally: _Tally) -> None:
        """Ask for acknowledgements until all are there or the time is over; then they count as not sent."""
        deadline, pause = self.clock() + self.settings.ack_timeout, 0.25
        while tally.awaited:
            reply = self._ask(ACK_PATH, msgspec.json.encode({"acks": sorted(tally.awaited)}))
            for ack_id in reply.acks & tally.awaited.keys():
                tally.acknowledged |= set(tally.awaited.pop(ack_id))
            if not tally.awaited or self.clock() >= deadline or reply.verdict is Verdict.REFUSED:
                break
            self.sleep(pause)
            pause = min(pause * 2, 5.0)
        reason = f"no acknowledgement by the indexer within {self.settings.ack_timeout:g} s"
        tally.retryable |= {alert_id: reason for ids in tally.awaited.values() for alert_id in ids}

    def _ask_patiently(self, content: bytes) -> Reply:
        """Post events, again after a pause while the collector is busy or out of reach."""
        patient = Retrying(
            retry=retry_if_result(_is_worth_waiting),
            stop=stop_after_attempt(self.settings.max_attempts),
            wait=_pause,
            sleep=self.sleep,
            retry_error_callback=_last_reply,
        )
        return patient(self._ask, EVENT_PATH, content)

    def _ask(self, path: str, content: bytes) -> Reply:
        try:
            with (
                self.line.hung_up_after(self.settings.timeout),
                self.client.stream(
                    "POST", self.settings.url + path, content=content, extensions={"trace": self.line.watch}
                ) as response,
            ):
                return read_reply(response.status_code, response.headers, _read_bounded(response))
        except httpx.HTTPError as raised:
            late = httpx.ReadTimeout(f"no whole answer within {self.settings.timeout:g} s")
            return unreachable(late if self.line.was_hung_up else raised, self._token)


def in_chunks(events: Sequence[Event]) -> Iterator[list[Event]]:
    """Cut a batch into requests of at most a megabyte; an event larger than that goes alone."""
    chunk: list[Event] = []
    size = 0
    for event in events:
        if chunk and size + len(event[1]) > MAX_REQUEST_BYTES:
            yield chunk
            chunk, size = [], 0
        chunk.append(event)
        size += len(event[1])
    if chunk:
        yield chunk


def _without_bad_event(chunk: list[Event], reply: Reply, tally: _Tally) -> list[list[Event]]:
    """Take out the event that the collector names; where it names none, halve until one is alone.

    What stands before the bad event may have been taken already. It is sent again: twice beats never.
    """
    bad = reply.bad_event if reply.bad_event is not None and reply.bad_event < len(chunk) else None
    if bad is None and len(chunk) > 1:
        middle = len(chunk) // 2
        return [chunk[:middle], chunk[middle:]]
    position = bad or 0
    tally.failed[chunk[position][0]] = reply.reason
    rest = chunk[:position] + chunk[position + 1 :]
    return [rest] if rest else []


def _is_worth_waiting(reply: Reply) -> bool:
    return reply.verdict is Verdict.RETRY and (reply.retry_after or 0) <= LONGEST_PAUSE


def _last_reply(state: RetryCallState) -> Reply:
    assert state.outcome is not None
    reply: Reply = state.outcome.result()
    return reply


def _pause(state: RetryCallState) -> float:
    """What the collector asks for, else exponential with jitter, so that many senders do not come back at one time."""
    asked = _last_reply(state).retry_after
    return _BACKOFF(state) if asked is None else asked


def _read_bounded(response: httpx.Response) -> bytes:
    body = b""
    for part in response.iter_bytes():
        body += part
        if len(body) > MAX_REPLY_BYTES:
            break
    return body


def open_splunk_hec(
    settings: SplunkSettings,
    context: SinkContext,
    *,
    transport: httpx.BaseTransport | None = None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> SplunkHec:
    """A sink with a channel of its own; ConfigError when the token or the CA file is missing."""
    token = _token(settings, context)
    headers = {
        "Authorization": f"Splunk {token}",
        "Content-Type": "application/json",
        # Acknowledgement ids are counted per channel, and some tokens take nothing without one.
        "X-Splunk-Request-Channel": str(uuid.uuid4()),
    }
    client = httpx.Client(
        headers=headers,
        verify=_trust(settings, context),
        timeout=settings.timeout,
        transport=transport,
        trust_env=False,
    )
    return SplunkHec(settings, client, token, sleep=sleep, clock=clock)


def _token(settings: SplunkSettings, context: SinkContext) -> str:
    token = context.environ.get(settings.token_env, "").strip()
    if not token:
        raise ConfigError(f"sinks.splunk_hec: the environment variable {settings.token_env} is empty or not set")
    if not (token.isascii() and token.isprintable() and " " not in token):
        raise ConfigError(f"sinks.splunk_hec: what {settings.token_env} holds is no token of Splunk")
    return token


def _trust(settings: SplunkSettings, context: SinkContext) -> ssl.SSLContext | bool:
    if not settings.verify_tls:
        return False
    try:
        ca_file = settings.ca_file and Path(context.environ.get(STARTED_IN, "")) / settings.ca_file
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise ConfigError(f"sinks.splunk_hec.ca_file: {settings.ca_file}: {error.strerror or error}") from None


SINK = SinkType("splunk_hec", SplunkSettings, open_splunk_hec)
