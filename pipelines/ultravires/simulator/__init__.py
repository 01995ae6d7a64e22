"""A labelled world in the vendors' own formats, deterministic by seed.

It shares no code with the sources, so that a mistake in reading cannot hide behind
the same mistake in writing.
"""

from ultravires.simulator.world import write_world

__all__ = ["write_world"]
