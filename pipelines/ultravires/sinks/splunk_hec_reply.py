"""What Splunk's HTTP Event Collector answers, and what to make of it.

Source of the codes: Splunk documentation, "Troubleshoot HTTP Event Collector", possible error codes. The
reasons are our own words: what a server sends back may hold anything, the token included.
"""

import email.utils
import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from ultravires.alerting.sink import one_line


class Verdict(enum.Enum):
    TAKEN = "taken"
    RETRY = "retry"
    """The collector is busy, down or not reached: the same request may succeed later."""
    REFUSED = "refused"
    """The sender is refused whatever it sends: token, index, channel or address are wrong."""
    BAD_EVENT = "bad event"
    """One event of the batch is not acceptable, the others are."""


@dataclass(frozen=True)
class Reply:
    verdict: Verdict
    reason: str = ""
    bad_event: int | None = None
    """Position in the batch, where the collector names it."""
    ack_id: int | None = None
    acks: frozenset[int] = frozenset()
    """The acknowledgement ids that the indexer has confirmed."""
    retry_after: float | None = None
    """Seconds, where the collector asks for them."""


_OK_CODES = {0, 17, 24, 25}
_BAD_EVENT_CODES = {5, 6, 12, 13, 15}
_BUSY_CODES = {8, 9, 18, 19, 20, 23, 26, 27}
_REASONS = {
    1: "the token is disabled; enable it, or name another token",
    2: "no token arrived; check what stands between us and Splunk",
    3: "the authorization was not understood; check what stands between us and Splunk",
    4: "the token is not known there; check the variable that token_env names, and the url",
    5: "the event is empty",
    6: "the event is not valid JSON for Splunk",
    7: "the token may not write to this index; set sinks.splunk_hec.index to one that it may",
    8: "internal server error",
    9: "the server is busy",
    10: "the token needs a channel, and none arrived",
    11: "the channel was refused",
    12: "the event field is missing",
    13: "the event field is blank",
    14: "indexer acknowledgement is off for this token; set use_ack: false, or turn it on there",
    15: "the indexed fields were refused",
    16: "authorization in the address is off",
    18: "its queues are full",
    19: "its acknowledgement service is unavailable",
    20: "its queues are full and its acknowledgement service is unavailable",
    21: "the token is not valid",
    22: "the token is disabled; enable it, or name another token",
    23: "it is shutting down",
    26: "its queue is at capacity",
    27: "its acknowledgement channel is at capacity",
}


def read_reply(status: int, headers: Mapping[str, str], body: bytes, *, now: datetime | None = None) -> Reply:
    """The meaning of one HTTP answer; never raises, whatever came back."""
    answer = _as_object(body)
    code = _number(answer.get("code"))
    reason = f"HTTP {status}: " + _REASONS.get(-1 if code is None else code, "")
    if status == 200 and ("acks" in answer or code in _OK_CODES):
        return Reply(Verdict.TAKEN, ack_id=_number(answer.get("ackId")), acks=_confirmed(answer.get("acks")))
    if status == 200 and code is None:
        return Reply(Verdict.RETRY, "HTTP 200 without a status of the collector; is the url right?")
    if status == 413:
        return Reply(Verdict.BAD_EVENT, "HTTP 413: the event is larger than Splunk takes")
    if code in _BUSY_CODES or status == 429 or status >= 500:
        wait = _seconds(headers.get("retry-after"), now or datetime.now(UTC))
        return Reply(Verdict.RETRY, reason.removesuffix(": "), retry_after=wait)
    if code in _BAD_EVENT_CODES:
        return Reply(Verdict.BAD_EVENT, reason, bad_event=_number(answer.get("invalid-event-number")))
    return Reply(Verdict.REFUSED, reason.removesuffix(": "))


def unreachable(error: Exception, secret: str) -> Reply:
    """A request that got no answer."""
    text = one_line(error, limit=200).replace(secret, "(token)")
    return Reply(Verdict.RETRY, f"{type(error).__name__}: {text}" if text else type(error).__name__)


def _as_object(body: bytes) -> dict[str, Any]:
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _confirmed(acks: object) -> frozenset[int]:
    if not isinstance(acks, dict):
        return frozenset()
    return frozenset(int(key) for key, done in acks.items() if done is True and str(key).isdecimal())


def _seconds(value: str | None, now: datetime) -> float | None:
    """Retry-After (RFC 9110, 10.2.3): seconds, or a date."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, (email.utils.parsedate_to_datetime(value) - now).total_seconds())
    except (ValueError, TypeError):
        return None
