"""`reading.values` by the column: the usual form of a value is read for all rows at once, any other by the function
there.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ultravires.reading.columns import STRING, UNSURE, Codes, Fields
from ultravires.reading.values import hex_id, micros, micros_of_nanos

_NANOS_DIGITS = 19
"""Of the times from 2001 to 2286."""
_USUAL_HEX = r"^[0-9a-f]*[1-9a-f][0-9a-f]*$"
_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
USUAL_IPV4 = rf"^({_OCTET}\.){{3}}{_OCTET}$"
"""Four numbers, as every reader of addresses takes them: without zeros before them."""
_ZEROS = "00000000"
_NO_LETTERS = np.zeros(0, np.uint8)
_IS_LOWER_HEX = np.isin(np.arange(256), list(b"0123456789abcdef"))


def micros_of(fields: Fields, path: str) -> pa.Int64Array:
    """`micros` of each text of a field."""
    moments, known = fields.moments(path)
    found = pa.array(moments, mask=known != STRING)
    is_sure = pa.array(known != UNSURE)
    return mended(found, is_sure, fields.text(path), micros) if is_sure.false_count else found


def nanos_column(texts: pa.StringArray) -> pa.Int64Array:
    """`micros_of_nanos` of each text."""
    lengths = pc.binary_length(texts)
    is_usual = pc.and_(pc.ascii_is_decimal(texts), pc.equal(lengths, _NANOS_DIGITS)).fill_null(True)
    try:
        nanos = (texts if is_usual.false_count == 0 else pc.if_else(is_usual, texts, None)).cast(pa.int64())
    except pa.ArrowInvalid:  # a number beyond 64 bits, of which Arrow does not say in which row
        return pa.array([micros_of_nanos(value) for value in texts.to_pylist()], pa.int64())
    return mended(pc.divide(nanos, 1000), is_usual, texts, micros_of_nanos)


def hex_ids(texts: pa.StringArray) -> pa.StringArray:
    """`hex_id` of each text."""
    is_usual = _are_long_hex_ids(texts)
    if is_usual.false_count:
        is_usual = pc.match_substring_regex(texts, _USUAL_HEX).fill_null(True)
    return mended(texts, is_usual, texts, hex_id)


def _are_long_hex_ids(texts: pa.StringArray) -> pa.BooleanArray:
    """Which texts are certainly lower-case hex that does not begin as zeros do; or none of them, where one has other
    letters. True for null. A tenth of what a regular expression costs.
    """
    _, offsets, data = texts.buffers()
    bounds = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    letters = np.frombuffer(data or b"", np.uint8)[bounds[0] : bounds[-1]] if len(texts) else _NO_LETTERS
    if not _IS_LOWER_HEX[letters].all():
        return pa.repeat(False, len(texts))
    is_long = pc.greater_equal(pc.binary_length(texts), len(_ZEROS))
    return pc.and_not(is_long, pc.starts_with(texts, _ZEROS)).fill_null(True)


def mended(
    values: pa.Array, is_usual: pa.BooleanArray, texts: pa.StringArray, meaning: Callable[[str], Any]
) -> pa.Array:
    """The values, but what `meaning` says of a row's text where that is not usual."""
    if is_usual.false_count == 0:
        return values
    is_odd = pc.invert(is_usual)
    meanings = [meaning(text) for text in texts.filter(is_odd).to_pylist()]
    return pc.replace_with_mask(values, is_odd, pa.array(meanings, values.type))


def dense(one: Codes, other: Codes) -> tuple[Codes, Codes]:
    """Codes (from 0 on) of the different pairs that two columns of codes make, and those pairs, of shape (n, 2)."""
    pairs = pa.array(one.astype(np.int64) << 32 | other).dictionary_encode()
    values = pairs.dictionary.to_numpy()
    return pairs.indices.to_numpy(), np.stack([values >> 32, values & 0xFFFF_FFFF], axis=1).astype(np.int32)


def starting(texts: pa.StringArray, beginnings: Sequence[str]) -> Codes:
    """Of each text with which one of `beginnings` it begins, counted from 1; 0 for another, and for null."""
    codes = np.zeros(len(texts), np.int32)
    for code, beginning in enumerate(beginnings, 1):
        codes[pc.starts_with(texts, beginning).fill_null(False).to_numpy(zero_copy_only=False)] = code
    return codes


def not_empty(texts: pa.StringArray) -> pa.StringArray:
    """The texts, null where there is nothing in them."""
    is_empty = pc.equal(pc.binary_length(texts), 0)
    return pc.if_else(is_empty, None, texts) if is_empty.true_count else texts
