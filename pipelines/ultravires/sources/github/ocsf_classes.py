"""OCSF class and activity, and the outcome, of an action in GitHub's audit log."""

from functools import lru_cache
from typing import Any

from ultravires.reading.values import integer, text
from ultravires.sources.ocsf.classes import API_ACTIVITY, AUTHENTICATION, GROUP_MANAGEMENT, USER_ACCESS

_OTHER = 99
_EXACT = {
    "user.login": (AUTHENTICATION, 1),
    "user.failed_login": (AUTHENTICATION, 1),
    "user.two_factor_challenge_success": (AUTHENTICATION, 1),
    "user.two_factor_challenge_failure": (AUTHENTICATION, 1),
    "user.logout": (AUTHENTICATION, 2),
    "repo.add_member": (USER_ACCESS, 1),
    "repo.remove_member": (USER_ACCESS, 2),
    "team.add_repository": (USER_ACCESS, 1),
    "team.remove_repository": (USER_ACCESS, 2),
    "org.update_member": (USER_ACCESS, 1),
    "organization_moderators.add_user": (USER_ACCESS, 1),
    "organization_moderators.remove_user": (USER_ACCESS, 2),
    "org.add_member": (GROUP_MANAGEMENT, 3),
    "org.remove_member": (GROUP_MANAGEMENT, 4),
    "team.add_member": (GROUP_MANAGEMENT, 3),
    "team.remove_member": (GROUP_MANAGEMENT, 4),
    "team.destroy": (GROUP_MANAGEMENT, 5),
    "team.create": (GROUP_MANAGEMENT, 6),
}
_OPERATIONS = {"create": 1, "restore": 1, "access": 2, "modify": 3, "transfer": 3, "remove": 4}
_VERBS = {
    "create": 1,
    "created": 1,
    "add": 1,
    "clone": 2,
    "fetch": 2,
    "access": 2,
    "download": 2,
    "update": 3,
    "push": 3,
    "enable": 3,
    "disable": 3,
    "rename": 3,
    "transfer": 3,
    "destroy": 4,
    "delete": 4,
    "remove": 4,
    "revoke": 4,
}
_CONCLUSIONS = {"success": "success", "failure": "failure", "timed_out": "failure", "startup_failure": "failure"}
_DENIED_STATUS = frozenset({401, 403})
_FIRST_ERROR_STATUS = 400


@lru_cache(maxsize=8192)
def ocsf_class(action: str, operation: str | None) -> tuple[int, int]:
    """(class_uid, activity_id). `operation` is the record's operation_type; `git` actions say it in their name."""
    if known := _EXACT.get(action):
        return known
    if operation == "authentication":
        return AUTHENTICATION, 1
    verb = action.rpartition(".")[2].partition("_")[0]
    return API_ACTIVITY, _OPERATIONS.get(operation or "", _VERBS.get(verb, _OTHER))


def outcome_of(record: dict[str, Any], action: str) -> tuple[str, str | None]:
    """(outcome, error code). The log holds what was done, so what says nothing else succeeded."""
    status = integer(record.get("status_code"))
    if status is not None and status >= _FIRST_ERROR_STATUS:
        return "denied" if status in _DENIED_STATUS else "failure", str(status)
    if action == "workflows.completed_workflow_run":
        conclusion = text(record.get("conclusion"))
        outcome = _CONCLUSIONS.get(conclusion or "", "unknown")
        return outcome, None if outcome == "success" else conclusion
    return _outcome_of_action(action, record.get("allowed") is False), None


@lru_cache(maxsize=8192)
def _outcome_of_action(action: str, is_refused: bool) -> str:
    name = action.rpartition(".")[2]
    if is_refused or name.startswith("rejected_"):
        return "denied"
    is_failure = name.startswith("failed_") or name.endswith(("_failed", "_failure"))
    return "failure" if is_failure else "success"
