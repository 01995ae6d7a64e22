"""What an agent is going to do: its grant, its steps and their times, before anything happens."""

from dataclasses import dataclass, replace
from random import Random

from ultravires.simulator.aws_calls import Json, resource_patterns
from ultravires.simulator.cast import Agent, Call, Role, Tool
from ultravires.simulator.grants import Grant
from ultravires.simulator.moments import HOUR, MINUTE, SECOND
from ultravires.simulator.stage import Stage

# A step longer than this apart from the next cannot be taken for it, whatever the clocks say.
_APART = 4 * MINUTE


@dataclass(frozen=True)
class Step:
    """One tool call. verdict: allow, deny, or none where nobody asked the policy engine."""

    tool: Tool
    at: int
    seconds: int
    arguments: Json
    decided_arguments: Json
    number: int
    verdict: str = "allow"
    is_repeated: bool = False

    def calls(self) -> list[Call]:
        return [Call(call.action, call.target.replace("{n}", f"{self.number:05d}")) for call in self.tool.calls]


@dataclass(frozen=True)
class Plan:
    """One run of one agent: under a grant, asked for by a human, or both.

    is_announced: the grant is in its log already: an earlier run stood under it.
    """

    agent: Agent
    steps: tuple[Step, ...]
    grant: Grant | None = None
    human: str | None = None
    is_announced: bool = False

    @property
    def starts_at(self) -> int:
        return self.steps[0].at - 4 * SECOND

    @property
    def ends_at(self) -> int:
        return self.steps[-1].at + (self.steps[-1].seconds + 5) * SECOND


def logged_action(call: Call) -> str:
    """The action in CloudTrail's words: CloudWatch still signs as `monitoring`."""
    return call.action.replace("cloudwatch:", "monitoring:")


def role_of(agent: Agent, tool: Tool) -> Role:
    return agent.roles[tool.role]


def plan_steps(rng: Random, agent: Agent, at: int, tools: tuple[Tool, ...]) -> tuple[Step, ...]:
    """Steps through `tools` from `at` on; a spaced agent leaves long pauses between them."""
    steps = []
    for tool in tools:
        number = rng.randrange(100_000)
        target = tool.calls[0].target.replace("{n}", f"{number:05d}") if tool.calls else tool.name
        arguments = {"target": target, "batch": number % 500, "dry_run": False}
        seconds = rng.randrange(3, 40)
        steps.append(Step(tool, at, seconds, arguments, arguments, number, is_repeated=rng.random() < 0.03))
        at += seconds * SECOND * (2 if steps[-1].is_repeated else 1) + _pause(rng, agent)
    return tuple(steps)


def _pause(rng: Random, agent: Agent) -> int:
    return rng.randrange(_APART, 2 * _APART) if agent.is_spaced else rng.randrange(4, 50) * SECOND


def grant_for(
    stage: Stage, agent: Agent, at: int, tools: tuple[Tool, ...], names: tuple[str, str] | None = None
) -> Grant:
    """The approval of one run that starts at `at`: its tools' actions, resources and roles, for some hours.

    names: its id and ticket, where they are not the next ones.
    """
    rng, (uid, ticket), (asked, answered) = stage.rng, names or stage.scribe.next_grant(), stage.people()
    approved_at = at - rng.randrange(2, 25) * MINUTE
    calls = [(role_of(agent, tool).account, call) for tool in tools for call in tool.calls]
    patterns = {pattern for account, call in calls for pattern in resource_patterns(account, call)}
    return Grant(
        uid=uid,
        ticket=ticket,
        task=agent.task,
        subject=agent.uid,
        requested_by=asked,
        approved_by=answered,
        requested_at=approved_at - _answer_time(rng, agent.risk),
        approved_at=approved_at,
        valid_until=at + rng.randrange(4, 9) * HOUR,
        actions=approved_actions(tuple(call for _, call in calls)),
        resources=tuple(sorted(patterns)),
        roles=tuple(dict.fromkeys(role.arn for role in agent.roles)),
        tools=tuple(tool.name for tool in tools),
        risk=agent.risk,
    )


def _answer_time(rng: Random, risk: str) -> int:
    """High risk is read before it is approved."""
    return rng.randrange(3 * MINUTE, 40 * MINUTE) if risk == "high" else rng.randrange(25, 1200) * SECOND


def approved_actions(calls: tuple[Call, ...]) -> tuple[str, ...]:
    """The calls' actions, and asking who one is, which every SDK does."""
    return tuple(sorted({logged_action(call) for call in calls} | {"sts:GetCallerIdentity"}))


def moved(step: Step, milliseconds: int) -> Step:
    return replace(step, at=step.at + milliseconds)
