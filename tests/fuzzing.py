"""Hostile logs from a seed: records of each source with wrong values, and files with wrong bytes.

The same seed gives the same bytes, so a failure is repeated by its seed alone.
"""

import gzip
import json
from collections.abc import Iterator
from random import Random
from typing import Any, NamedTuple

from source_samples import SAMPLES, cloudtrail


class Token(NamedTuple):
    """JSON text that is written as it stands: numbers that Python would change, and what is no JSON at all."""

    text: str


class Members(NamedTuple):
    """A JSON object as its members in order, names repeated or not."""

    pairs: list[tuple[str, Any]]


STRINGS = (
    "",
    " ",
    "x",
    "\x00",
    "a\x00b",
    "\x1b[2J\x1b]0;owned\x07",
    "\u202egnp.exe",
    "\ufeff",
    "\U0001f4a3",
    "e\u0301",
    "\uffff",
    "\x7f\x85\u2028",
    "'); drop table events; --",
    "../../etc/passwd",
    "%s{0}$(id)",
    "[bold]x[/bold]",
    "<script>alert(1)</script>",
    '{"password": "x"}',
    '{"a": {"a": {"a": 1}}}',
    "[1, {",
    "{",
    "2026-10-05T10:00:00Z",
    "9999-12-31T23:59:59.999999Z",
    "1970-01-01T00:00:00.000001Z",
    "0000-00-00T00:00:00Z",
    "2026-10-05T10:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "2026-02-30T10:00:00Z",
    "18446744073709551615",
    "99999999999999999999",
    "-1",
    "1e400",
    "\u0661\u0662",
    "arn:aws:iam::1:role/",
    "arn:aws:::::",
    "::1",
    "fe80::1%eth0",
    "999.1.1.1",
    "0.0.0.0",
    "true",
    "deny",
    "x" * 5000,
)
TOKENS = (
    "0",
    "-0",
    "-0.0",
    "1.5",
    "1e2",
    "1E-400",
    "1e308",
    "1e400",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775809",
    "18446744073709551616",
    "1" * 400,
    "1" * 5000,
    "0." + "1" * 400,
    "01",
    "NaN",
    "-Infinity",
    '"\\ud800"',
    '"\\udc00\\ud83d"',
    '"\\ud83d\\udca3"',
    '"\\u0000"',
    '"\\x"',
    '"\t"',
    "tru",
    "true",
    "false",
    "null",
    "[]",
    "{}",
    "[[[]]]",
    '{"": ""}',
    "",
)
NAMES = ("", "key", "value", "password", "\u0070assword", "a.b", "x" * 300, "\x00", "id", "eventTime", "Records", "$")
PIECES = (
    *(b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"\n", b"\r\n", b"\x00", b"\xff", b"\xef\xbb\xbf"),
    *(b"\xed\xa0\x80", b"null", b'{"Records":[', b'{"a":', b"]}", b"\\u0000", b"1e999", b"\x1f\x8b", b" " * 2000),
)


def records(name: str) -> list[dict[str, Any]]:
    """Whole records of a source, as one line of its log each."""
    more = [cloudtrail(eventID="bare")] if name == "aws_cloudtrail" else []
    return [*_documents(SAMPLES[name]), *more]


def _documents(sample: bytes) -> list[Any]:
    """A sample's documents, one a line or one over lines."""
    try:
        return [json.loads(sample)]
    except ValueError:
        return [json.loads(line) for line in sample.splitlines()]


def members(value: Any) -> Any:
    """A decoded value with its objects as Members, ready to be spoilt."""
    if isinstance(value, dict):
        return Members([(key, members(member)) for key, member in value.items()])
    return [members(item) for item in value] if isinstance(value, list) else value


def hostile_record(name: str, random: Random) -> bytes:
    """One record of the source with up to six changes, as one line without a line break."""
    record = members(random.choice(records(name)))
    for _ in range(random.randint(1, 6)):
        holders = list(_holders(record))
        _spoil(random.choice(holders), random)
    return write(record, random).encode("utf-8", "surrogatepass")


def write(value: Any, random: Random) -> str:
    """JSON text; strings are sometimes escaped where they need not be."""
    if isinstance(value, Token):
        return value.text
    if isinstance(value, Members):
        inner = (f"{write(key, random)}:{write(member, random)}" for key, member in value.pairs)
        return "{" + ",".join(inner) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(write(item, random) for item in value) + "]"
    if isinstance(value, str) and random.random() < 0.05:
        return '"' + "".join(f"\\u{ord(c):04x}" if ord(c) <= 0xFFFF else c for c in value) + '"'
    return json.dumps(value, ensure_ascii=random.random() < 0.5)


def hostile_lines(name: str, random: Random) -> bytes:
    """A file of some spoilt records, one a line."""
    return b"\n".join(hostile_record(name, random) for _ in range(random.randint(1, 4)))


def hostile_bytes(name: str, random: Random) -> bytes:
    """A whole file of the source with wrong bytes in it, plain or gzip; or a gzip file with wrong bytes."""
    data = SAMPLES[name] if random.random() < 0.7 else hostile_lines(name, random)
    form = random.randrange(6)
    if form < 4:
        data = mutated(data, random)
        return data if form < 3 else gzip.compress(data, 1, mtime=0)
    half = random.randrange(len(data))
    packed = gzip.compress(data[:half], 1, mtime=0) + gzip.compress(data[half:], 6, mtime=0)
    return mutated(packed, random)


def mutated(data: bytes, random: Random) -> bytes:
    """Flips, inserts, deletes, repeats, cuts off and mixes in, up to eight times."""
    spoilt = bytearray(data)
    for _ in range(random.randint(1, 8)):
        at = random.randrange(len(spoilt) + 1)
        width = random.choice((0, 1, 1, 2, 8, 60, 400))
        change = random.randrange(8)
        if change == 0:
            del spoilt[at : at + width]
        elif change == 1:
            spoilt[at:at] = spoilt[at : at + width] * random.randint(1, 3)
        elif change == 2:
            spoilt[at : at + width] = random.randbytes(width)
        elif change == 3 and at < len(spoilt):
            spoilt[at] ^= 1 << random.randrange(8)
        elif change == 4 and random.random() < 0.2:
            del spoilt[at:]
        elif change == 5:
            other = SAMPLES[random.choice(sorted(SAMPLES))]
            start = random.randrange(len(other))
            spoilt[at:at] = other[start : start + width]
        else:
            spoilt[at : at + random.choice((0, 1))] = random.choice(PIECES)
    return bytes(spoilt)


def hostile_file(name: str, seed: int) -> bytes:
    """The file of this seed: half of them spoilt records, half wrong bytes."""
    random = Random(f"{name} {seed}")
    return hostile_lines(name, random) if random.random() < 0.5 else hostile_bytes(name, random)


def _holders(value: Any) -> Iterator[Any]:
    """Every object and array in which something can be changed."""
    if isinstance(value, Members):
        yield value
        inner = [member for _, member in value.pairs]
    else:
        inner = value if isinstance(value, list) else []
        if inner:
            yield value
    for item in inner:
        yield from _holders(item)


def _odd(random: Random) -> Any:
    choice = random.randrange(12)
    if choice < 5:
        return random.choice(STRINGS)
    if choice < 10:
        return Token(random.choice(TOKENS))
    depth = random.choice((3, 60, 190, 210, 1500))
    return Token('{"a":' * depth + "1" + "}" * depth) if choice == 10 else Token("[" * depth + "]" * depth)


def _spoil(holder: Any, random: Random) -> None:
    items = holder.pairs if isinstance(holder, Members) else holder
    at = random.randrange(len(items) + 1)
    change = random.randrange(6)
    if at == len(items) or change == 0:
        items.insert(at, (random.choice(NAMES), _odd(random)) if isinstance(holder, Members) else _odd(random))
    elif change == 1:
        del items[at]
    elif not isinstance(holder, Members):
        items[at] = _odd(random)
    elif change == 2:
        items.append((items[at][0], _odd(random)))
    elif change == 3:
        items.append((items[at][0], items[random.randrange(len(items))][1]))
    elif change == 4:
        items[at] = (random.choice(NAMES), items[at][1])
    else:
        items[at] = (items[at][0], _odd(random))
