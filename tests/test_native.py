"""The native scanner says of a text what the readers in Python say, or declines it."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from fields_by_python import ScannedByPython
from hypothesis import given, settings
from hypothesis import strategies as st
from ultravires.formats.otlp import decoded
from ultravires.reading import native
from ultravires.reading.column_values import micros_of
from ultravires.reading.columns import ARRAY, ESCAPED, OBJECT, STRING, UNSURE, Columnar, Fields, Leaves, Way
from ultravires.reading.framing import json_records
from ultravires.reading.redaction import Redactor
from ultravires.reading.source import Frame, NotParsed, Options, event_id, hash_arguments, keyed_hash
from ultravires.reading.values import micros

pytestmark = pytest.mark.skipif(not native.is_available(), reason="the native scanner was not built: no Rust here")

OPTIONS = Options(hash_key=b"a key of the tests", max_record_bytes=2_000, max_depth=8)
ARRAYS = ("Records", "Events")
PATHS = ("id", "who", "who.name", "who.kind", "deep.er.still", "~said")
COLUMNAR = Columnar(lambda _: PATHS, lambda _: np.zeros(0, bool), lambda *_: {}, arrays=ARRAYS)
LAYOUT_OF = (COLUMNAR, OPTIONS)

NAMES = st.sampled_from(
    [
        "id",
        "who",
        "name",
        "kind",
        "deep",
        "er",
        "still",
        "said",
        "key",
        "value",
        "password",
        "a.Token",
        "Records",
        "\u212aey",
    ]
) | st.text(max_size=9)
TEXTS = st.text(max_size=20) | st.sampled_from(
    [
        "",
        "password",
        "api_key",
        '{"password": "x"}',
        '{"a":1,"a":2}',
        '[1, "b"]',
        "redacted:0123456789abcdef",
        "to\u212aen",
        "\\u0070",
    ]
)
DAYS = ("2026-10-05", "2026-02-30", "2026-1-05", "1969-12-31", "1970-01-01", "2199-12-31", "2263-01-01", "9999-12-31")
HOURS = ("", "T10", "T10:00", "T10:00:00", " 10:00:00", "t10:00:00", "T24:00:00", "T23:59:60", "T23:59:59")
RESTS = ("", "Z", "z", ".Z", ".5Z", ".123456Z", ".999999999Z", ".1234567890Z", "+02:00", ",5Z", "Z\n", " Z")
TIMES = [day + hour + rest for day in DAYS for hour in HOURS for rest in RESTS]
STRINGS_OF_TIMES = st.datetimes().map(lambda moment: moment.isoformat() + "Z") | st.text("0123456789-:TZ.", max_size=30)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**25), 10**25)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
RECORDS = st.dictionaries(NAMES, VALUES, max_size=6)


@st.composite
def written(draw: st.DrawFn) -> bytes:
    """One record as some program writes it: plainly, with blanks, with every letter escaped, with a name twice."""
    record = draw(RECORDS)
    way = draw(st.integers(0, 5))
    if way < 3:
        return msgspec.json.encode(record)
    text = json.dumps(record, ensure_ascii=way == 4, separators=(", ", ": ") if way == 5 else (",", ":"))
    if record and draw(st.booleans()):
        twice = json.dumps({draw(st.sampled_from(sorted(record))): draw(VALUES)}, ensure_ascii=False)
        text = f"{text[:-1]},{twice[1:]}"
    return text.encode()


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    records = draw(st.lists(written(), max_size=6))
    form = draw(st.integers(0, 3))
    if form == 0:
        return b'{"Records":[' + b",".join(records) + b"]}" + draw(st.sampled_from([b"", b"\n", b" \n\n"]))
    if form == 1:
        return b"[" + b",".join(records) + b"]"
    return draw(st.sampled_from([b"\n", b"\r\n", b"\n\n"])).join(records) + draw(st.sampled_from([b"", b"\n"]))


def frames_of(text: bytes) -> list[Frame]:
    return list(json_records(iter([text]), OPTIONS, ARRAYS))


def scanned(*texts: bytes) -> native.Scan:
    return native.Layout(*LAYOUT_OF).scan(texts)


def names_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len({name for name, _ in pairs}) == len(pairs), "a name stands twice"
    return dict(pairs)


def is_plain(record: bytes) -> bool:
    """Whether a record can only be understood in one way, and is written as we would."""
    try:
        json.loads(record, object_pairs_hook=names_twice)
        return msgspec.json.encode(msgspec.json.decode(record)) == record
    except (AssertionError, ValueError, msgspec.DecodeError):
        return False


def is_not_odd(record: bytes) -> bool:
    with scanned(record) as scan:
        return scan.counts[0] == 1 and not scan.flags[0] & native.ODD


def check(text: bytes) -> int:
    """Hold what is said of a text against what Python says of it; returns how many records were not odd."""
    with scanned(text) as scan:
        if scan.counts[0] == native.DECLINED:
            assert not len(scan.flags)
            return 0
        frames = frames_of(text)
        rows = np.arange(len(scan.flags))
        records = [record.as_py().encode() for record in scan.records(rows, b"")]
        assert [(scan.offset(row), records[row]) for row in rows.tolist()] == [(f.offset, f.data) for f in frames]
        assert scan.record_hashes(rows, OPTIONS.hash_key).to_pylist() == [keyed_hash(r, OPTIONS) for r in records]
        plain = rows[(scan.flags & native.ODD) == 0]
        check_plain(scan, plain, [records[row] for row in plain.tolist()])
        return len(plain)


def check_plain(scan: native.Scan, rows: np.ndarray, records: list[bytes]) -> None:
    assert all(map(is_plain, records)), "these are not plain"
    by_python, all_rows = ScannedByPython(records, [path.lstrip("~") for path in PATHS]), np.arange(len(records))
    for field, path in enumerate(PATHS):
        kinds = scan.kinds(field, rows)
        assert path.startswith("~") or ESCAPED not in kinds
        assert np.where(kinds == ESCAPED, STRING, kinds).tolist() == by_python.kinds(field, all_rows).tolist()
        if not path.startswith("~"):
            assert scan.texts(field, rows).equals(by_python.texts(field, all_rows))
        for most_steps in (1, 2, 9):
            found = leaves_in(scan.leaves(field, rows, most_steps))
            assert found == leaves_in(by_python.leaves(field, all_rows, most_steps))
    for fields in ([0], [1, 3], [0, 2, 4]):
        codes, firsts = scan.codes(fields, rows)
        expected_codes, expected_firsts = by_python.codes(fields, all_rows)
        assert codes.tolist() == expected_codes.tolist() and firsts.tolist() == expected_firsts.tolist()
    kept = scan.records(rows, OPTIONS.hash_key).to_pylist()
    for row, record, redacted in zip(rows.tolist(), records, kept, strict=True):
        if not scan.flags[row] & native.SUSPECT:
            assert redacted.encode() == msgspec.json.encode(Redactor(OPTIONS).redact(msgspec.json.decode(record)))


@settings(max_examples=150, deadline=None)
@given(texts())
def test_a_text_falls_into_the_records_that_python_finds(text: bytes) -> None:
    check(text)


@settings(max_examples=150, deadline=None)
@given(texts(), st.data())
def test_a_damaged_text_is_declined_or_read_as_python_reads_it(text: bytes, data: st.DataObject) -> None:
    """A byte changed, taken out or put in, anywhere."""
    damaged = bytearray(text)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, max(len(damaged) - 1, 0)))
        byte = data.draw(st.sampled_from(b'"\\{}[],:\n \x00\x80\xff0-.eu') | st.integers(0, 255))
        damaged[at : at + data.draw(st.integers(0, 1))] = bytes([byte]) * data.draw(st.integers(0, 2))
    check(bytes(damaged))


def test_plain_records_are_not_declined() -> None:
    """Else the tests above would say nothing."""
    record = b'{"id":"a","who":{"name":"b","kind":1},"said":"a \\"word\\"","n":[1.5,-2,true,null,"\xc3\xa9"]}'
    for text in (
        record,
        record + b"\n" + record,
        b"[" + record + b"]",
        b'{"Records":[' + record + b"," + record + b"]}",
    ):
        assert check(text) == text.count(b'"id"')


@pytest.mark.parametrize(
    "record",
    [
        b'{"id": "a"}', b'{"id":"a","id":"b"}', b'{"who":{"n":1,"n":1}}', b'{"id":"a\\u0062"}', b'{"id":"a\\/b"}',
        b'{"n":1e5}', b'{"n":1.10}', b'{"n":-0}', b'{"n":12345678901234567890}', b'{"i\\u0064":1}', b'{"id":"\\n"}',
        b'{"n":0.00001}', b'{"n":1234567890123456.5}', b'{"a":' + b"[" * 9 + b"]" * 9 + b"}",
    ],
)  # fmt: skip
def test_what_could_be_understood_in_two_ways_is_odd(record: bytes) -> None:
    with scanned(record) as scan:
        assert scan.flags[0] & native.ODD


@pytest.mark.parametrize(
    "text",
    [
        b'{"id":1}{"id":2}', b'{"id":1} {"id":2}', b'{"id":\n1}', b'{"id":01}', b'{"id":"\x01"}', b'{"id":"\xff"}',
        b'{"id":"\\ud800"}', b'[{"id":1},2]', b'{"Records":[{"id":1}],"more":1}', b'{"id":1,"Events":[{"id":2}]}',
        b'{"id":1', b'{"id":1}]', b'[{"id":1},]', b'{"id":"' + b"x" * 2_000 + b'"}', b"\xef\xbb\xbf{}", b"nul",
        b"{}\x00",
        b'{"a":' + b"[" * 1_000_000, b"[" * 1_000_000, b'{"a":' * 100_000,
    ],
)  # fmt: skip
def test_what_is_not_plainly_one_of_the_forms_is_declined(text: bytes) -> None:
    """And the texts beside it are not."""
    with scanned(b'{"id":"before"}', text, b'{"id":"after"}') as scan:
        assert scan.counts.tolist() == [1, native.DECLINED, 1]
        assert scan.texts(0, np.arange(2)).to_pylist() == ["before", "after"]
        assert scan.offset(1) == 0


def test_more_fields_than_text_are_declined() -> None:
    """Else a few megabytes of tiny records would take some gigabytes."""
    with scanned(b"{}\n" * 1_000, b"{}\n" * 100_000) as scan:
        assert scan.counts.tolist() == [1_000, native.DECLINED]


@settings(max_examples=150, deadline=None)
@given(RECORDS)
def test_secrets_are_taken_out_or_the_record_is_a_suspect(record: dict[str, Any]) -> None:
    """Plain strings under a secret's name natively; whatever else redaction would change is left to Python."""
    data = msgspec.json.encode(record)
    with scanned(data) as scan:
        if scan.counts[0] != 1 or scan.flags[0] & (native.ODD | native.SUSPECT):
            return
        if next(iter(record), None) in ARRAYS:
            return  # that is a wrapping, and the record is inside of it
        try:
            redacted = Redactor(OPTIONS).redact(record)
        except NotParsed:
            pytest.fail("too deep, and no suspect")
        assert scan.records(np.arange(1), OPTIONS.hash_key)[0].as_py().encode() == msgspec.json.encode(redacted)


def leaves_in(leaves: Leaves) -> list[tuple[int, Way, str]]:
    """Row, way and text of each string; half of the texts are asked for by themselves, as those of one way are."""
    assert len(set(leaves.ways)) == len(leaves.ways)
    is_odd = np.arange(len(leaves.codes)) % 2 == 1
    texts = np.empty(len(leaves.codes), object)
    for mask in (is_odd, ~is_odd):
        texts[mask] = leaves.texts(mask).to_pylist()
    ways = [leaves.ways[code] for code in leaves.codes.tolist()]
    return list(zip(leaves.places.tolist(), ways, texts.tolist(), strict=True))


def test_strings_inside_of_a_field_have_the_way_to_them() -> None:
    """In their order; what is deeper than asked for is passed over, whatever brackets are in it."""
    record = b'{"who":{"a":"1","b":[{"a":"2"},"3",[["]}"]],{"c":{"d":"{"}}],"e":"q\\"\\n","a.b":"4","f":7}}'
    with scanned(record, b'{"who":"no object"}') as scan:
        assert leaves_in(scan.leaves(PATHS.index("who"), np.arange(2), 3)) == [
            (0, ("a",), "1"),
            (0, ("b", None, "a"), "2"),
            (0, ("b", None), "3"),
            (0, ("e",), 'q"\n'),
            (0, ("a.b",), "4"),
        ]


def test_very_many_different_ways_are_told_apart() -> None:
    """More than there is room for at first; and the same again in other records."""
    names = [[f"n{n * 20 + m}" for m in range(20)] for n in range(20)] * 2
    records = [{"who": {name: {name[-1]: f"v{name}"} for name in of_one}} for of_one in names]
    with scanned(b"\n".join(map(msgspec.json.encode, records))) as scan:
        found = leaves_in(scan.leaves(PATHS.index("who"), np.arange(40), 2))
    assert found == [(row, (name, name[-1]), f"v{name}") for row, of_one in enumerate(names) for name in of_one]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(TIMES) | STRINGS_OF_TIMES, min_size=1, max_size=9))
def test_times_are_what_they_are_one_by_one(written: list[str]) -> None:
    """Of usual and of other form together."""
    plain = [text for text in written if is_not_odd(msgspec.json.encode({"id": text}))]
    data = [msgspec.json.encode({"id": text}) for text in plain]
    with scanned(b"\n".join([*data, b"{}", b'{"id":7}'])) as scan:
        found = micros_of(Fields(scan, PATHS, np.arange(len(data) + 2)), "id").to_pylist()
    assert found == [*map(micros, plain), None, None]


def test_usual_times_are_read_natively() -> None:
    usual = ["2026-10-05T23:59:59Z", "2024-02-29T00:00:00.5Z", "2100-03-01T12:00:00.123456789Z", "2000-02-29T01:01:01Z"]
    unusual = [
        "2023-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "2026-10-05T24:00:00Z",
        "2026-10-05 10:00:00Z",
        "1999-12-31T00:00:00Z",
    ]
    with scanned(b"\n".join(msgspec.json.encode({"id": text}) for text in usual + unusual)) as scan:
        moments, known = scan.moments(PATHS.index("id"), np.arange(len(usual + unusual)))
    assert known.tolist() == [STRING] * len(usual) + [UNSURE] * len(unusual)
    assert moments[: len(usual)].tolist() == list(map(micros, usual))


@settings(max_examples=200, deadline=None)
@given(st.lists(VALUES, max_size=5))
def test_what_redaction_would_change_is_suspected(values: list[Any]) -> None:
    """And little else: what redaction itself looks at."""
    layout, redactor = native.Layout(*LAYOUT_OF), Redactor(OPTIONS)
    for value in [None, *values]:
        texts = pa.array([msgspec.json.encode(value).decode(), "{}"])
        is_suspect = layout.may_hold_secrets(texts)
        assert is_suspect or not redactor.suspects(texts)
        assert not is_suspect or redactor.suspects(texts) or not texts[0].as_py().isascii()


def test_a_plain_secret_is_taken_out_natively() -> None:
    with scanned(
        b'{"id":"a","who":{"password":"x","Session.Token":"y","token":null,"secret":"redacted:00112233aabbccdd"}}'
    ) as scan:
        assert scan.flags.tolist() == [0]
        kept = json.loads(scan.records(np.arange(1), OPTIONS.hash_key)[0].as_py())["who"]
    hidden = Redactor(OPTIONS).hide
    assert kept == {
        "password": hidden("x"), "Session.Token": hidden("y"), "token": None, "secret": "redacted:00112233aabbccdd",
    }  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.lists(VALUES.map(msgspec.json.encode).filter(lambda value: is_not_odd(b'{"a":%s}' % value)), max_size=9))
def test_hashes_of_json_are_those_of_its_canonical_text(values: list[bytes]) -> None:
    with scanned() as scan:
        hashes = scan.json_hashes(pa.array([None, *(value.decode() for value in values)]), OPTIONS.hash_key)
    expected = [
        keyed_hash(b"null", OPTIONS) if v == b"null" else hash_arguments(msgspec.json.decode(v), OPTIONS)
        for v in values
    ]
    assert hashes.to_pylist() == [None, *expected]


@settings(max_examples=150, deadline=None)
@given(TEXTS | VALUES.map(json.dumps) | VALUES.map(lambda value: json.dumps(value, indent=1, ensure_ascii=False)))
def test_json_inside_of_a_string_is_what_it_decodes_to(said: str) -> None:
    data = msgspec.json.encode({"said": said})
    with scanned(data) as scan:
        if scan.counts[0] != 1 or scan.flags[0] & native.ODD:
            return
        kinds, inner = scan.inner_json(PATHS.index("~said"), np.arange(1))
    value = decoded(said)
    if kinds[0] == UNSURE:
        return
    assert kinds[0] == {dict: OBJECT, list: ARRAY, str: STRING}[type(value)]
    text = inner[0].as_py() if kinds[0] != STRING else f'"{inner[0].as_py()}"'
    assert text.encode() == msgspec.json.encode(value)


def moments() -> Iterator[int]:
    yield from (1, 999_999, 951_782_399_999_999, 951_782_400_000_000, 4_107_542_399_000_000, 253_402_300_799_999_999)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.text(max_size=150), st.sampled_from(list(moments())) | st.integers(1, 253_402_300_799_999_999),
            st.none() | st.text(max_size=90), st.none() | st.sampled_from(["success", "denied"]),
        ),
        min_size=1, max_size=9,
    )
)  # fmt: skip
def test_ids_of_events_are_those_of_each(events: list[tuple[str, int, str | None, str | None]]) -> None:
    natives, ats, actions, outcomes = zip(*events, strict=True)
    text, number = pa.string(), pa.int64()
    ids = native.event_ids(
        "a_log", pa.array(natives, text), pa.array(ats, number), pa.array(actions, text), pa.array(outcomes, text)
    )
    assert ids.to_pylist() == [event_id("a_log", *event) for event in events]


def test_hashes_of_records_of_every_length_are_right() -> None:
    """Several are hashed at once, and none may be confused with another where their lengths differ."""
    records = [b'{"id":"' + b"x" * n + b'"}' for n in (*range(0, 300), 1_024, 1_990)]
    with scanned(b"\n".join(records)) as scan:
        hashes = scan.record_hashes(np.arange(len(records)), OPTIONS.hash_key).to_pylist()
    assert hashes == [keyed_hash(record, OPTIONS) for record in records]


def test_the_library_is_the_one_that_is_called() -> None:
    """A change of its functions changes the number in both, so that an old library is not called."""
    source = (native.LIBRARY.parents[2] / "native" / "src" / "lib.rs").read_text(encoding="utf-8")
    assert re.findall(r"const INTERFACE: u32 = (\d+);", source) == [str(native.INTERFACE)]


@pytest.mark.skipif(shutil.which("cargo") is None, reason="no Rust here")
def test_every_vector_of_a_processor_gives_the_same_hashes(tmp_path: Path) -> None:
    """The tests in Rust: of those that this machine has, Python only ever sees the widest."""
    crate = native.LIBRARY.parents[2] / "native"
    command = ["cargo", "test", "--quiet", "--offline", "--locked", "--target-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=crate, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
