"""When each situation happens: on the later days, so that what is usual has been seen before."""

from collections.abc import Callable, Iterator

from ultravires.simulator import (
    cloud_rights,
    code_rights,
    delegations,
    late_approvals,
    office_keys,
    prompted_runs,
    service_rights,
    sleeping_roles,
    standing_grants,
    tool_rights,
    two_systems,
    widened_rights,
    wrong_clocks,
    wrong_credentials,
    wrong_grants,
    wrong_tools,
)
from ultravires.simulator.cast import Cast
from ultravires.simulator.extent import Extent
from ultravires.simulator.moments import DAYS, HOUR, MINUTE
from ultravires.simulator.stage import Stage
from ultravires.simulator.truth import Situation

Play = Callable[[Stage, int], Situation]
Entry = tuple[int, int, Play]

# (day of ten, minutes after 8:00): one place each in the smallest world.
TIMETABLE: tuple[Entry, ...] = (
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
# What the whole company has besides.
FURTHER: tuple[Entry, ...] = (
    (4, 420, two_systems.unapproved_change),
    (5, 320, prompted_runs.prompt_after_ticket_revoked),
    (5, 400, prompted_runs.prompt_after_carried_ticket_revoked),
    (6, 350, standing_grants.standing_role_taken_by_another),
    (6, 410, late_approvals.approved_afterwards),
    (7, 60, standing_grants.standing_grant_beyond_its_list),
    (7, 310, wrong_clocks.clock_ahead_after_approval_end),
    (7, 430, delegations.delegation_beyond_approval),
    (6, 450, office_keys.key_used_from_five_networks),
    (2, 330, widened_rights.role_widened_in_three_steps),
    (4, 50, widened_rights.user_joins_powerful_group),
    (5, 80, widened_rights.boundary_removed),
    (6, 110, widened_rights.role_widened_after_approval),
    (7, 200, widened_rights.role_changed_on_the_day_of_its_approval),
    # After the last working hour, so that no other run of the agent gives back in time what this one does not.
    (7, 720, widened_rights.rights_kept_after_approval),
    (8, 200, office_keys.key_used_from_a_second_place),
    (7, 15, sleeping_roles.forgotten_role_wakes),
    (8, 65, office_keys.revocation_without_effect),
    (4, 310, cloud_rights.folder_bound_for_one_project),
    (5, 345, cloud_rights.group_joins_powerful_group),
    (6, 225, cloud_rights.application_allowed_beyond_consent),
    (7, 275, cloud_rights.cluster_bound_for_one_namespace),
    (5, 190, tool_rights.tool_added_after_review),
    (7, 150, tool_rights.tool_described_anew_after_review),
    (6, 155, service_rights.policy_widened_after_approval),
    (8, 95, service_rights.machine_becomes_super_administrator),
    (5, 235, code_rights.machine_becomes_organization_owner),
    # After the last deployment of the day: whoever deploys then has no approval left over.
    (8, 840, two_systems.unapproved_beside_quiet_system),
)
# What looks like it and is right.
BENIGN: tuple[Entry, ...] = (
    (1, 240, two_systems.before_the_log_begins),
    (5, 5, standing_grants.standing_grant_all_day),
    (5, 160, prompted_runs.prompts_under_one_ticket),
    (5, 205, prompted_runs.prompts_under_a_carried_ticket),
    (6, 70, office_keys.key_made_in_the_office),
    (8, 130, sleeping_roles.role_of_the_month_acts),
    (7, 85, office_keys.key_given_back),
    (6, 180, wrong_clocks.clock_ahead),
    (6, 230, late_approvals.approval_recorded_late),
    (7, 180, delegations.delegation),
    (2, 210, widened_rights.role_widened_under_tickets),
    (4, 140, widened_rights.user_joins_group_under_ticket),
    (5, 290, widened_rights.boundary_narrowed),
    (6, 320, widened_rights.role_made_with_its_rights),
    (7, 340, widened_rights.role_changed_under_ticket_on_the_day),
    (5, 350, widened_rights.rights_given_back),
    (4, 180, cloud_rights.folder_bound_as_approved),
    (6, 135, cloud_rights.group_joins_group_as_approved),
    (5, 250, cloud_rights.application_allowed_as_approved),
    (6, 375, cloud_rights.cluster_bound_as_approved),
    (6, 95, tool_rights.tool_added_as_approved),
    (7, 300, tool_rights.tool_reviewed_again),
    (7, 230, service_rights.policy_widened_as_approved),
    (8, 180, service_rights.machine_becomes_administrator_as_approved),
    (6, 285, code_rights.machine_joins_organization_as_approved),
    (8, 250, two_systems.quiet_system_in_doubt),
)
_EVENTS_A_COPY = 50_000
_MOST_COPIES = 12


def timetable_of(extent: Extent) -> tuple[Entry, ...]:
    """Everything that happens in a world of this extent, once or more."""
    wrong = () if extent.is_clean else TIMETABLE + (FURTHER if extent.is_whole else ())
    return wrong + (BENIGN if extent.is_whole else ())


def situations_on(day: int, extent: Extent, cast: Cast) -> Iterator[tuple[int, int, Play]]:
    """(copy, time, play) of every situation on `day`; a larger world has each several times.

    A longer one has them at the same parts of its days, the copies of a situation on days after each other.
    """
    n_tens = extent.n_days // DAYS
    for copy in range(_n_copies(extent, cast)):
        for on_day, minutes, play in timetable_of(extent):
            if on_day * extent.n_days // DAYS + copy % n_tens == day:
                yield copy, extent.starts(day) + 8 * HOUR + (minutes + copy * 7) * MINUTE, play


def _n_copies(extent: Extent, cast: Cast) -> int:
    """By the events in the small company, by the copies of its agents in the whole one."""
    n_companies = 1 + min(max(agent.copy for agent in cast.agents), max(worker.copy for worker in cast.workers))
    wanted = n_companies if extent.is_whole else (extent.n_events or 1) // _EVENTS_A_COPY
    return min(max(1, wanted), _MOST_COPIES)
