"""The curve of a link, and a free spot on it for its words."""

from collections.abc import Sequence
from dataclasses import dataclass

from ultravires.report.lanes import LETTER, MARKER

_WORD_HEIGHT = 11.0
# Where along the curve the words may stand, the middle first.
_SPOTS = (0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8)


@dataclass(frozen=True)
class Box:
    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: "Box") -> bool:
        is_beside = self.right <= other.left or other.right <= self.left
        return not (is_beside or self.bottom <= other.top or other.bottom <= self.top)


@dataclass(frozen=True)
class Curve:
    """A cubic from (x0, y0) to (x1, y1) that leaves and arrives vertically; `bend` is the height of both handles."""

    x0: float
    y0: float
    x1: float
    y1: float
    bend: float

    @property
    def path(self) -> str:
        start, end = f"{self.x0:.1f} {self.y0:.1f}", f"{self.x1:.1f} {self.y1:.1f}"
        return f"M{start} C{self.x0:.1f} {self.bend:.1f} {self.x1:.1f} {self.bend:.1f} {end}"

    def point(self, t: float) -> tuple[float, float]:
        """The point at `t` of 0 (start) to 1 (end)."""
        first, second, third, last = (1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t**2, t**3
        x = (first + second) * self.x0 + (third + last) * self.x1
        return x, first * self.y0 + (second + third) * self.bend + last * self.y1


def box_of_node(x: float, y: float, label: str, *, is_label_left: bool) -> Box:
    """The marker of a node with its words."""
    half, width = MARKER / 2, MARKER + LETTER * len(label)
    left, right = (x - width, x + half) if is_label_left else (x - half, x + width)
    return Box(left, y - half - 1, right, y + half + 1)


def free_spot(curve: Curve, words: str, taken: Sequence[Box]) -> Box | None:
    """A box on `curve` for `words` that overlaps none of `taken`, or None where there is no room."""
    for t in _SPOTS:
        x, y = curve.point(t)
        box = Box(x + 3, y - _WORD_HEIGHT, x + 3 + LETTER * len(words), y + 2)
        if not any(box.overlaps(other) for other in taken):
            return box
    return None
