"""The cast of a world of a given size: one company, and copies of it in larger worlds."""

from dataclasses import replace

from ultravires.errors import UsageError
from ultravires.simulator.agents import base_agents
from ultravires.simulator.cast import Agent, Cast, Human, Role, Tool, Worker
from ultravires.simulator.extent import Extent
from ultravires.simulator.further_agents import further_agents
from ultravires.simulator.further_workers import further_humans, further_workers
from ultravires.simulator.workers import base_humans, base_workers

_EVENTS_A_COPY = 25_000
_MOST_COPIES = 40


def cast_for(extent: Extent) -> Cast:
    """Every identity of the world; at least one company. UsageError where fewer are asked for."""
    if not extent.is_whole:
        return _companies(_small_company(), min(max(1, (extent.n_events or 1) // _EVENTS_A_COPY), _MOST_COPIES))
    company = _whole_company()
    n_identities = extent.n_identities or company.size
    if n_identities < company.size:
        raise UsageError(f"--identities is {n_identities}; the smallest company has {company.size}")
    return _companies(company, n_identities // company.size, more=n_identities % company.size)


def _small_company() -> Cast:
    return Cast(base_agents(), base_workers(), base_humans())


def _whole_company() -> Cast:
    return Cast(base_agents() + further_agents(), base_workers() + further_workers(), base_humans() + further_humans())


def _companies(company: Cast, copies: int, more: int | None = None) -> Cast:
    """Copies of one company, and the first `more` identities of another copy; without `more`, people are not copied."""
    whole = [_copy(company, n) for n in range(copies)]
    if more is not None:
        whole.append(_first(_copy(company, copies), more))
    return Cast(
        agents=tuple(agent for cast in whole for agent in cast.agents),
        workers=tuple(worker for cast in whole for worker in cast.workers),
        humans=company.humans if more is None else tuple(human for cast in whole for human in cast.humans),
    )


def _first(cast: Cast, n: int) -> Cast:
    """The first n of a cast: agents, then workers, then people."""
    agents, n = cast.agents[:n], max(0, n - len(cast.agents))
    workers, n = cast.workers[:n], max(0, n - len(cast.workers))
    return Cast(agents, workers, cast.humans[:n])


def _copy(company: Cast, n: int) -> Cast:
    return Cast(
        tuple(_copy_agent(agent, n) for agent in company.agents),
        tuple(_copy_worker(worker, n) for worker in company.workers),
        tuple(_copy_human(human, n) for human in company.humans),
    )


def _suffix(n: int) -> str:
    return f"-{n + 1:02d}" if n else ""


def _copy_role(role: Role, n: int) -> Role:
    return replace(role, name=role.name + _suffix(n))


def _copy_agent(agent: Agent, n: int) -> Agent:
    roles = tuple(_copy_role(role, n) for role in agent.roles)
    tools = tuple(_copy_tool(tool, agent.roles, n) for tool in agent.tools)
    return replace(agent, uid=agent.uid + _suffix(n), roles=roles, tools=tools, copy=n)


def _copy_tool(tool: Tool, own: tuple[Role, ...], n: int) -> Tool:
    """A tool that acts on its agent's own role acts on the copy's."""
    names = {role.name: role.name + _suffix(n) for role in own}
    return replace(tool, calls=tuple(replace(call, target=names.get(call.target, call.target)) for call in tool.calls))


def _copy_worker(worker: Worker, n: int) -> Worker:
    roles = tuple(_copy_role(role, n) for role in worker.roles)
    return replace(worker, name=worker.name + _suffix(n), subject=_copy_subject(worker, n), roles=roles, copy=n)


def _copy_subject(worker: Worker, n: int) -> str:
    if worker.kind == "ci":
        return worker.subject.replace(":ref:", f"{_suffix(n)}:ref:")
    return worker.subject + _suffix(n)


def _copy_human(human: Human, n: int) -> Human:
    user = human.user + _suffix(n)
    return replace(human, user=user, email=f"{user}@{human.email.partition('@')[2]}")
