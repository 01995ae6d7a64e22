"""How bytes fall into records, whole files and ruins."""

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ultravires.reading.events import Frame
from ultravires.reading.framing import json_records
from ultravires.reading.head import Head
from ultravires.reading.options import Options

OPTIONS = Options(hash_key=b"k")
RECORDS = [{"id": n, "text": 'a } ] { [ " \\ b', "nested": [{"in": 1}, {"in": 2}]} for n in range(5)]


def split(
    data: bytes, *, size: int = 1 << 20, arrays: tuple[str, ...] = ("Records",), limit: int = 1 << 20
) -> list[Frame]:
    """Frames of the bytes, given to the splitter in chunks of `size`."""

    def chunks() -> Iterator[bytes]:
        yield from (data[at : at + size] for at in range(0, len(data), size))

    options = Options(hash_key=b"k", max_record_bytes=limit)
    return list(json_records(chunks(), options, arrays=arrays))


def values(frames: list[Frame]) -> list[object]:
    return [frame.value for frame in frames if frame.reason is None]


def reasons(frames: list[Frame]) -> list[str]:
    return [frame.reason for frame in frames if frame.reason is not None]


FORMS = {
    "lines": "\n".join(map(json.dumps, RECORDS)),
    "lines with carriage returns": "\r\n".join(map(json.dumps, RECORDS)) + "\r\n",
    "wrapped on one line": json.dumps({"Records": RECORDS}),
    "wrapped and pretty-printed": json.dumps({"Records": RECORDS}, indent=2),
    "an array": json.dumps(RECORDS),
    "an array over lines": "[\n" + ",\n".join(map(json.dumps, RECORDS)) + "\n]\n",
    "pretty-printed objects": "\n".join(json.dumps(record, indent=4) for record in RECORDS),
    "wrapped documents, one a line": "\n".join(json.dumps({"Records": [record]}) for record in RECORDS),
    "objects on one line": "".join(map(json.dumps, RECORDS)),
    "with a byte order mark": "\ufeff" + "\n".join(map(json.dumps, RECORDS)),
    "wrapped, with a byte order mark": "\ufeff" + json.dumps({"Records": RECORDS}),
}


AROUND = {"object": "list", "Records": RECORDS, "has_more": False, "last_id": 'e-"4', "streams": [], "names": ["a"]}
IN_PIECES = [AROUND | {"Records": [record]} for record in RECORDS]
FORMS |= {
    "wrapped, with members around": json.dumps(AROUND),
    "wrapped and pretty-printed, with members around": json.dumps(AROUND, indent=2),
    "wrapped documents over lines, with members around": "\n".join(json.dumps(piece, indent=1) for piece in IN_PIECES),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [7, 100, 1 << 20])
def test_every_form_of_json_gives_the_same_records(form: str, size: int) -> None:
    """Lines, arrays, wrappers and pretty-printed documents hold the same records, however bytes arrive."""
    frames = split(FORMS[form].encode(), size=size)
    assert values(frames) == RECORDS
    assert reasons(frames) == []


@pytest.mark.parametrize("form", FORMS)
def test_offset_is_where_the_record_lies(form: str) -> None:
    """The bytes at a frame's offset are the frame's bytes."""
    data = FORMS[form].encode()
    for frame in split(data):
        assert data[frame.offset : frame.offset + len(frame.data)] == frame.data


@pytest.mark.parametrize("form", FORMS)
def test_whole_records_of_a_cut_off_file_are_read(form: str) -> None:
    """Wherever a file is cut off, the records that were whole come out, and the remainder has a reason."""
    data = FORMS[form].encode()
    ends = [frame.offset + len(frame.data) for frame in split(data)]
    for cut in range(1, len(data), 13):
        frames = split(data[:cut])
        assert values(frames) == RECORDS[: sum(end <= cut for end in ends)]
        assert len(reasons(frames)) <= 1


@pytest.mark.parametrize("form", ["lines", "wrapped on one line", "an array", "wrapped and pretty-printed"])
def test_one_bad_record_costs_only_itself(form: str) -> None:
    """A syntax error inside one record puts one frame aside; the records before and behind it are read."""
    data = FORMS[form].replace('"id": 2', '"id" 2').encode()
    frames = split(data)
    assert values(frames) == RECORDS[:2] + RECORDS[3:]
    assert reasons(frames) == ["not JSON"]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b'{"a": \xff}', "not JSON"),
        (b'{"a": \x00}', "NUL bytes"),
        (b"\x00\x00\x00\x00", "NUL bytes"),
        (b'{"a": 1e999}', "number out of range"),
        (b'{"a": ' + b"9" * 5000 + b"}", "number out of range"),
        (b'{"a": "cut o', "record ends early"),
        (b"plain words", "not JSON"),
        (b"42", "not the JSON object expected here"),
        (b"null", "not the JSON object expected here"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "nested too deeply"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_a_bad_line_gets_a_plain_reason_and_the_file_goes_on(bad: bytes, reason: str) -> None:
    """A line that is no record is put aside with its offset; its neighbours are read."""
    frames = split(b'{"n": 1}\n' + bad + b'\n{"n": 2}\n')
    assert values(frames) == [{"n": 1}, {"n": 2}]
    assert [(frame.offset, frame.reason) for frame in frames if frame.reason] == [(9, reason)]


def test_an_over_long_line_is_put_aside_and_the_next_lines_are_read() -> None:
    """A line beyond the limit costs its own record only, also when it never fits into memory at once."""
    long = json.dumps({"n": "x" * 5000})
    for size in (100, 1 << 20):
        frames = split(f'{{"n": 1}}\n{long}\n{{"n": 2}}\n{long}\n{{"n": 3}}'.encode(), size=size, limit=1000)
        assert values(frames) == [{"n": 1}, {"n": 2}, {"n": 3}]
        assert reasons(frames) == ["record is longer than 1000 bytes"] * 2


def test_a_document_larger_than_the_limit_of_a_record_is_read_in_pieces() -> None:
    """The limit is for a record; a document of many records may be larger than it."""
    many = [{"id": n, "text": "x" * 50} for n in range(500)]
    frames = split(json.dumps({"Records": many}).encode(), size=1000, limit=2000)
    assert values(frames) == many
    assert reasons(frames) == []


def test_a_second_array_of_the_same_name_does_not_vanish() -> None:
    """JSON parsers keep the last of repeated keys; what the first held is put aside, visibly."""
    frames = split(b'{"Records": [{"id": "first"}], "Records": [{"id": "second"}]}')
    assert values(frames) == [{"id": "second"}]
    assert reasons(frames) == ["bytes outside the records"]


@pytest.mark.parametrize("data", [b"", b" \n\t\r\n  \n", b'{"Records": []}', b"[]", b"\xef\xbb\xbf"])
def test_an_empty_file_has_no_records(data: bytes) -> None:
    """White space, an empty array and a lone byte order mark hold nothing, and nothing is wrong with them."""
    assert split(data) == []


@given(st.binary(max_size=400), st.integers(1, 50))
def test_every_byte_is_in_a_frame_or_between_records(data: bytes, size: int) -> None:
    """Whatever the bytes: no exception, and what is in no frame is white space and punctuation."""
    frames = split(data, size=size)
    left = bytearray(data)
    for frame in frames:
        left[frame.offset : frame.offset + len(frame.data)] = b" " * len(frame.data)
    assert bytes(left).replace(b"\xef\xbb\xbf", b"").strip(b" \t\r\n\x0b\x0c,[]}") == b""


def test_first_keys_sees_only_the_members_of_the_object_itself() -> None:
    """Recognition by content must not be led by what a record carries inside."""
    head = b'{"log": "x", "event": {"eventName": "y"}, "list": [{"z": 1}], "cut": "of'
    assert list(Head(head).first_keys()) == [frozenset({"log", "event", "list", "cut"})]
