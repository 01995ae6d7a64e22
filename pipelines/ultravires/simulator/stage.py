"""Where things happen: the scribe that takes them down, one random stream, and the cast."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from ultravires.simulator.cast import Agent, Cast, Human, Worker
from ultravires.simulator.grants import Grant
from ultravires.simulator.scribe import Scribe


@dataclass(frozen=True)
class Stage:
    """copy: which copy of an agent plays a situation in a larger world. standing: approvals for months, by subject."""

    scribe: Scribe
    rng: Random
    cast: Cast
    copy: int = 0
    standing: Mapping[str, Grant] = field(default_factory=dict)

    def agent(self, uid: str) -> Agent:
        """The agent of that name, or the copy of it whose turn it is."""
        same = [agent for agent in self.cast.agents if agent.family == uid]
        return same[self.copy % len(same)]

    def worker(self, name: str) -> Worker:
        """The worker of that name, or the copy of it whose turn it is."""
        same = [worker for worker in self.cast.workers if worker.family == name]
        return same[self.copy % len(same)]

    def asked_by(self, agent: Agent) -> Agent:
        """The agent that this one hands work to, in its own company where there is one."""
        same = [other for other in self.cast.agents if other.family == agent.asks]
        return next((other for other in same if other.copy == agent.copy), same[0])

    def human(self, user: str) -> Human:
        return next(human for human in self.cast.humans if human.user == user)

    def people(self) -> tuple[str, str]:
        """A requester and another person who approves."""
        first, second = self.rng.sample([human.email for human in self.cast.humans], 2)
        return first, second
