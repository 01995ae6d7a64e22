"""Guardrails and assignments as the command line of AWS prints them: `aws organizations describe-policy`,
`aws sso-admin list-account-assignments` and `list-account-assignments-for-principal`.

https://docs.aws.amazon.com/organizations/latest/APIReference/API_DescribePolicy.html and
https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_ListAccountAssignments.html. Organizations and Identity
Center have answered, and nobody who is named in it speaks; who may write where the file lies writes what it says, so it
is `recorded` in its place only, as IAM's export is.

Only what says by itself what it is about is read. `list-policies-for-target` and `list-targets-for-policy` do not name
the target or policy that they were asked for, and `get-inline-policy-for-permission-set` and
`list-managed-policies-in-permission-set` not their permission set; `describe-permission-set` says nothing of what the
set allows. A list of assignments is of one account and set, or of one principal, and does not say of which where it is
empty: what it does not list is not said to be gone. Names are those of CloudTrail's calls.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from ultravires.reading.events import Event, Frame, NoEvent, NotParsed
from ultravires.reading.grants import DocumentKind, given, written
from ultravires.reading.head import Head
from ultravires.reading.options import Options
from ultravires.reading.snapshots import NO_PART, SNAPSHOT, Described, Export, event_of, snapshot_records
from ultravires.reading.source import Source
from ultravires.reading.values import mapping, text
from ultravires.sources.aws.policies import statements_of

_POLICY, _ASSIGNMENT = "Policy", "AccountAssignment"
_ASSIGNMENTS = "AccountAssignments"
_KINDS: dict[str, DocumentKind] = {"SERVICE_CONTROL_POLICY": "permissions", "RESOURCE_CONTROL_POLICY": "resource"}
_LIMITS_NOTHING = "policy that limits no permission"


def recognise(head: Head) -> bool:
    """A policy with its summary, a list of assignments, or a record as it is kept."""
    return any(
        _ASSIGNMENTS in keys
        or (_POLICY in keys and b'"PolicySummary"' in head.data)
        or keys.issuperset((SNAPSHOT, _ASSIGNMENT))
        for keys in head.first_keys()
    )


def records(chunks: Iterator[bytes], options: Options) -> Iterator[Frame]:
    """The answers that are one policy each, and the assignments of the lists."""
    return snapshot_records(chunks, options, _EXPORT)


def events(value: dict[str, Any], options: Options) -> Iterable[Event]:
    """One policy or assignment to one event. Raises NotParsed where the export has no time."""
    if _POLICY in value:
        return _policy(value, mapping(mapping(value[_POLICY]).get(_POLICY)))
    assignment = mapping(value.get(_ASSIGNMENT))
    principal, chosen_set, account = _assigned(assignment)
    if principal is None or chosen_set is None or account is None:
        raise NotParsed(NO_PART)
    edge = given("member", principal, chosen_set, scope=account)
    return (event_of(value, _ASSIGNMENT, Described("assignment", f"{principal}/{chosen_set}/{account}", [edge])),)


def _policy(value: dict[str, Any], policy: dict[str, Any]) -> Iterable[Event]:
    summary = mapping(policy.get("PolicySummary"))
    uid, kind = text(summary.get("Id")), text(summary.get("Type"))
    if uid is None or kind is None:
        raise NotParsed(NO_PART)
    if kind not in _KINDS:
        return NoEvent(_LIMITS_NOTHING)
    document = written(uid, statements_of(policy.get("Content")), kind=_KINDS[kind])
    return (event_of(value, _POLICY, Described("policy", uid, [document])),)


def _assigned(record: dict[str, Any]) -> tuple[str | None, str | None, str | None]:
    """(principal, permission set, account)."""
    return text(record.get("PrincipalId")), text(record.get("PermissionSetArn")), text(record.get("AccountId"))


def _part_of(record: dict[str, Any]) -> str | None:
    if text(mapping(mapping(record.get(_POLICY)).get("PolicySummary")).get("Id")):
        return _POLICY
    return None if None in _assigned(record) else _ASSIGNMENT


_EXPORT = Export(
    source="aws_organizations_snapshot",
    opens=frozenset({_ASSIGNMENTS}),
    part_of=_part_of,
    dates_in=lambda _record: (),
)

SOURCE = Source(
    name="aws_organizations_snapshot",
    log="aws_organizations_snapshot",
    version=1,
    title="AWS Organizations and Identity Center, as exported",
    reads="`aws organizations describe-policy`, `aws sso-admin list-account-assignments` and "
    "`list-account-assignments-for-principal` as JSON, several in one file; other answers do not say what they are "
    "about",
    recognised_by="Policy with a PolicySummary, or AccountAssignments",
    grade="documentation",
    documentation="https://docs.aws.amazon.com/organizations/latest/APIReference/API_DescribePolicy.html",
    documented_at="2026-11-30",
    evidence_kinds=("inventory",),
    voice="recorded",
    join_keys=(),
    recognise=recognise,
    records=records,
    events=events,
    grants=True,
    dated_by_file=True,
    joins_lines=True,
)
