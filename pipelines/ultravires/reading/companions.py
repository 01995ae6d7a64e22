"""Lines that a server writes about itself beside the records of its log: known companions, counted and not refused.

Where a program sends its audit records to its standard output, what its logging library writes stands between them.
Such a line says nothing of what anybody did, so it is no doubt about the log. It is known by the form of a logging
library's line, and never where it may be a record: what holds objects, or names an event or a decision, is none.
"""

import re
from typing import Any

import msgspec

SERVER_LINES = "a server's own lines"
"""Why such a record is ignored."""

_TIME = rb"\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?"
_LEVEL = rb"(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|ERR|FATAL|CRITICAL|PANIC)"
_LINES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rb"[IWEF]\d{4} \d\d:\d\d:\d\d\.\d{6}\s{1,8}\d{1,10} [\w./-]{1,255}:\d{1,6}\]",  # klog
        rb"%s\s{1,4}\[?%s\]?[\s:]" % (_TIME, _LEVEL),  # hclog of Vault, zap of the Collector, Teleport
        rb'(?:time|ts|t)="?%s"?\s(?:[\w.]{1,40}=(?:"(?:[^"\\]|\\.){0,4000}+"|\S{0,400})\s){0,5}(?:level|lvl)="?%s\b'
        % (_TIME, _LEVEL),  # logrus and slog as text
        rb"==> Vault (?:server|agent|proxy) ",
        # what Vault prints when it starts
        rb"(?:Administrative Namespace|Api Address|Cgo|Cluster Address|Environment Variables|Go Version|HA Storage|"
        rb"Listener \d{1,3}|Log Level|Mlock|Recovery Mode|Seal Type|Storage|Version|Version Sha): ",
    )
)
_decode = msgspec.json.Decoder(dict[str, Any]).decode
_TEXT_LEVELS = frozenset(
    {"trace", "debug", "info", "notice", "warn", "warning", "error", "err", "fatal", "critical", "panic"}
)
_LEVEL_NAMES = ("level", "lvl", "severity", "@level", "v")
_MESSAGE_NAMES = ("msg", "message", "@message")
_TIME_NAMES = ("time", "ts", "timestamp", "@timestamp", "t")
_OF_REQUESTS = frozenset({"req_params", "headers"})
"""Objects in which OPA's server notes the parameters of a request for itself."""
_RECORD_MARKS = frozenset({"decision_id", "event", "event_type", "eventType", "type", "action", "auditID", "audit_id"})


def is_server_line(line: bytes) -> bool:
    """Whether a line that is no JSON was written by a server's logging library, and holds no object."""
    return b'{"' not in line and b"\n" not in line and any(form.match(line) for form in _LINES)


def is_of_server(data: bytes) -> bool:
    """Whether bytes that did not become a record are a line of a server's logging library, as text or as JSON."""
    if data[:1] != b"{":
        return is_server_line(data)
    try:
        return is_server_object(_decode(data))
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False


def is_server_object(record: Any) -> bool:
    """The same of a line that a logging library wrote as JSON: a level, a message, a time, and nothing nested."""
    if type(record) is not dict or not _RECORD_MARKS.isdisjoint(record):
        return False
    level = next((record[name] for name in _LEVEL_NAMES if name in record), None)
    is_level = level.lower() in _TEXT_LEVELS if type(level) is str else type(level) is int
    has_message = any(type(record.get(name)) is str for name in _MESSAGE_NAMES)
    has_time = any(name in record for name in _TIME_NAMES)
    return is_level and has_message and has_time and not any(map(_is_nested, record.items()))


def _is_nested(member: tuple[str, Any]) -> bool:
    name, value = member
    return isinstance(value, dict) and bool(value) and name not in _OF_REQUESTS
