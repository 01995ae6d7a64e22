"""What calls change that add one statement to the policy of a resource, or take one away.

https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html (its answer shows the statement),
https://docs.aws.amazon.com/lambda/latest/api/API_AddLayerVersionPermission.html,
https://docs.aws.amazon.com/sns/latest/api/API_AddPermission.html,
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_AddPermission.html,
https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutPermission.html

The record shows only the one statement, so it is a document of its own, of kind `resource`: `<resource>#<sid>`, a part
of that of the resource. To take away a sid takes away that part, or the statement of that sid in the whole document.
"""

import re
from functools import partial
from typing import Any

from ultravires.reading.grants import Json, statement, unwritten, written
from ultravires.reading.values import label, mapping, text, texts, truth
from ultravires.sources.aws.changes import Change, Grants, arn_in, identifier, inner, member, regional_arn
from ultravires.sources.aws.policies import statements_of
from ultravires.sources.aws.resource_policies import Resource, queue_of, topic_of

_MOST_LISTED = 1_000
_ACCOUNT = re.compile(r"\d{12}")
_FUNCTION = re.compile(r"(?:(\d{12}):(?:function:)?)?([^:]+)(?::([^:]+))?")
_QUALIFIED = 8
"""Parts of the ARN of a function that ends in a version or an alias."""
_CONDITIONS = {
    "sourceArn": ("ArnLike", "AWS:SourceArn"),
    "sourceAccount": ("StringEquals", "AWS:SourceAccount"),
    "principalOrgID": ("StringEquals", "aws:PrincipalOrgID"),
    "eventSourceToken": ("StringEquals", "lambda:EventSourceToken"),
    "functionUrlAuthType": ("StringEquals", "lambda:FunctionUrlAuthType"),
}
"""Parameters of Lambda that limit the statement, and what they are in it."""


def _part(resource: str | None, sid: str | None) -> str | None:
    return f"{resource}#{sid}" if resource and sid else None


def _removed(resource: Resource, sid: str, change: Change) -> list[Json]:
    held = _part(resource(change), identifier(change.request, sid))
    return [unwritten(held, kind="resource")] if held else []


def _principal(name: str) -> str:
    """As policies are read: an account, an ARN, a service, or anybody."""
    if name == "*":
        return name
    return f"AWS:{name}" if name.startswith("arn:") or _ACCOUNT.fullmatch(name) else f"Service:{name}"


def _function_of(change: Change) -> str | None:
    """A function is named by its name, by `<account>:function:<name>` or by its ARN, with a version or an alias."""
    asked, qualifier = change.request, identifier(change.request, "qualifier")
    arn = arn_in(asked, "functionName")
    if arn is None:
        match = _FUNCTION.fullmatch(identifier(asked, "functionName") or "")
        arn = regional_arn(change, "lambda", f"function:{match[2]}", match[1]) if match else None
        qualifier = qualifier or (match[3] if match else None)
    return f"{arn}:{qualifier}" if arn and qualifier and len(arn.split(":")) < _QUALIFIED else arn


def _layer_of(change: Change) -> str | None:
    name, version = identifier(change.request, "layerName"), label(member(change.request, "versionNumber"))
    if not name or not version:
        return None
    return f"{name}:{version}" if name.startswith("arn:") else regional_arn(change, "lambda", f"layer:{name}:{version}")


def _lambda_added(resource: Resource, change: Change) -> list[Json]:
    """The statement as the answer shows it, else as the request has it."""
    arn = resource(change)
    held = _part(arn, identifier(change.request, "statementId"))
    if arn is None or held is None:
        return []
    return [written(held, _answered(change.response) or _asked(arn, change.request), kind="resource")]


def _answered(response: dict[str, Any]) -> list[Json] | None:
    said = member(response, "statement")
    return statements_of(f'{{"Statement":{said}}}' if type(said) is str else {"Statement": said})


def _asked(resource: str, request: dict[str, Any]) -> list[Json] | None:
    principal, action = text(member(request, "principal")), text(member(request, "action"))
    if not principal or not action:
        return None
    condition: dict[str, dict[str, str]] = {}
    names = {**_CONDITIONS, "organizationId": _CONDITIONS["principalOrgID"]}
    for name, (operator, key) in names.items():
        if value := text(member(request, name)):
            condition.setdefault(operator, {})[key] = value
    sid = identifier(request, "statementId")
    return [
        statement(
            "allow", [action], [resource], principals=[_principal(principal)], condition=condition or None, sid=sid
        )
    ]


def _labelled(resource: Resource, service: str, change: Change) -> list[Json]:
    """SNS and SQS: some accounts may call some operations."""
    arn, sid = resource(change), identifier(change.request, "label")
    held = _part(arn, sid)
    if arn is None or held is None:
        return []
    accounts = texts(member(change.request, "aWSAccountIds", "aWSAccountId"))[:_MOST_LISTED]
    operations = texts(member(change.request, "actions", "actionNames", "actionName"))[:_MOST_LISTED]
    said = None
    if accounts and operations:
        actions = [name if ":" in name else f"{service}:{name}" for name in operations]
        said = [statement("allow", actions, [arn], principals=[_principal(each) for each in accounts], sid=sid)]
    return [written(held, said, kind="resource")]


def _bus_of(change: Change) -> str | None:
    name = identifier(change.request, "eventBusName") or "default"
    return name if name.startswith("arn:") else regional_arn(change, "events", f"event-bus/{name}")


def _bus_permitted(change: Change) -> list[Json]:
    """EventBridge takes a whole policy, or the members of one statement."""
    bus, policy = _bus_of(change), member(change.request, "policy")
    if bus is None:
        return []
    if policy is not None:
        return [written(bus, statements_of(policy), kind="resource")]
    sid = identifier(change.request, "statementId")
    held = _part(bus, sid)
    if held is None:
        return []
    principal, action = text(member(change.request, "principal")), text(member(change.request, "action"))
    said = None
    if principal and action:
        condition = _bus_condition(inner(change.request, "condition"))
        said = [statement("allow", [action], [bus], principals=[_principal(principal)], condition=condition, sid=sid)]
    return [written(held, said, kind="resource")]


def _bus_condition(asked: dict[str, Any]) -> Json | None:
    operator, key = text(member(asked, "type")), text(member(asked, "key"))
    return {operator: {key: member(asked, "value")}} if operator and key else (mapping(asked) or None)


def _bus_forbidden(change: Change) -> list[Json]:
    bus = _bus_of(change)
    if bus and truth(member(change.request, "removeAllPermissions")):
        return [unwritten(bus, kind="resource")]
    return _removed(_bus_of, "statementId", change)


def _function_deleted(change: Change) -> list[Json]:
    """A function, or one version of it, and its statements with it."""
    held = _function_of(change)
    return [unwritten(held, kind="resource")] if held else []


_lambda_removed = partial(_removed, _function_of, "statementId")
_layer_removed = partial(_removed, _layer_of, "statementId")
PERMISSION_STATEMENTS: dict[str, Grants] = {
    **{
        f"lambda:AddPermission{version}": partial(_lambda_added, _function_of)
        for version in ("", "20150331", "20150331v2")
    },
    **{f"lambda:RemovePermission{version}": _lambda_removed for version in ("", "20150331", "20150331v2")},
    **{f"lambda:AddLayerVersionPermission{version}": partial(_lambda_added, _layer_of) for version in ("", "20181031")},
    **{f"lambda:RemoveLayerVersionPermission{version}": _layer_removed for version in ("", "20181031")},
    "lambda:DeleteFunction": _function_deleted,
    "lambda:DeleteFunction20150331": _function_deleted,
    "sns:AddPermission": partial(_labelled, topic_of, "sns"),
    "sns:RemovePermission": partial(_removed, topic_of, "label"),
    "sqs:AddPermission": partial(_labelled, queue_of, "sqs"),
    "sqs:RemovePermission": partial(_removed, queue_of, "label"),
    "events:PutPermission": _bus_permitted,
    "events:RemovePermission": _bus_forbidden,
}
"""Operation, of Lambda with the version of its API as CloudTrail writes it, -> what a successful call of it changes."""
