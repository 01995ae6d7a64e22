"""Which of many JSON texts may be nested too deeply: those with so many opening brackets, counted in all at once."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_AT_ONCE = 1 << 18
"""Bytes that are looked at together: as many as the processor's cache holds."""
_OPENING, _WITHOUT_CASE = 0x5B, 0xDF
"""`[`, and what makes `{` the same."""
_WORD = 8
_ALL_BYTES, _TOP_BYTE = np.uint64(0x0101010101010101), np.uint64(56)


def with_many_brackets(texts: pa.LargeStringArray, most: int) -> list[int]:
    """The places of texts with more than `most` opening brackets, in strings too; in ascending order."""
    _, offsets, data = texts.buffers()
    bounds = np.frombuffer(offsets, np.int64)[: len(texts) + 1]
    if data is None or not len(texts):
        return []
    characters = np.frombuffer(data, np.uint8)
    # by whole words, so that the brackets of neighbours may be counted, too
    before = _brackets_before_words(characters)
    many = before[-(-bounds[1:] // _WORD)] - before[bounds[:-1] // _WORD] > most
    return [place for place in np.flatnonzero(many).tolist() if _n_brackets(characters, bounds, place) > most]


def _brackets_before_words(characters: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """How many opening brackets stand before each word of eight bytes, and in all."""
    n_words = -(-len(characters) // _WORD)
    counts = np.zeros(n_words + 1, np.int64)
    for start in range(0, len(characters), _AT_ONCE):
        is_opening = (characters[start : start + _AT_ONCE] & _WITHOUT_CASE) == _OPENING
        if len(is_opening) % _WORD:
            is_opening = np.pad(is_opening, (0, -len(is_opening) % _WORD))
        # the sum of a word's bytes ends up in its highest one
        sums = (is_opening.view(np.uint64) * _ALL_BYTES) >> _TOP_BYTE
        first = start // _WORD + 1
        counts[first : first + len(sums)] = sums
    return np.cumsum(counts)


def _n_brackets(characters: npt.NDArray[np.uint8], bounds: npt.NDArray[np.int64], place: int) -> int:
    text = characters[bounds[place] : bounds[place + 1]]
    return int(np.count_nonzero((text & _WITHOUT_CASE) == _OPENING))
