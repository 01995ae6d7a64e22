"""Where secrets stand in text: shell commands, headers, URLs, YAML, JSON that was cut, lines that broke, base64 of
these.

`spans_in` tells the places, and whoever asks puts something else there. Its cost is linear in the text: every pattern
begins with letters that have to be there, looks ahead a bounded way or consumes what it read, and base64 is unpacked
twice at most.
"""

import re
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from functools import lru_cache

from ultravires.reading.secret_names import NOT_SECRET, PASSWORD, SEARCHED, TELLING, kind_of, words_of
from ultravires.reading.secret_values import (
    END_OF_PEM,
    FORMATS,
    SEARCHED_FORMATS,
    SECRET_BESIDE_ID,
    is_secret,
    looks_random,
)

Span = tuple[int, int]

_UNPACKED = 2
"""How often base64 inside of base64 is unpacked."""
_MOST_UNPACKED = 4 << 20
"""Characters and bytes; longer base64 with a sign of a secret in it goes whole."""
_LONGEST_NAME = 128
_REMEMBERED = 512
"""Characters of a text of which is remembered what was found."""

_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_OF_NAME = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"
_IS = re.compile(
    r"(?P<closed>\\*[\"'`]\]?)?[ \t]{0,16}"
    r"(?:(?P<is>=>|:=|[:=]{1,2}|%3[dDaA])|(?P<end>>)|(?P<comma>,)"
    r"|(?P<sql>(?<=[ \t])(?=\\*'))|(?P<blank>(?<=[ \t])|\\[nt]))"
    r"(?:[ \t]|\\[trn](?![A-Za-z]:)){0,16}"
)
_VALUE_OF_PAIR = re.compile(
    r"\\*[\"']?[ \t]{0,4}(?:,|\\n|\n)(?:\s|\\[nrt]){0,64}\\*[\"']?"
    r"(?:parameter|string|new|old|default)?value\\*[\"']?\s{0,4}"
    r"[:=]\s{0,4}(?:\{\s{0,4}\\*\"stringvalue\\*\"\s{0,4}:\s{0,4})?",
    re.IGNORECASE,
)
_IN_BINARY = re.compile(r"[\x00-\x1f\ufffd\udc80-\udcff]{1,12}")
_QUOTE = re.compile(r"\\*[\"'`]")
_WORD = re.compile(r"[^\s\"'`,;&|<>(){}\[\]\\\x00-\x1f]+")
_PASSWORD_WORD = re.compile(r"[^\s\"'`;&|<>\\\x00-\x1f]+")
_IN_QUERY = re.compile(r"(?:(?!%26)[^\s\"'`,;&<>\\\x00-\x1f])+")
_HEADER = re.compile(r"[^\"'`\r\n\\\x00-\x1f]+")
_LINE = re.compile(r"[^\r\n\"'\\\x00-\x1f{\[|>][^\r\n\\]*")
_SCHEME = re.compile(r"(?i:bearer|basic)(?:[ \t]|%20|\+|\\t){1,4}([A-Za-z0-9+/._~=\-]{8,})")
_USER_INFO = re.compile(r"://[^/\s:@\"'<>\\?#]{0,256}:([^/\s@\"'<>\\]{1,512})@")
_COMMAND = re.compile(
    r"(?:sshpass[ ]{1,4}-p[ ]{0,4}|(?:mysql|mysqldump|mariadb|mysqladmin)[ ][^\n|;]{0,256}?(?<=[ ])-p(?=\S)"
    r"|(?:curl|wget)[ ][^\n|;]{0,256}?(?<=[ ])(?:-u|--user|--proxy-user)[ =]{0,4}[\"']?[^\s:\"']{1,128}:)"
    r"([^\s\"'\\]{1,512})"
)
_RUN = re.compile(r"[A-Za-z0-9+/_\-]{16,}={0,2}")
_HEX = re.compile(r"[0-9a-fA-F\-]*+")
_GZIPPED = "H4sI"
_SIGNS = ("password", "passwd", "secret", "token", "apikey", "api_key", "private", "bearer", "credential", "BEGIN ")
_CAPITAL_SIGNS = ("Password", "Secret", "Token", "Bearer")
_WIDE_SIGNS = ("password", "Password", "secret", "token")
_LEAST_SIGN = 5
"""Letters; by chance one of so many stands in one of a hundred thousand tokens."""


def _signs_in_base64() -> str:
    """What base64 of text with such a word has in it: each at three places of a group, in the usual ways of writing
    it, and as Windows writes text. The letters at both ends depend on what stands beside, so they are left off.
    """
    words = [word.encode() for sign in _SIGNS for word in (sign, sign.upper())]
    words += [word.encode() for word in _CAPITAL_SIGNS] + [word.encode("utf-16-le") for word in _WIDE_SIGNS]
    found = {_inner(data, shift) for data in words for shift in range(3)}
    return "|".join(
        sorted(sign.replace("+", "[+-]").replace("/", "[/_]") for sign in found if len(sign) >= _LEAST_SIGN)
    )


def _inner(data: bytes, shift: int) -> str:
    whole = b64encode(b"\0" * shift + data).decode().rstrip("=")
    start = -(-shift * 8 // 6)
    return whole[start : (shift + len(data)) * 8 // 6]


_IN_BASE64 = _signs_in_base64()
_SIGN = re.compile(f"{_IN_BASE64}|{_GZIPPED}")

_SEARCHED_ANYWHERE = (
    r"(?i:bearer|basic)(?: |%20|\+|\\t)+[A-Za-z0-9+/._~=\-]{8}"
    r"|://[^/\s:@\"<>?#]*:[^/\s@\"<>]+@"
    r"|sshpass|(?:mysql|mysqldump|mariadb|mysqladmin|curl|wget)[ ]"
    rf"|{SEARCHED_FORMATS}|{_IN_BASE64}|{_GZIPPED}|\\\\u"
)
_OPTION = rf"-[A-Za-z0-9_.\-]*(?:{SEARCHED}|(?i:signature|secret|token|key)[A-Za-z0-9_.\-]*)[ ]"
_THEN_VALUE = r"[ ]*,(?:\\+[nrt]|[^A-Za-z0-9])*(?i:(?:parameter|string|new|old|default)?value)"
_NO_MASK = r"=(?:[^X*]|[X*]+[^X*& \"])"
"""What is assigned, but for a mask, which some services log in place of what they keep out (`sig=XXXXX&`)."""
_ASSIGNED = rf"\\|{_NO_MASK}|[>'`%]|[ ]+[=:>'%\\]|{_THEN_VALUE}"
SEARCHED_IN_TEXT = rf"{SEARCHED}(?:{_ASSIGNED})|{_OPTION}|[^:]{SEARCHED}:|{_SEARCHED_ANYWHERE}"
"""RE2 over JSON texts: all in which `spans_in` of some string says something, and few others. Where a telling word is
only spoken of (`token is granted`) is none."""


def searched_at_all(labels: Iterable[str]) -> str:
    """RE2: the same, or a name between quotes whose value is neither null nor a boolean, nor empty. A word that only
    ends a value (`"method": "GetSessionToken"`) is none, unless it may be the name for what stands beside it: under one
    of `labels`, or in a list before another text.
    """
    value = r':[ ]*(?:[^ ntf{"]|{[^}]|"[^"])'
    next_text = r',[ ]*"(?:[^"\\]|\\.)*"[ ]*[,\]]'
    # what is searched may itself begin with the quote
    label = rf'(?i:"(?:{"|".join(sorted(labels))})")[ ]*:[ ]*(?:"(?:[^" \\]|\\.)*)?{SEARCHED}"'
    return rf'{SEARCHED}(?::|{_ASSIGNED}|"(?:{value}|[ ]*{next_text}))|{_OPTION}|{label}|{_SEARCHED_ANYWHERE}'


def spans_in(text: str) -> list[Span]:
    """The places of secrets in a text, in their order, none overlapping."""
    return _known_spans(text) if len(text) <= _REMEMBERED else _spans(text, 0)


@lru_cache(maxsize=8_192)
def _known_spans(text: str) -> list[Span]:
    """Remembered: most texts of a log, as regions, agents and roles, are in very many of its records."""
    return _spans(text, 0)


def _spans(text: str, unpacked: int) -> list[Span]:
    found = sorted(span for find in (_formats, _named, _schemes, _commands) for span in find(text) if span[0] < span[1])
    found += _in_base64(text, unpacked)
    merged: list[Span] = []
    for start, end in sorted(found):
        if merged and start < merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def _formats(text: str) -> Iterator[Span]:
    at = 0
    while (found := FORMATS.search(text, at)) is not None:
        start, at = found.span()
        if found[0].startswith("-----"):
            end = END_OF_PEM.search(text, at)
            at = len(text) if end is None else end.end()
            yield start, at
        elif found[0][:4] in ("AKIA", "ASIA"):
            if beside := SECRET_BESIDE_ID.match(text, at):
                yield beside.span(1)
        else:
            yield start, at


def _named(text: str) -> Iterator[Span]:
    lower = text.lower() if text.isascii() else text.translate(_LOWER)
    at = 0
    while (found := TELLING.search(lower, at)) is not None:
        at = found.end()
        before = _name_before(text, found.start())
        name = text[found.start() - len(before) : at].rstrip(".-_")
        kind = _kind_of(name)
        if kind == NOT_SECRET:
            continue
        span = _value_behind(text, found.start() - len(before), at, name)
        if span is None:
            continue
        if is_secret(kind, _words_of(name), text[slice(*span)]):
            yield span
            at = max(at, span[1])


_kind_of = lru_cache(maxsize=4_096)(kind_of)
_words_of = lru_cache(maxsize=4_096)(words_of)


def _name_before(text: str, at: int) -> str:
    before = text[max(0, at - _LONGEST_NAME) : at]
    return before[len(before.rstrip(_OF_NAME)) :]


def _value_behind(text: str, start: int, at: int, name: str) -> Span | None:
    """The value that stands behind a name, which is text[start:at]: assigned, in a pair, an element, an argument."""
    pair = _VALUE_OF_PAIR.match(text, at)
    if pair is not None:
        return _value(text, pair.end(), name, is_line=False)
    said = _IS.match(text, at)
    if said is None:
        binary = _IN_BINARY.match(text, at)
        return _value(text, binary.end(), name, is_line=False) if binary and _is_binary(binary[0]) else None
    return _value_said(text, start, said, name)


def _value_said(text: str, start: int, said: re.Match[str], name: str) -> Span | None:
    is_flag, at = name.startswith("-"), said.end()
    if said["comma"] is not None:
        return _element(text, at, is_argument=is_flag) if said["closed"] is not None else None
    if said["is"] is not None:
        # between colons it is a part of something longer, as in an ARN
        is_value = said["is"] != ":" or text[start - 1 : start] != ":"
    elif said["end"] is not None:
        is_value = text[start - 1 : start] == "<"
    else:
        is_value = said["sql"] is not None or (is_flag and said["closed"] is None)
    is_line = said["is"] == ":" and said["closed"] is None and _begins_line(text, start)
    return _value(text, at, name, is_line=is_line) if is_value else None


def _is_binary(between: str) -> bool:
    return any(char not in "\t\n\r" for char in between)


def _begins_line(text: str, start: int) -> bool:
    line = text[max(0, start - 40) : start].rsplit("\n", 1)[-1].rsplit("\\n", 1)[-1]
    return "\n" in text and not line.strip(" \t-")


def _element(text: str, at: int, *, is_argument: bool) -> Span | None:
    """The next element of a list, where it looks as a secret does; that of an option as it is."""
    quote = _QUOTE.match(text, at)
    if quote is None:
        return None
    span = _quoted(text, quote)
    value = text[slice(*span)]
    return span if looks_random(value) or (is_argument and not value.startswith("-")) else None


def _value(text: str, at: int, name: str, *, is_line: bool) -> Span | None:
    quote = _QUOTE.match(text, at)
    if quote is not None and (quote.end() < len(text)):
        return _quoted(text, quote)
    lower = name.lower()
    if lower.endswith(("authorization", "cookie", "cookies")) and text[at - 1 : at] != "=":
        found = _HEADER.match(text, at)
    elif is_line:
        found = _LINE.match(text, at)
    elif text[at - 3 : at].lower() == "%3d":
        found = _IN_QUERY.match(text, at)
    else:
        found = (_PASSWORD_WORD if "pass" in lower or "pwd" in lower else _WORD).match(text, at)
    if found is None or found[0][0] in "{[(":
        return None
    return found.start(), found.start() + len(found[0].rstrip("}]),"))


def _quoted(text: str, quote: re.Match[str]) -> Span:
    """From an opening quote to the same, which no other backslash stands before; to the end where it is missing."""
    start = quote.end()
    end = text.find(quote[0], start)
    while end > start and text[end - 1] == "\\":
        end = text.find(quote[0], end + 1)
    return start, len(text) if end < 0 else end


def _schemes(text: str) -> Iterator[Span]:
    for found in _SCHEME.finditer(text):
        if any(char.isdigit() for char in found[1]) and not found[1].startswith("redacted"):
            yield found.span(1)
    for found in _USER_INFO.finditer(text):
        if is_secret(PASSWORD, "password", found[1]):
            yield found.span(1)


def _commands(text: str) -> Iterator[Span]:
    for found in _COMMAND.finditer(text):
        if is_secret(PASSWORD, "password", found[1]) and not found[1].isdigit():
            yield found.span(1)


def _in_base64(text: str, unpacked: int) -> Iterator[Span]:
    """Runs of base64 of text that holds a secret."""
    for run in _RUN.finditer(text):
        # most runs are ids, and no sign of base64 consists of hexadecimal digits alone
        if _HEX.fullmatch(run[0]) is None and _SIGN.search(run[0]) is not None and _hides_secret(run[0], unpacked):
            yield run.span()


def _hides_secret(run: str, unpacked: int) -> bool:
    if unpacked >= _UNPACKED or len(run) > _MOST_UNPACKED:
        return True
    bare = run.rstrip("=").replace("-", "+").replace("_", "/")
    data = b64decode(bare[: len(bare) - (len(bare) % 4 == 1)] + "=" * (-len(bare) % 4))
    if data[:2] == b"\x1f\x8b":
        data = _unzipped(data)
    text = as_text(data)
    return sum(char < " " and char not in "\t\r\n" for char in text[:256]) < 16 and bool(_spans(text, unpacked + 1))


def _unzipped(data: bytes) -> bytes:
    try:
        return zlib.decompressobj(31).decompress(data, _MOST_UNPACKED)
    except zlib.error:
        return b""


def as_text(data: bytes) -> str:
    """Bytes as text, as Windows writes it where every second is zero."""
    is_wide = len(data) >= 4 and data[1::2][:256].count(0) * 2 > len(data[1::2][:256])
    if is_wide and len(data) % 2 == 0:
        return data.decode("utf-16-le", "surrogatepass")
    return data.decode("utf-8", "surrogateescape")
