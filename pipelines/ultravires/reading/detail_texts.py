"""The column `detail` by the column: JSON objects put together out of members that are written once for equal ones."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from ultravires.reading.source import present


def more_members(**members: Any) -> str:
    """Members as they are written behind others, each after a comma; those that are None are left out."""
    written = msgspec.json.encode(present(**members)).decode()[1:-1]
    return f",{written}" if written else ""


def text_members(name: str, texts: pa.StringArray) -> pa.StringArray:
    """The member `name` for each text, which must be one that is written in JSON as it is; null for null."""
    return pc.binary_join_element_wise(f',"{name}":"', texts, '"', "")


def number_members(name: str, numbers: pa.Int64Array) -> pa.StringArray:
    """The member `name` for each number; null for null."""
    return pc.binary_join_element_wise(f',"{name}":', numbers.cast(pa.string()), "")


def objects(members: Sequence[pa.StringArray]) -> pa.StringArray:
    """For each row the object of its members, which are written as by `more_members`; null is no member."""
    written = pc.binary_join_element_wise(*members, "", null_handling="replace", null_replacement="")
    return pc.binary_join_element_wise(pc.binary_replace_slice(written, 0, 1, "{"), "}", "")
