"""The cast of a world of a given size: the base cast, and copies of it in larger worlds."""

from dataclasses import replace

from ultravires.simulator.agents import base_agents
from ultravires.simulator.cast import Agent, Cast, Role, Worker
from ultravires.simulator.workers import base_humans, base_workers

_EVENTS_A_COPY = 25_000
_MOST_COPIES = 40


def cast_for(n_events: int) -> Cast:
    """Every identity of a world of about `n_events` records; at least the base cast."""
    copies = min(max(1, n_events // _EVENTS_A_COPY), _MOST_COPIES)
    return Cast(
        agents=tuple(_copy_agent(agent, n) for n in range(copies) for agent in base_agents()),
        workers=tuple(_copy_worker(worker, n) for n in range(copies) for worker in base_workers()),
        humans=base_humans(),
    )


def _suffix(n: int) -> str:
    return f"-{n + 1:02d}" if n else ""


def _copy_role(role: Role, n: int) -> Role:
    return replace(role, name=role.name + _suffix(n))


def _copy_agent(agent: Agent, n: int) -> Agent:
    roles = tuple(_copy_role(role, n) for role in agent.roles)
    return replace(agent, uid=agent.uid + _suffix(n), roles=roles, copy=n)


def _copy_worker(worker: Worker, n: int) -> Worker:
    roles = tuple(_copy_role(role, n) for role in worker.roles)
    return replace(worker, name=worker.name + _suffix(n), subject=_copy_subject(worker, n), roles=roles)


def _copy_subject(worker: Worker, n: int) -> str:
    if worker.kind == "ci":
        return worker.subject.replace(":ref:", f"{_suffix(n)}:ref:")
    return worker.subject + _suffix(n)
