"""What situations of rights in other systems have in common: the approval before, and the records of the change."""

from collections.abc import Sequence
from dataclasses import dataclass

from ultravires.simulator.grants import Grant
from ultravires.simulator.moments import HOUR, to_micros
from ultravires.simulator.stage import Stage
from ultravires.simulator.truth import Drifted


@dataclass(frozen=True)
class Told:
    """A change, as its log tells it: `by` is None where it does not say who made it."""

    node: str
    at: int
    by: str | None

    def drift(self, kind: str, holder: str) -> Drifted:
        return Drifted(kind, holder, self.node, self.by, to_micros(self.at))


def approve(
    stage: Stage,
    subject: str,
    at: int,
    task: str,
    *,
    actions: Sequence[str] = (),
    resources: Sequence[str] = (),
    roles: Sequence[str] = (),
    tools: Sequence[str] = (),
) -> Grant:
    """An approval for ninety days of what somebody may hold in another system, given at `at`."""
    (uid, ticket), (asked, answered) = stage.scribe.next_review(), stage.people()
    grant = Grant(
        uid=uid,
        ticket=ticket,
        task=task,
        subject=subject,
        requested_by=asked,
        approved_by=answered,
        requested_at=at - stage.rng.randrange(1, 9) * HOUR,
        approved_at=at,
        valid_until=stage.scribe.extent.standing_until(at),
        actions=tuple(actions),
        resources=tuple(resources),
        roles=tuple(roles),
        tools=tuple(tools),
    )
    stage.scribe.grant(grant, stage.rng)
    return grant
