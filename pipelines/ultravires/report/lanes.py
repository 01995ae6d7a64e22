"""Rows within a lane, so that neither nodes nor their words lie on one another."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

MARKER = 14.0
MAX_ROWS = 7
LETTER = 6.3


@dataclass(frozen=True)
class LanePosition:
    """`label` is empty where there was no room for it; the words are then on hover and in the table."""

    x: float
    y: float
    row: int
    label: str
    is_label_left: bool

    def moved(self, y: float) -> "LanePosition":
        return replace(self, y=y)


def pack(items: Sequence[tuple[float, str]], left: float, right: float) -> list[LanePosition]:
    """A place for each (x, label), given from left to right, in the first row with room for both.

    When no row has room for the words the node stands alone, in the row that ended first.
    """
    row_ends = [left] * MAX_ROWS
    places = []
    for x, label in items:
        width = MARKER + LETTER * len(label)
        is_left = x + width > right
        starts, ends = (x - width, x + MARKER / 2) if is_left else (x - MARKER / 2, x + width)
        row = next((row for row, end in enumerate(row_ends) if end <= starts), None)
        if row is None:
            row = min(range(MAX_ROWS), key=lambda each: (row_ends[each], each))
            row_ends[row] = max(row_ends[row], x + MARKER / 2)
            places.append(LanePosition(x, 0.0, row, "", is_left))
        else:
            row_ends[row] = ends
            places.append(LanePosition(x, 0.0, row, label, is_left))
    return places
