"""When each situation happens: on the later days, so that what is usual has been seen before."""

from collections.abc import Callable, Iterator

from ultravires.simulator import situations as s
from ultravires.simulator.moments import DAY, FIRST_DAY, HOUR, MINUTE
from ultravires.simulator.truth import Situation

Play = Callable[[s.Stage, int], Situation]

# (day, minutes after 8:00): one place each in the smallest world.
TIMETABLE: tuple[tuple[int, int, Play], ...] = (
    (4, 15, s.unapproved_privileged_activity),
    (4, 95, s.activity_after_approval_end),
    (4, 210, s.executed_despite_denial),
    (5, 40, s.activity_outside_actions),
    (5, 130, s.entitlement_overreach),
    (5, 260, s.self_approval),
    (6, 25, s.activity_outside_resources),
    (6, 140, s.privileged_tool_without_decision),
    (6, 290, s.hasty_high_risk_approval),
    (7, 35, s.arguments_changed_after_decision),
    (7, 120, s.credential_used_after_task),
    (7, 250, s.credential_used_elsewhere),
    (8, 20, s.role_chain_leaves_approval),
    (8, 145, s.agent_mints_credential),
    (8, 300, s.rare_action),
    (8, 400, s.audit_logging_weakened),
    (7, 380, s.confused_deputy),
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
