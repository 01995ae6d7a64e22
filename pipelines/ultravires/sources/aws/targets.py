"""What a CloudTrail call acts on, where neither its list of resources nor its plain parameters say it.

In this order: what the request names anywhere by a parameter that stands for a part of an ARN; what the response names
so, for a thing that the call made; the resource that a denial names. A call with parameters that names nothing of all
this, such as the listing of all subnets, acts on the account as a whole.
"""

import re
from functools import lru_cache
from typing import Any

from ultravires.sources.aws.arns import curated_arn, curated_name, partition_of
from ultravires.sources.aws.cloudtrail_records import Call
from ultravires.sources.aws.iam_resources import is_operation, letters_of, resources_named

_DENIED_RESOURCE = re.compile(
    r"User: \S+ is not authorized to perform: \S+ on resource: (\"?)(arn:[^\s*\"]+)\1(?= because| with|$)"
)
"""What IAM says of a denial. Whoever calls chooses none of it but names without blanks."""
_ARN = re.compile(r"arn:[a-z-]+:([a-z0-9-]+):[^:\s]*:[^:\s]*:\S+")
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_FILTER_NAMES = ("name", "key", "Name", "Key")
_FILTER_VALUES = ("values", "Values", "valueSet", "value", "Value")
_NO_TARGETS = ("tag", "policy", "document", "condition", "credential", "response", "token")
"""Parameters that begin or end so hold no target but text about others, or what is secret."""
_MAKING = ("Create", "Run", "Register", "Allocate", "Import", "Copy")
"""How operations begin whose response names what they made."""
_MOST_VALUES, _MOST_DEPTH, _LONGEST_NAME, _LONGEST_VALUE = 100, 10, 64, 2_048
"""Bounds of what is looked at in a request: the longest name of AWS's parameters has 52 letters, the longest ARN 2,048;
more than 100 things in one call are counted by nobody."""
_WRAPPERS = frozenset({"items", "content", "value"})
_HOLDING = frozenset({str, list, dict})
_ACCOUNT = re.compile(r"\d{12}")


def targets_of(
    call: Call, request: Any, response: Any, *, message: Any, region: str | None, account: str | None
) -> list[str]:
    """ARNs of what a call acts on, each once; none where the record does not say it. `message` is that of an error."""
    service, operation = call.service, call.name
    place = (partition_of(region), region, account)
    found = _named_in(request, service, operation, place) if type(request) is dict else []
    if type(response) is dict and (operation.startswith(_MAKING) or not any(_is_of(service, arn) for arn in found)):
        made = [arn for arn in _named_in(response, service, operation, place) if _is_of(service, arn)]
        found += made
    if not found and type(message) is str:
        denied = _DENIED_RESOURCE.search(message[:_LONGEST_VALUE])
        found = [denied[2]] if denied else []
    if not found and request and account and _ACCOUNT.fullmatch(account) and is_operation(service, operation):
        found = [account_arn(region, account)]
    return list(dict.fromkeys(found))


def _is_of(service: str, arn: str) -> bool:
    return arn.split(":", 3)[2] == service


def account_arn(region: str | None, account: str) -> str:
    """The account as a resource of its own (Service Authorization Reference, AWS Account Management)."""
    return f"arn:{partition_of(region)}:account::{account}:account"


def _named_in(
    members: dict[str, Any], service: str, operation: str, place: tuple[str, str | None, str | None]
) -> list[str]:
    named: dict[str, list[str]] = {}
    arns: list[str] = []
    held: list[tuple[str, str]] = []
    _collect(held, members, "", _MOST_DEPTH)
    for name, value in held[:_MOST_VALUES]:
        if value[:4] == "arn:":
            arns += _own_arn(name, value, service)
        else:
            named.setdefault(name, []).append(value)
    if any(_is_of(service, arn) for arn in arns):
        return arns
    found, others = [], []
    for name, values in named.items():
        curated = _curated(service, name, values, place)
        found += curated
        if not curated:
            others.append(name)
    for form, parameters in resources_named(service, operation, tuple(others)):
        found += _filled(form, [named[name] for name in parameters], place)
    return arns + found


def _own_arn(name: str, value: str, service: str) -> list[str]:
    """An ARN counts where its parameter is named so, or where it is one of the service's own."""
    match = _ARN.fullmatch(value)
    is_own = match is not None and match[1] == service and "arn:" not in value[4:]
    return [value] if match and (name.endswith("arn") or is_own) else []


def _curated(service: str, name: str, values: list[str], place: tuple[str, str | None, str | None]) -> list[str]:
    own_name = curated_name(service, name)
    made = [curated_arn(service, own_name, value, place[1], place[2]) for value in values] if own_name else []
    return [arn for arn in made if arn is not None]


def _filled(form: str, values: list[list[str]], place: tuple[str, str | None, str | None]) -> list[str]:
    """A format with its variables replaced: by one value each, the last by each of its values."""
    known: dict[str, str | None] = dict(zip(("Partition", "Region", "Account"), place, strict=True))
    return [
        arn
        for last in values[-1]
        if (arn := _replaced(form, known, [*(several[0] for several in values[:-1]), last])) is not None
    ]


def _replaced(form: str, known: dict[str, str | None], values: list[str]) -> str | None:
    parts: list[str] = []
    rest = iter(values)
    for number, part in enumerate(_VARIABLE.split(form)):
        is_variable = number % 2
        value = part if not is_variable else known[part] if part in known else next(rest)
        if value is None:
            return None
        parts.append(value.lstrip("/") if is_variable and parts[-1].endswith("/") else value)
    return "".join(parts)


def _collect(found: list[tuple[str, str]], value: Any, name: str, depth: int) -> None:
    """Append (name, text) of what a request holds. Lists and the wrappers `items` and `content` have the name of what
    holds them, a filter the name that it compares; a `name` alone means the call's own thing at the top only.
    """
    if type(value) is str:
        if name and value and len(value) <= _LONGEST_VALUE:
            found.append((name, value))
    elif not value or not depth or len(found) >= _MOST_VALUES:
        return
    elif type(value) is list:
        for item in value[:_MOST_VALUES]:
            _collect(found, item, name, depth - 1)
    elif type(value) is dict:
        filtered = _filter(value)
        if filtered is not None:
            _collect(found, filtered[1], filtered[0], depth - 1)
            return
        for member, held in value.items():
            if not held or type(held) not in _HOLDING:
                continue
            if member in _WRAPPERS:
                _collect(found, held, name, depth - 1)
            elif (inner := _name_of(member)) and (inner != "name" or depth == _MOST_DEPTH):
                _collect(found, held, inner, depth - 1)


def _filter(value: dict[str, Any]) -> tuple[str, Any] | None:
    """`{"name": "vpc-id", "valueSet": ...}` and the like: what is compared, and with which values."""
    for name in _FILTER_NAMES:
        if name in value:
            values = [value[held] for held in _FILTER_VALUES if held in value]
            return (_name_of(value[name]) if type(value[name]) is str else "", values[0]) if values else None
    return None


@lru_cache(maxsize=4_096)
def _short_name(name: str) -> str:
    """A parameter's name as it is compared, of a list that of its elements; nothing where no target stands there."""
    letters = letters_of(name)
    if letters.startswith(_NO_TARGETS) or letters.endswith(_NO_TARGETS) or ":" in name:
        return ""
    return letters[:-1] if letters.endswith("s") and not letters.endswith("ss") else letters


def _name_of(member: str) -> str:
    return _short_name(member) if len(member) <= _LONGEST_NAME else ""
