"""What stands before the record on a line: headers of syslog, container runtimes and tools that print logs.

A header is only taken off where it is one of these, whole, from the start of the line, and where nothing but the record
follows: a record that stands somewhere in a line may be what somebody sent to the program that wrote the line.

syslog: https://www.rfc-editor.org/rfc/rfc5424, https://www.rfc-editor.org/rfc/rfc3164; `@cee:`
https://www.rsyslog.com/json-elasticsearch/
CRI: https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md
JSON text sequences: https://www.rfc-editor.org/rfc/rfc7464
klog: https://github.com/kubernetes/klog
"""

import re
from typing import NamedTuple

CONTAINER_RUNTIME = "cri"
_MOST_HEADERS = 3
"""One in another: a container runtime's before syslog's before `@cee:`."""
_LONGEST_HEADER = 4_096
_TIME = (
    rb"\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?"
    rb"(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?"
)
_WORD = rb"[!-~]{1,255}+"
_NAME = rb"[\w./@:+-]{1,255}+"
_MONTH = rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_SD_ELEMENT = rb'\[[!-~]{1,255}?(?: [!-<>-~]{1,255}?="(?:[^"\\]|\\.){0,2000}+"){0,50}+\]'
_TAG = rb"[\w./@-]{1,128}+(?:\[[\w.-]{0,64}\])?:"
JSON = re.compile(rb"\s{0,20}(?:\{|\[\s{0,20}[{\]\"])")
"""How a record begins, or several; a bracket with a word behind it begins none."""
_JSON_FOLLOWS = rb"(?=\{|\[\s{0,20}[{\]\"])"
_LABELS = rb'\{(?:[\w.-]{1,255}="(?:[^"\\]|\\.){0,1000}+"(?:, ?)?){0,50}+\}'


class LinePrefix(NamedTuple):
    """One kind of header. That of container runtimes says in a group `part` whether the record goes on (`P`)."""

    name: str
    pattern: re.Pattern[bytes]


PREFIXES = tuple(
    LinePrefix(name, re.compile(pattern))
    for name, pattern in (
        ("cee", rb"@cee: ?"),
        ("json sequence", rb"\x1e"),
        (CONTAINER_RUNTIME, _TIME + rb" (?P<stream>stdout|stderr) (?P<part>[FP])(?:[:\w]{0,20}) "),
        (
            "syslog",
            rb"(?:\d{1,7} )?<\d{1,3}>1 %s %s %s %s %s (?:-|(?:%s){1,20}+) ?(?:\xef\xbb\xbf)?"
            % (_WORD, _WORD, _WORD, _WORD, _WORD, _SD_ELEMENT),
        ),
        (
            "syslog",
            rb"(?:<\d{1,3}>)?(?:%s {1,2}\d{1,2}(?: \d{4})? \d\d:\d\d:\d\d(?:\.\d{1,9})?|%s) (?:%s )?%s ?"
            % (_MONTH, _TIME, _NAME, _TAG),
        ),
        ("fluentd", rb"(?:%s|\d{9,13}(?:\.\d{1,9})?)\t%s\t" % (_TIME, _WORD)),
        ("klog", rb"[IWEF]\d{4} \d\d:\d\d:\d\d\.\d{6} {1,8}\d{1,10} [\w./-]{1,255}:\d{1,6}\] " + _JSON_FOLLOWS),
        ("pod name", rb"\[(?:pod/)?[\w./-]{1,255}\] " + _JSON_FOLLOWS),
        ("compose", rb"[\w.-]{1,128} {1,40}\| {1,4}" + _JSON_FOLLOWS),
        ("log labels", rb"%s[ \t]{1,4}%s[ \t]{1,4}" % (_TIME, _LABELS) + _JSON_FOLLOWS),
        ("time and names", rb"\[?%s\]?(?:[ \t]{1,8}[\w./@:,+\[\]-]{1,255}){0,5}[ \t|]{1,8}" % _TIME + _JSON_FOLLOWS),
        ("node name", rb"[A-Za-z0-9][\w.-]{0,252}[ \t]{1,8}" + _JSON_FOLLOWS),
        ("file name", rb"[\w./@+-]{1,255}:(?:\d{1,9}:)? ?" + _JSON_FOLLOWS),
    )
)


class Unprefixed(NamedTuple):
    """What follows a line's headers: where it starts, the headers' names, and whether it goes on in the next line of
    the same stream.
    """

    start: int
    names: tuple[str, ...]
    stream: bytes
    is_part: bool


def without_prefix(line: bytes) -> Unprefixed:
    """Takes the headers of one line off; most lines have the header of the line before them, but none is costly."""
    names: list[str] = []
    start, stream, is_part = 0, b"", False
    while len(names) < _MOST_HEADERS and not JSON.match(line, start):
        found = _prefix_at(line, start)
        if found is None:
            break
        prefix, match = found
        names.append(prefix.name)
        if prefix.name == CONTAINER_RUNTIME:
            stream, is_part = match["stream"], match["part"] == b"P"
        start = match.end()
    return Unprefixed(start, tuple(names), stream, is_part)


def _prefix_at(line: bytes, start: int) -> tuple[LinePrefix, re.Match[bytes]] | None:
    end = start + _LONGEST_HEADER
    for prefix in PREFIXES:
        if match := prefix.pattern.match(line, start, end):
            return prefix, match
    return None
