"""Every source that takes plain records gives, of any file, the same as when all records are dictionaries."""

import gzip
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from unittest.mock import patch

import pytest
from both_forms import (
    all_as_dictionaries,
    decoded_records,
    n_plain,
    plainly_written,
    same_file_in_both_forms,
    same_in_both_forms,
)
from conftest import REPO
from fuzzing import hostile_file, hostile_lines
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from source_samples import OPTIONS, SAMPLES, source
from ultravires import registry
from ultravires.formats.decompressing import FileBytes
from ultravires.reading import files
from ultravires.reading.input_file import InputFile
from ultravires.reading.locations import FileStat
from ultravires.reading.small_files import SmallFiles

NAMES = sorted(name for name, each in registry.sources().items() if each.record)
each_source = pytest.mark.parametrize("name", NAMES)
MOST_FILES = 30


def logs_of(name: str) -> list[Path]:
    """The source's files in this repository, of many every so manieth."""
    folders = [REPO / "data" / log / name for log in ("samples", "investigation", "sources")]
    found = [file for folder in folders for file in sorted(folder.rglob("*")) if file.is_file()]
    found = [file for file in found if file.stem not in ("expected", "crossing")]
    return found[:: len(found) // MOST_FILES + 1]


LOGS = {name: logs_of(name) for name in NAMES}
SECRET = b'"password":"hunter2"'
SECRET_IN_TEXT = rb'"{\"password\":\"hunter2\"}"'


def lines_of(name: str) -> list[bytes]:
    """The records of the source's logs in this repository, written plainly, some of each file."""
    return [
        plainly_written(record, source(name))
        for file in LOGS[name]
        for record in decoded_records(b"".join(FileBytes(file, OPTIONS).chunks()), source(name))[:40]
    ]


LINES = {name: lines_of(name) for name in NAMES}


def typical(name: str) -> list[bytes]:
    """Of the records that are plain the longest, one for each way in which they begin."""
    plain = sorted((line for line in LINES[name] if n_plain(line, source(name))), key=len)
    return list({line[:12]: line for line in plain}.values())


TYPICAL = {name: typical(name) for name in NAMES}

TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null|[{}\[\]:,]')
ODD_VALUES = (
    *(
        b"null",
        b"true",
        b"[]",
        b"{}",
        b'""',
        b"7",
        b"-0",
        b"1.0e5",
        b"1.50",
        b"1e400",
        b"9" * 30,
        b"18446744073709551616",
    ),
    *(b"NaN", b"01", b'["a"]', b'[{"a":1}]', b'"\\u00e9"', b'"\\/"', b'"\\ud800"', b'"\xc3\xa9"', b'"\xe2\x80\xa8"'),
    *(b'"\xff"', b'"\xc3"', b'"\xed\xa0\x80"', b'"\x01"', b'"\x7f"', b'"\\u0000"', b'"a\\nb"', b"'a'", b"tru"),
    *(SECRET_IN_TEXT, b'"{\\"a\\": 1, \\"a\\": 2}"', b'"{\\"\\\\u0070assword\\":\\"hunter2\\"}"'),
)
ODD_MEMBERS = (b'"unknown":1,', b" ", b"\t", b'"":null,', SECRET + b",", b'"unknown":{"a":[1, 2]},')
DEPTHS = range(OPTIONS.max_depth - 12, OPTIONS.max_depth + 4)
Change = Callable[[bytes, "re.Match[bytes]"], Iterator[bytes]]


def in_place(data: bytes, token: "re.Match[bytes]", new: bytes) -> bytes:
    return data[: token.start()] + new + data[token.end() :]


def other_values(data: bytes, token: "re.Match[bytes]") -> Iterator[bytes]:
    """Something else in place of a string or a plain value, and the same string written otherwise."""
    if token[0][0] in b"{}[]:,":
        return
    for value in ODD_VALUES:
        yield in_place(data, token, value)
    if token[0][:1] == b'"' and len(token[0]) > 2:
        first, rest = token[0][1:2], token[0][2:]
        yield in_place(data, token, b'"\\u%04x' % ord(first) + rest)
        yield in_place(data, token, b'"\xff' + token[0][1:])
        yield in_place(data, token, b'"\\/' + token[0][1:])


def other_members(data: bytes, token: "re.Match[bytes]") -> Iterator[bytes]:
    """One more at the beginning of an object, also one of a name that is there."""
    if token[0] == b"{":
        repeated = TOKEN.match(data, token.end())
        again = [repeated[0] + b":" + value + b"," for value in (b"1", b'"x"', b"{}")] if repeated else []
        for member in (*ODD_MEMBERS, *again):
            yield in_place(data, token, b"{" + member)


def other_punctuation(data: bytes, token: "re.Match[bytes]") -> Iterator[bytes]:
    """Blanks around it, none of it, two of it, or the end."""
    if token[0][0] in b"{}[]:,":
        for new in (b" " + token[0], token[0] + b" ", b"", token[0] * 2):
            yield in_place(data, token, new)
        yield data[: token.start()]


def deep_members(data: bytes, token: "re.Match[bytes]") -> Iterator[bytes]:
    """A secret, and beside it a member as deep as a record may be, just less or just more."""
    if token[0] == b"{":
        for depth in DEPTHS:
            yield in_place(data, token, b"{" + SECRET + b',"deep":' + b"[" * depth + b"1" + b"]" * depth + b",")


def moved_members(data: bytes, token: "re.Match[bytes]") -> Iterator[bytes]:
    """Two plain members of an object in the other order."""
    pair = re.compile(rb'("[^"\\]*":(?:"[^"\\]*"|[\w.-]+)),("[^"\\]*":(?:"[^"\\]*"|[\w.-]+))').match(
        data, token.start()
    )
    if pair:
        yield data[: pair.start()] + pair[2] + b"," + pair[1] + data[pair.end() :]


CHANGES = (other_values, other_members, other_punctuation, deep_members, moved_members)


def changed(name: str, change: Change) -> list[bytes]:
    """The typical records with the change made in each of their places, one at a time."""
    return [new for data in TYPICAL[name] for token in TOKEN.finditer(data) for new in change(data, token)]


@each_source
def test_the_logs_of_this_repository_are_the_same(name: str, tmp_path: Path) -> None:
    n_records = sum(same_file_in_both_forms(file, source(name)).n_records for file in LOGS[name])
    assert n_records >= len(LINES[name]) > 10
    assert same_in_both_forms(b"\n".join(LINES[name]), source(name), tmp_path).rows


@each_source
def test_written_plainly_most_of_their_records_are_taken(name: str) -> None:
    """And none is while all are read as dictionaries, so that the tests here compare two readings."""
    data = b"\n".join(LINES[name])
    assert n_plain(data, source(name)) > 0.5 * len(LINES[name])
    with all_as_dictionaries():
        assert n_plain(data, source(name)) == 0


@pytest.mark.cross
@each_source
@pytest.mark.parametrize("change", CHANGES)
def test_a_record_with_any_one_change_is_the_same(name: str, change: Change, tmp_path: Path) -> None:
    """In each place of a typical record, among such as are not changed."""
    lines = changed(name, change)
    assert len(lines) > 5
    data = b"\n".join([*TYPICAL[name], *lines, *TYPICAL[name]])
    assert same_in_both_forms(data, source(name), tmp_path).rows


@each_source
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.stress) for seed in range(1, 10))])
def test_records_with_several_changes_are_the_same(name: str, seed: int, tmp_path: Path) -> None:
    random = Random(f"{name} {seed}")
    lines = []
    for _ in range(600):
        data = random.choice(LINES[name])
        for _ in range(random.randint(2, 4)):
            token = random.choice(list(TOKEN.finditer(data)) or [None])
            data = random.choice([data, *random.choice(CHANGES)(data, token)]) if token else data
        lines.append(data)
    assert same_in_both_forms(b"\n".join(lines), source(name), tmp_path).rows


def string_values(line: bytes) -> "list[re.Match[bytes]]":
    """The strings of a record that are no names of members."""
    strings = (token for token in TOKEN.finditer(line) if token[0][:1] == b'"')
    return [token for token in strings if line[token.end() : token.end() + 1] != b":"]


@each_source
def test_invalid_utf_8_in_any_value_is_replaced(name: str, tmp_path: Path) -> None:
    """Wherever it stands: in a part that was seen before, in an attribute, in a field that is not looked at."""
    for bad in (b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf5\x80\x80\x80"):
        for line in TYPICAL[name]:
            lines = [in_place(line, token, token[0][:-1] + bad + b'"') for token in string_values(line)]
            read = same_in_both_forms(b"\n".join([line, *lines]), source(name), tmp_path)
            assert len(lines) > 10
            assert "invalid UTF-8" not in {refused.reason for refused in read.quarantined}
            assert len(read.rows) + len(read.quarantined) + read.n_ignored == read.n_records == len(lines) + 1
            assert ["mended" in row["detail"] for row in read.rows] == [False] + [True] * (len(read.rows) - 1)


@each_source
def test_a_secret_in_any_place_is_in_no_row(name: str, tmp_path: Path) -> None:
    """As a member of any object, or in JSON inside of any string that is a value."""
    for line in TYPICAL[name]:
        objects = [token for token in TOKEN.finditer(line) if token[0] == b"{"]
        members = [in_place(line, token, b"{" + SECRET + b",") for token in objects]
        texts = [in_place(line, token, SECRET_IN_TEXT) for token in string_values(line)]
        read = same_in_both_forms(b"\n".join(members + texts), source(name), tmp_path)
        assert len(read.rows) > len(texts) / 2
        assert "hunter2" not in str(read.rows)
        assert "redacted:" in str(read.rows)


@each_source
@pytest.mark.parametrize("hidden", [{"fields": {"*": ("id", "userAgent")}}, {"redact": frozenset({"mot de passe"})}])
def test_other_options_are_the_same(name: str, hidden: dict[str, object], tmp_path: Path) -> None:
    """Where fields are named that no source may see, every record is a dictionary."""
    options = replace(OPTIONS, **hidden)  # type: ignore[arg-type]
    data = b"\n".join(LINES[name]).replace(b'"password"', b'"mot de passe"')
    assert same_in_both_forms(data, source(name), tmp_path, options).rows
    assert (n_plain(data, source(name), options) == 0) == ("fields" in hidden)


@each_source
def test_an_object_that_is_written_as_text_is_the_same(name: str, tmp_path: Path) -> None:
    """Wherever the source says that an object belongs, also inside of another one."""
    changed = []
    for line in LINES[name][:200]:
        for path in source(name).objects:
            record = json.loads(line)
            *above, last = path.split(".")
            holder = record
            for member in above:
                holder = holder.get(member) if isinstance(holder, dict) else None
            if isinstance(holder, dict) and isinstance(holder.get(last), dict):
                for text in (json.dumps(holder[last]), "[bold]x[/bold]"):
                    holder[last] = text
                    changed.append(json.dumps(record, separators=(",", ":")).encode())
    if source(name).objects:
        assert len(changed) > 10
        same_in_both_forms(b"\n".join(changed), source(name), tmp_path)


def agree_on_hostile_files(name: str, seeds: Iterable[int], folder: Path) -> None:
    for seed in seeds:
        same_in_both_forms(hostile_file(name, seed), source(name), folder)


@each_source
def test_a_hostile_file_is_the_same(name: str, tmp_path: Path) -> None:
    agree_on_hostile_files(name, range(60), tmp_path)


@pytest.mark.stress
@each_source
def test_ten_thousand_hostile_files_are_the_same(name: str, tmp_path: Path) -> None:
    agree_on_hostile_files(name, range(1_000, 11_000), tmp_path)


@each_source
def test_a_file_that_ends_early_is_the_same(name: str, tmp_path: Path) -> None:
    packed = gzip.compress(b"\n".join(LINES[name] * 4))
    read = same_in_both_forms(packed[: len(packed) * 2 // 3], source(name), tmp_path)
    assert read.rows and read.quarantined


@each_source
def test_a_file_of_several_batches_is_the_same(name: str, tmp_path: Path) -> None:
    """Equal records without an id are as many events, in whichever batch they lie."""
    data = b"\n".join([*LINES[name][:30], *LINES[name][:30]])
    whole = same_in_both_forms(data, source(name), tmp_path)
    with patch.object(files, "MAX_RAW_BYTES", 10_000):
        in_batches = same_in_both_forms(data, source(name), tmp_path)
    assert in_batches == whole


def gathered(name: str, texts: Sequence[tuple[bytes, str | None]]) -> object:
    """Rows, refusals and counts of small files that are read together."""
    small = SmallFiles(source(name), OPTIONS)
    for number, (data, damage) in enumerate(texts):
        small.add(InputFile(f"f{number}", f"f{number}", FileStat(1, 1), f"id{number}"), data, damage)
    events, refused = small.finish()
    events.validate(full=True)
    refusals = [(file.file_id, each.record_no, each.byte_offset, each.reason, each.raw) for file, each in refused]
    counts = [(file.records, file.emitted, file.quarantined, file.ignored) for file in small.files]
    return events.to_pylist(), refusals, counts


@each_source
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(kinds=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 99)), max_size=8))
def test_small_files_together_are_the_same(name: str, kinds: list[tuple[int, int]]) -> None:
    """Plain, in one array, empty, hostile, damaged and foreign ones beside each other."""
    texts: list[tuple[bytes, str | None]] = []
    for kind, seed in kinds:
        lines = LINES[name][seed : seed + seed % 7]
        plain = b"\n".join(lines)
        array = b"[" + b",".join(lines) + b"]"
        hostile = hostile_lines(name, Random(seed))
        damage = "gzip ends early" if kind == 4 else None
        texts.append((((plain, array, b"", hostile, plain, SAMPLES["approvals"]))[kind], damage))
    as_written = gathered(name, texts)
    with all_as_dictionaries():
        assert gathered(name, texts) == as_written
