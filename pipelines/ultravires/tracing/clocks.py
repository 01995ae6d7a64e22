"""By how much the times of what is shown are corrected, in words: one line for each log whose clocks are off."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from ultravires.tracing.nodes import Node


def clock_lines(nodes: Iterable[Node]) -> list[str]:
    """`otel_genai: clock 95 s ahead (12 nodes)`, by log; empty where every clock is in time."""
    by_log: dict[str, Counter[int]] = defaultdict(Counter)
    for node in nodes:
        if node.log and (ahead := seconds_ahead(node)):
            by_log[node.log][ahead] += 1
    return [f"{log}: clock {_of_clocks(counted)}" for log, counted in sorted(by_log.items())]


def seconds_ahead(node: Node) -> int:
    """How far the node's clock is ahead; negative where it is behind, 0 where it is in time."""
    if node.at is None or node.corrected_at is None:
        return 0
    return round((node.at - node.corrected_at).total_seconds())


def ahead_words(seconds: int) -> str:
    """`95 s ahead`, or behind."""
    return f"{abs(seconds):,} s {'ahead' if seconds > 0 else 'behind'}"


def _of_clocks(counted: Counter[int]) -> str:
    return ", ".join(
        f"{ahead_words(seconds)} ({n:,} node{'s' if n > 1 else ''})" for seconds, n in sorted(counted.items())
    )
