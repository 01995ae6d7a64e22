"""When each situation happens: on the later days, so that what is usual has been seen before."""

from collections.abc import Callable, Iterator

from ultravires.simulator import wrong_credentials, wrong_grants, wrong_tools
from ultravires.simulator.moments import DAY, FIRST_DAY, HOUR, MINUTE
from ultravires.simulator.stage import Stage
from ultravires.simulator.truth import Situation

Play = Callable[[Stage, int], Situation]

# (day, minutes after 8:00): one place each in the smallest world.
TIMETABLE: tuple[tuple[int, int, Play], ...] = (
    (4, 15, wrong_grants.unapproved_privileged_activity),
    (4, 95, wrong_grants.activity_after_approval_end),
    (4, 210, wrong_tools.executed_despite_denial),
    (5, 40, wrong_grants.activity_outside_actions),
    (5, 130, wrong_grants.entitlement_overreach),
    (5, 260, wrong_grants.self_approval),
    (6, 25, wrong_grants.activity_outside_resources),
    (6, 140, wrong_tools.privileged_tool_without_decision),
    (6, 290, wrong_grants.hasty_high_risk_approval),
    (7, 35, wrong_tools.arguments_changed_after_decision),
    (7, 120, wrong_credentials.credential_used_after_task),
    (7, 250, wrong_credentials.credential_used_elsewhere),
    (8, 20, wrong_credentials.role_chain_leaves_approval),
    (8, 145, wrong_credentials.agent_mints_credential),
    (8, 300, wrong_grants.rare_action),
    (8, 400, wrong_credentials.audit_logging_weakened),
    (7, 380, wrong_tools.confused_deputy),
)
_EVENTS_A_COPY = 50_000
_MOST_COPIES = 12


def situations_on(day: int, n_events: int) -> Iterator[tuple[int, int, Play]]:
    """(copy, time, play) of every situation on `day`; a larger world has each several times."""
    copies = min(max(1, n_events // _EVENTS_A_COPY), _MOST_COPIES)
    for copy in range(copies):
        for on_day, minutes, play in TIMETABLE:
            if on_day == day:
                yield copy, FIRST_DAY + day * DAY + 8 * HOUR + (minutes + copy * 7) * MINUTE, play
