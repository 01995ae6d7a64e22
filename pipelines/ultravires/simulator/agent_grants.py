"""What an agent that people ask directly is approved for once and for all; each request narrows it."""

from dataclasses import replace

from ultravires.simulator import ids
from ultravires.simulator.agent_plans import grant_for
from ultravires.simulator.cast import Agent, Cast
from ultravires.simulator.grants import Grant
from ultravires.simulator.moments import DAY
from ultravires.simulator.scribe import Scribe
from ultravires.simulator.stage import Stage


def announce_asked(scribe: Scribe, cast: Cast) -> None:
    """One approval for ninety days for each agent that people ask without a ticket, written down before the world
    begins.
    """
    for agent in cast.agents:
        if agent.is_asked_by_human and not agent.is_ticketed:
            rng = ids.stream(scribe.seed, "standing", agent.uid)
            scribe.grant(_standing(Stage(scribe, rng, cast), agent), rng)


def standing_node(agent: Agent) -> str:
    return f"approval:{_uid(agent)}"


def _standing(stage: Stage, agent: Agent) -> Grant:
    given = grant_for(
        stage,
        agent,
        stage.scribe.extent.first_day - stage.rng.randrange(2, 40) * DAY,
        agent.tools,
        names=(_uid(agent), f"STA-{agent.uid}"),
    )
    return replace(given, tools=(), valid_until=stage.scribe.extent.standing_until(given.approved_at))


def _uid(agent: Agent) -> str:
    return f"standing-{agent.uid}"
