"""Where every node, link and word of one chain stands in its picture; plain numbers, no markup."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ultravires.report.curves import Box, Curve, box_of_node, free_spot
from ultravires.report.lanes import MARKER, LanePosition, pack
from ultravires.report.time_scale import TimeScale, scale_of
from ultravires.tracing.finding_marks import Mark
from ultravires.tracing.nodes import Node
from ultravires.tracing.trace import Link
from ultravires.tracing.visible import visible

LANES = ("approval", "decision", "tool_call", "credential", "activity")
WIDTH, LEFT, RIGHT, TOP, ROW = 1120.0, 116.0, 1088.0, 34.0, 23.0
_LANE_MARGIN = 13.0
_TICK_DISTANCE = 118.0


@dataclass(frozen=True)
class DrawnNode:
    node: Node
    x: float
    y: float
    label: str
    is_label_left: bool
    span: tuple[float, float] | None
    marks: list[Mark]


@dataclass(frozen=True)
class DrawnLink:
    """`words` are empty where the link is exact, or where there was no room for them; hover and table have them."""

    link: Link
    path: str
    words: str
    spot: Box | None
    strength: str


@dataclass(frozen=True)
class DrawnLane:
    kind: str
    y: float
    height: float


@dataclass(frozen=True)
class Drawing:
    height: float
    lanes: list[DrawnLane]
    ticks: list[tuple[float, str]]
    ends: list[tuple[float, str]]
    nodes: list[DrawnNode]
    links: list[DrawnLink]


def draw_chain(
    nodes: Sequence[Node],
    links: Sequence[Link],
    marks: Mapping[str, list[Mark]],
    spans: Mapping[str, tuple[datetime, datetime]],
) -> Drawing:
    """The picture of the nodes that have a time: five lanes, corrected time to the right.

    `spans` are the validities of approvals and the lives of credentials; what lies outside is cut off.
    """
    timed = [node for node in nodes if node.corrected_at is not None and node.kind in LANES]
    if not timed:
        return Drawing(TOP, [], [], [], [], [])
    scale = _scale(timed, spans)
    lanes, places = _place(timed, scale)
    drawn = [_draw_node(node, places[node.node_id], scale, marks, spans) for node in timed]
    return Drawing(
        height=lanes[-1].y + lanes[-1].height + 8,
        lanes=lanes,
        ticks=_ticks(scale),
        ends=_ends(timed, scale, spans),
        nodes=drawn,
        links=_draw_links(links, {node.node.node_id: node for node in drawn}),
    )


def _scale(timed: Sequence[Node], spans: Mapping[str, tuple[datetime, datetime]]) -> TimeScale:
    moments = [node.corrected_at for node in timed if node.corrected_at]
    first, last = min(moments), max(moments)
    inside = [end for _, end in spans.values() if first < end < last]
    return scale_of([*moments, *inside], LEFT + 14, RIGHT - 14)


def _place(timed: Sequence[Node], scale: TimeScale) -> tuple[list[DrawnLane], dict[str, LanePosition]]:
    lanes: list[DrawnLane] = []
    places: dict[str, LanePosition] = {}
    y = TOP
    for kind in LANES:
        within = sorted((n for n in timed if n.kind == kind), key=lambda n: (n.corrected_at or datetime.min, n.node_id))
        packed = pack([(scale.place(n.corrected_at), _label(n)) for n in within if n.corrected_at], LEFT, RIGHT)
        n_rows = max((place.row for place in packed), default=0) + (1 if packed else 0)
        for node, place in zip(within, packed, strict=True):
            places[node.node_id] = place.moved(y + _LANE_MARGIN + ROW / 2 + place.row * ROW)
        height = n_rows * ROW + 2 * _LANE_MARGIN
        lanes.append(DrawnLane(kind, y, height))
        y += height
    return lanes, places


def _label(node: Node) -> str:
    """The end of an ARN tells more than its beginning."""
    label = node.label.rpartition(":")[2] if node.label.startswith("arn:") else node.label
    return visible(label if len(label) <= 26 else f"{label[:25]}…", 40)


def _draw_node(
    node: Node,
    place: LanePosition,
    scale: TimeScale,
    marks: Mapping[str, list[Mark]],
    spans: Mapping[str, tuple[datetime, datetime]],
) -> DrawnNode:
    span = spans.get(node.node_id)
    return DrawnNode(
        node=node,
        x=place.x,
        y=place.y,
        label=place.label,
        is_label_left=place.is_label_left,
        span=(scale.place(span[0]), scale.place(span[1])) if span else None,
        marks=marks.get(node.node_id, []),
    )


def _ticks(scale: TimeScale) -> list[tuple[float, str]]:
    ticks: list[tuple[float, str]] = []
    day = None
    for x, moment in scale.ticks(_TICK_DISTANCE):
        ticks.append((x, f"{moment:%H:%M:%S}" if moment.date() == day else f"{moment:%d %b %H:%M:%S}"))
        day = moment.date()
    return ticks


def _ends(
    timed: Sequence[Node], scale: TimeScale, spans: Mapping[str, tuple[datetime, datetime]]
) -> list[tuple[float, str]]:
    """Where an approval ends before the chain does: everything right of it came too late."""
    last = max(node.corrected_at for node in timed if node.corrected_at)
    ends = {spans[n.node_id][1] for n in timed if n.kind == "approval" and n.node_id in spans}
    return [(scale.place(end), f"{end:%H:%M:%S}") for end in sorted(ends) if end < last][:3]


def _draw_links(links: Sequence[Link], drawn: Mapping[str, DrawnNode]) -> list[DrawnLink]:
    taken = [box_of_node(node.x, node.y, node.label, is_label_left=node.is_label_left) for node in drawn.values()]
    lines = []
    for link in links:
        if link.child_id in drawn and link.parent_id in drawn:
            curve = _curve(drawn[link.parent_id], drawn[link.child_id])
            words = f"{link.method.replace('_', ' ')} {link.confidence:.2f}" if link.confidence < 1 else ""
            spot = free_spot(curve, words, taken) if words else None
            taken += [spot] if spot else []
            lines.append(DrawnLink(link, curve.path, words if spot else "", spot, _strength(link)))
    return lines


def _curve(parent: DrawnNode, child: DrawnNode) -> Curve:
    # Within a lane the line bows upwards, so that it is not taken for a bar.
    is_bow = parent.node.kind == child.node.kind
    bend = min(parent.y, child.y) - MARKER if is_bow else (parent.y + child.y) / 2
    return Curve(parent.x, parent.y, child.x, child.y, bend)


def _strength(link: Link) -> str:
    if link.confidence >= 0.8:
        return "strong"
    return "fair" if link.confidence >= 0.5 else "weak"
