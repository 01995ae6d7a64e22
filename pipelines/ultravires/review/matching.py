"""Whether a right speaks of what was used or approved. Sound in one direction each: use is found where it may be, and
what is covered is covered for certain.
"""

from collections.abc import Iterable

from ultravires_models.policies.patterns import action_covers, action_matches, covers, matches

from ultravires.review.facts import Reviewed, Right, Use


def gives_action(right: Right, action: str) -> bool:
    """By its pattern, and not among those that it leaves out."""
    if right.action_pattern is None or not action_matches(right.action_pattern, action):
        return False
    return not any(action_matches(pattern, action) for pattern in right.except_actions)


def gives_resource(right: Right, resource: str) -> bool:
    """For certain: a variable in the pattern stands for nothing."""
    if right.resource_pattern is None or not matches(right.resource_pattern, resource, "resource"):
        return False
    return not any(
        matches(pattern, resource, "resource") or has_variable(pattern) for pattern in right.except_resources
    )


def may_have_given(right: Right, use: Use) -> bool:
    """Whether this use may have been by this right: also where the log names no resource that could be compared."""
    return gives_one_of(right, use.permission, use.action) and _may_be_on(right, use)


def uses_of(right: Right, reviewed: Reviewed) -> list[Use]:
    """All that may have been by this right."""
    return [
        use
        for (permission, action), uses in reviewed.uses_by_action.items()
        if gives_one_of(right, permission, action)
        for use in uses
        if _may_be_on(right, use)
    ]


def gives_one_of(right: Right, permission: str, action: str) -> bool:
    """In the word that grants it, or in that of its log."""
    return gives_action(right, permission) or (action != permission and gives_action(right, action))


def _may_be_on(right: Right, use: Use) -> bool:
    resource, pattern = use.resource_uid, right.resource_pattern
    if resource is None or pattern is None or has_variable(pattern) or not is_comparable(use.permission, resource):
        return True
    return gives_resource(right, resource)


def is_within(narrow: Right, wide: Right) -> bool:
    """Whether all that one gives is given by the other, for certain."""
    if None in (narrow.action_pattern, narrow.resource_pattern, wide.action_pattern, wide.resource_pattern):
        return False
    if wide.condition is not None and wide.condition != narrow.condition:
        return False
    is_same_but = narrow.except_actions == wide.except_actions and narrow.except_resources == wide.except_resources
    if (wide.except_actions or wide.except_resources) and not is_same_but:
        return False
    if wide.scope_uid is not None and wide.scope_uid != narrow.scope_uid:
        return False
    return action_covers(str(wide.action_pattern), str(narrow.action_pattern)) and covers(
        str(wide.resource_pattern), str(narrow.resource_pattern), "resource"
    )


def is_within_any(narrow: Right, wide: Iterable[Right]) -> Right | None:
    """The first that gives all that the right gives."""
    return next((each for each in wide if is_within(narrow, each)), None)


def is_comparable(permission: str, resource: str) -> bool:
    """Whether a pattern of the action's service can speak of this resource: records name things beside it, such as the
    account. Of other vendors every name can be compared.
    """
    if not resource.startswith("arn:"):
        return not is_aws_action(permission)
    return resource.split(":", 3)[2].lower() == permission.partition(":")[0].lower()


def is_aws_action(permission: str) -> bool:
    """`service:Name`, as IAM writes actions."""
    service, colon, name = permission.partition(":")
    return bool(colon and name) and service.replace("-", "").isalnum() and service == service.lower()


def is_wide(right: Right) -> bool:
    """Whether it may give more than one action on one thing."""
    patterns = (right.action_pattern or "*", right.resource_pattern or "*")
    return bool(right.except_actions or right.except_resources) or any("*" in each or "?" in each for each in patterns)


def has_variable(pattern: str) -> bool:
    """Whether what it matches depends on who asks."""
    return "${" in pattern.replace("${*}", "").replace("${?}", "").replace("${$}", "")
