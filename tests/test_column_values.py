"""Values by the column are what they are one by one, of usual and of other form together."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from fuzzing import STRINGS
from hypothesis import given, settings
from hypothesis import strategies as st
from ultravires.reading.addresses import host_of, hosts_of
from ultravires.reading.column_values import hex_ids, nanos_column
from ultravires.reading.values import hex_id, micros_of_nanos

NANOS = [
    "1791194401000000611",
    "9223372036854775808",
    "9" * 20,
    "0",
    "-1",
    "+1791194401000000611",
    "0x1",
    "1" * 18,
    "\u0661" * 19,
]
IDS = [
    "00f067aa0ba902b7",
    "0" * 16,
    "0" * 15 + "1",
    "0",
    "00",
    "0a",
    "a0",
    "A0",
    "abcdef0123456789",
    "ABCDEF",
    "g",
    "0a\n",
    "0x1",
    " a",
]
HOSTS = ["192.0.2.7:51234", "[2001:db8::7]:51234", "2001:db8::7", "h", "h:", ":80", "[]:80", "[", ":", "a[b:1", "\n:1"]

each_meaning = pytest.mark.parametrize(
    ("by_column", "meaning", "known"),
    [
        (hex_ids, hex_id, IDS),
        (hosts_of, host_of, HOSTS),
        (nanos_column, micros_of_nanos, NANOS),
    ],
)


def same(by_column: Callable[[pa.Array], pa.Array], meaning: Callable[[str], Any], texts: list[str | None]) -> bool:
    expected = [None if text is None else meaning(text) for text in texts]
    return bool(by_column(pa.array(texts, pa.string())).to_pylist() == expected)


@each_meaning
def test_every_form_alone_and_all_together(by_column: Any, meaning: Any, known: list[str]) -> None:
    """An odd one among them changes nothing for the others; what is missing stays missing."""
    texts = [*known, *STRINGS]
    assert all(same(by_column, meaning, [text]) for text in texts)
    assert same(by_column, meaning, [None, *texts, None])
    assert same(by_column, meaning, [])


@each_meaning
@settings(max_examples=60)
@given(data=st.data())
def test_any_text_is_the_same(by_column: Any, meaning: Any, known: list[str], data: st.DataObject) -> None:
    one = st.none() | st.sampled_from(known) | st.text("0aAf:.[]TZ-+ \n\u0661", max_size=12)
    assert same(by_column, meaning, data.draw(st.lists(one, max_size=8)))
