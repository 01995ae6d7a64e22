"""Records whose text was broken on its way into the log, mended where only one reading is possible.

Asked only where a record did not decode. Text that was cut inside of a character, bytes that are no UTF-8 and NUL
become U+FFFD; other control characters are kept as what they are; what Python and JavaScript write where JSON has no
word (NaN, None, True) and Python's own writing of a whole record are unambiguous outside of strings. Everything else
stays broken: nobody guesses where a string without its quote ends.
"""

import ast
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

UNDECODABLE = (msgspec.DecodeError, UnicodeError, RecursionError)
"""What decoding broken bytes raises."""

INVALID_UTF8, LONE_SURROGATE, CONTROL = "invalid UTF-8", "lone surrogate", "control character"
NUL, BROKEN_ESCAPE, FOREIGN_WORD, PYTHON = "NUL", "broken escape", "word that JSON does not have", "written by Python"

_TOKEN = re.compile(
    rb'"(?:[^"\\]|\\.)*+"|(?<![\w.+-])(?:-?Infinity|-?inf|NaN|nan|None|True|False|undefined)(?![\w.+-])', re.DOTALL
)
_TO_MEND = re.compile(rb"[\x00-\x1f]|\\(?:u(?:[dD][89a-fA-F]|(?![0-9a-fA-F]{4}))|[x'])")
_PART = re.compile(
    rb"(?P<pair>\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|(?P<lone>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
    rb"|(?P<cut>\\u(?![0-9a-fA-F]{4})[0-9a-fA-F]{0,3})"
    rb"|\\x(?P<byte>[0-9a-fA-F]{2})"
    rb"|(?P<quote>\\')"
    rb"|(?P<escape>\\.)"
    rb"|(?P<control>[\x00-\x1f])",
    re.DOTALL,
)
_REPLACEMENT = rb"\ufffd"
_WORDS = {b"True": b"true", b"False": b"false"}
_NULL = b"null"
PYTHON_STARTS = (b"{'", b"[{'")
"""How Python writes the beginning of a dictionary, or of a list of them."""
_MOST_BYTES = 16 << 20
"""Of a record that is mended: mending costs a hundred times what decoding does."""
_MOST_BYTES_OF_OBJECT = 256 << 10
"""Within which the end of a broken object of an array is looked for."""
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*+"|[{}\[\]]', re.DOTALL)
_PYTHON_TOKEN = re.compile(
    rb"\s++|(?P<string>'(?:[^'\\\n]|\\.)*+'|\"(?:[^\"\\\n]|\\.)*+\")|(?P<word>[A-Za-z]++)(?!['\"(.\w])"
    rb"|-?\d[\w.+-]*+|[{}\[\]:,]"
)
_PYTHON_WORDS = {b"True": b"true", b"False": b"false", b"None": _NULL, b"nan": _NULL, b"inf": _NULL}


class Mended(NamedTuple):
    """The bytes of a record as they decode, and what was mended in it."""

    data: bytes
    marks: tuple[str, ...]


def mend(data: bytes) -> Mended | None:
    """The bytes with what was broken replaced; None where there is nothing to mend."""
    if len(data) > _MOST_BYTES:
        return None
    marks: dict[str, None] = {}
    found = data
    try:
        found.decode()
    except UnicodeDecodeError:
        marks[INVALID_UTF8] = None
        found = found.decode(errors="replace").encode()
    if is_python(found):
        as_json = python_as_json(found)
        if as_json is None:
            return None
        marks[PYTHON] = None
        found = as_json

    def mend(match: re.Match[bytes]) -> bytes:
        token = match.group()
        if token[:1] != b'"':
            marks[FOREIGN_WORD] = None
            return _WORDS.get(token, _NULL)
        return _mend_string(token, marks) if _TO_MEND.search(token) else token

    found = _TOKEN.sub(mend, found)
    return Mended(found, tuple(marks)) if marks else None


def decode_mended(data: bytes, decode: Callable[[bytes], Any]) -> tuple[Any, Mended] | None:
    """What `decode` makes of the mended bytes, and those; None where they are no better."""
    found = mend(data)
    if found is None:
        return None
    try:
        return decode(found.data), found
    except UNDECODABLE:
        return None


def _mend_string(token: bytes, marks: dict[str, None]) -> bytes:
    def mend(match: re.Match[bytes]) -> bytes:
        part, kind = match.group(), match.lastgroup
        if kind in ("pair", "escape"):
            return part
        if kind == "control" and part != b"\x00":
            marks[CONTROL] = None
            return rb"\u%04x" % part[0]
        if kind == "quote":
            marks[BROKEN_ESCAPE] = None
            return b"'"
        if kind == "byte":
            marks[BROKEN_ESCAPE] = None
            return rb"\u00" + match["byte"]
        marks[{"lone": LONE_SURROGATE, "cut": BROKEN_ESCAPE}.get(kind or "", NUL)] = None
        return _REPLACEMENT

    return _PART.sub(mend, token)


def is_python(data: bytes) -> bool:
    """Whether the bytes begin as Python writes a dictionary, or a list of them."""
    return data.startswith(PYTHON_STARTS)


def python_as_json(data: bytes) -> bytes | None:
    """What `repr` wrote of dictionaries, lists, strings, numbers and constants, as JSON; None where there is more in it
    (dates, bytes, objects), or it is cut off.
    """
    parts: list[bytes] = []
    at = 0
    while at < len(data):
        match = _PYTHON_TOKEN.match(data, at)
        if match is None:
            return None
        at = match.end()
        token = match.group()
        if match["string"]:
            try:
                token = _python_string_as_json(token)
            except (SyntaxError, ValueError):
                return None
        elif match["word"]:
            if token not in _PYTHON_WORDS:
                return None
            token = _PYTHON_WORDS[token]
        parts.append(token)
    return b"".join(parts)


def _python_string_as_json(token: bytes) -> bytes:
    """Raises SyntaxError or ValueError where it is no string of Python's."""
    content = token[1:-1]
    if b"\\" not in content and b'"' not in content:
        return b'"' + content + b'"'
    value: str = ast.literal_eval(token.decode())
    return msgspec.json.encode(value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"))


def object_end(data: bytes, start: int) -> int | None:
    """Where the object that starts there ends, by its quotes and brackets alone; None where that is not near."""
    depth = 0
    for match in _BRACKETS.finditer(data, start, start + _MOST_BYTES_OF_OBJECT):
        token = match.group()
        if token in b"{[":
            depth += 1
        elif token in b"}]":
            depth -= 1
            if depth == 0:
                return match.end()
    return None


NOTED: dict[str, None] = {}
"""What was mended inside of the record that is being read, until `noted_marks` takes it."""


def decode_inner(data: bytes, decode: Callable[[bytes], Any]) -> Any:
    """A record that lies as a text inside of another one, mended where it does not decode. Raises as `decode` does."""
    try:
        return decode(data)
    except UNDECODABLE:
        found = decode_mended(data, decode)
        if found is None:
            raise
        NOTED.update(dict.fromkeys(found[1].marks))
        return found[0]


def text_of(data: bytes) -> str:
    """Text that should be UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        NOTED[INVALID_UTF8] = None
        return data.decode(errors="replace")


def noted_marks() -> tuple[str, ...]:
    """What was mended since this was asked last."""
    if not NOTED:
        return ()
    marks = tuple(NOTED)
    NOTED.clear()
    return marks
