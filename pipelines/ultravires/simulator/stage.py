"""Where things happen: the scribe that takes them down, one random stream, and the cast."""

from dataclasses import dataclass
from random import Random

from ultravires.simulator.cast import Agent, Cast
from ultravires.simulator.scribe import Scribe


@dataclass(frozen=True)
class Stage:
    """`copy` says which copy of an agent plays a situation in a larger world."""

    scribe: Scribe
    rng: Random
    cast: Cast
    copy: int = 0

    def agent(self, uid: str) -> Agent:
        """The agent of that name, or the copy of it whose turn it is."""
        same = [agent for agent in self.cast.agents if agent.family == uid]
        return same[self.copy % len(same)]

    def people(self) -> tuple[str, str]:
        """A requester and another person who approves."""
        first, second = self.rng.sample([human.email for human in self.cast.humans], 2)
        return first, second
