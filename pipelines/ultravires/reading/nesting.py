"""Which of many JSON texts may be nested too deeply: those with so many opening brackets, counted in all at once."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_AT_ONCE = 1 << 18
"""Bytes that are looked at together: as many as the processor's cache holds."""
_OPENING, _WITHOUT_CASE = 0x5B, 0xDF
"""`[`, and what makes `{` the same."""


def with_many_brackets(texts: pa.LargeStringArray, most: int) -> list[int]:
    """The places of texts with more than `most` opening brackets, in strings too; in ascending order."""
    _, offsets, data = texts.buffers()
    if data is None or not len(texts):
        return []
    bounds = np.frombuffer(offsets, np.int64)[texts.offset : texts.offset + len(texts) + 1]
    before = _openings_before(np.frombuffer(data, np.uint8)[: bounds[-1]], bounds)
    return [int(place) for place in np.flatnonzero(np.diff(before) > most)]


def _openings_before(characters: npt.NDArray[np.uint8], bounds: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """How many opening brackets stand before each of the bounds, which are in ascending order."""
    before = np.zeros(len(bounds), np.int64)
    n_before = 0
    for start in range(0, len(characters) + 1, _AT_ONCE):
        openings = np.flatnonzero((characters[start : start + _AT_ONCE] & _WITHOUT_CASE) == _OPENING)
        first, last = np.searchsorted(bounds, (start, start + _AT_ONCE))
        before[first:last] = n_before + np.searchsorted(openings, bounds[first:last] - start)
        n_before += len(openings)
    return before
