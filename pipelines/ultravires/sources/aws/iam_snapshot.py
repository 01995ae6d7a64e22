"""AWS IAM as `aws iam get-account-authorization-details` exports it: users, groups, roles and policies of an account.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html. Nobody signs such a file:
who may write where it lies writes what it says. IAM itself has answered and its subjects do not speak in it, so it is
`recorded`, but like a log of approvals only in its place: as soon as `origins` binds places, an export that lies in
none of its own is what somebody reports. It is not `declared`, which a file among the logs never is.

Holders are named as CloudTrail's calls name them, by ARNs without a path, of which the ARN with it, as an actor has it,
is a member. What the export says to be whole is only what IAM itself attaches: grants of KMS and assignments of
Identity Center are not in it.

An export that was filtered lists no users, no groups or no roles, as an account does that has none; so the whole
account is stated only where it lists users and roles, and groups where users are in some.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from ultravires.reading.events import Event, Frame, NotParsed
from ultravires.reading.grants import Json, Relation, given, whole, written
from ultravires.reading.head import Head
from ultravires.reading.lifecycle import last_used
from ultravires.reading.options import Options
from ultravires.reading.snapshots import (
    EXTENT,
    MOST_GRANTS,
    NO_PART,
    SNAPSHOT,
    Described,
    Export,
    Seen,
    event_of,
    snapshot_records,
)
from ultravires.reading.source import Source
from ultravires.reading.values import mapping, sequence, text, truth
from ultravires.sources.aws.changes import plain_arn
from ultravires.sources.aws.policies import statements_of

_OF_HOLDERS = frozenset({"UserDetailList", "GroupDetailList", "RoleDetailList"})
_USER, _GROUP, _ROLE, _POLICY = "UserDetail", "GroupDetail", "RoleDetail", "ManagedPolicyDetail"
_PARTS = frozenset({_USER, _GROUP, _ROLE, _POLICY})
_IN_GROUPS = "user in groups"
_OWN_POLICIES = {_USER: "UserPolicyList", _GROUP: "GroupPolicyList", _ROLE: "RolePolicyList"}
_WORDS = {_USER: "user", _GROUP: "group", _ROLE: "role"}
_ARN_PARTS = 6
_EXTENT: tuple[Relation, ...] = ("attached", "member", "boundary")


def recognise(head: Head) -> bool:
    """One of its lists of details, or a record as it is kept."""
    kept = _PARTS | {EXTENT}
    return any(keys & _OF_HOLDERS or (SNAPSHOT in keys and keys & kept) for keys in head.first_keys())


def records(chunks: Iterator[bytes], options: Options) -> Iterator[Frame]:
    """The details in the lists of all pages, and what the export holds everything of."""
    return snapshot_records(chunks, options, _EXPORT)


def events(value: dict[str, Any], options: Options) -> Iterable[Event]:
    """One record to one event that states everything of it. Raises NotParsed where the export has no time."""
    if type(value.get(EXTENT)) is dict:
        return (event_of(value, EXTENT, _extent(value[EXTENT])),)
    part = next((part for part in value if part in _PARTS), None)
    record = mapping(value.get(part)) if part is not None else {}
    if part is None or _part_of(record) != part:
        raise NotParsed(NO_PART)
    described = _policy(record) if part == _POLICY else _holder(part, record)
    return (event_of(value, part, described),)


def _part_of(record: dict[str, Any]) -> str | None:
    """What a record details. A role in the list of an instance profile, inside of another role, has fewer members."""
    if _parts_of_arn(record.get("Arn")) is None:
        return None
    if text(record.get("PolicyName")) and "PolicyVersionList" in record:
        return _POLICY
    if text(record.get("RoleName")) and "InstanceProfileList" in record:
        return _ROLE
    if text(record.get("UserName")) and text(record.get("UserId")):
        return _USER
    return _GROUP if text(record.get("GroupName")) and text(record.get("GroupId")) else None


def _parts_of_arn(arn: Any) -> list[str] | None:
    parts = arn.split(":", _ARN_PARTS - 1) if type(arn) is str else []
    return parts if len(parts) == _ARN_PARTS and parts[0] == "arn" and parts[2] == "iam" else None


def _account_of(record: dict[str, Any]) -> str | None:
    """The account of the record; AWS's own policies are of none."""
    parts = _parts_of_arn(record.get("Arn"))
    return parts[4] if parts is not None and parts[4].isdigit() else None


def _holder(part: str, record: dict[str, Any]) -> Described:
    arn = str(record["Arn"])
    uid = plain_arn(arn)
    grants = [*_attached(part, uid, record), *_memberships(part, uid, arn, record)]
    if part != _GROUP:
        grants += _boundary(uid, record)
    if part == _ROLE:
        grants += _profiles(uid, record)
        if "AssumeRolePolicyDocument" in record:
            grants.append(written(uid, statements_of(record["AssumeRolePolicyDocument"]), kind="trust"))
    return Described(_WORDS[part], uid, grants, lifecycle=last_used(arn, _last_used_date(record)))


def _iam(arn: str) -> str:
    """How the names of all begin that IAM has in the partition of an ARN."""
    return f"arn:{arn.split(':')[1]}:iam::"


def _group_beside(arn: str, name: str) -> str:
    """The group of that name in the account of an ARN; a name is unique there, whatever its path."""
    return f"{':'.join(arn.split(':', _ARN_PARTS - 1)[:-1])}:group/{name}"


def _listed(record: dict[str, Any], name: str) -> tuple[list[Any], bool]:
    """The entries of a list, and whether they are all: a list that is missing has none."""
    value = record.get(name)
    entries = sequence(value)
    return entries[:MOST_GRANTS], value is None or (type(value) is list and len(entries) <= MOST_GRANTS)


def _attached(part: str, holder: str, record: dict[str, Any]) -> Iterator[Json]:
    """Managed policies, and those of its own, whose documents stand beside them."""
    managed, has_all_managed = _listed(record, "AttachedManagedPolicies")
    own, has_all_own = _listed(record, _OWN_POLICIES[part])
    arns = [text(mapping(each).get("PolicyArn")) for each in managed]
    names = [text(mapping(each).get("PolicyName")) for each in own]
    if has_all_managed and has_all_own and None not in arns and None not in names:
        yield whole("attached", holder=holder, among=_iam(holder))
    for arn in arns:
        if arn is not None:
            yield given("attached", holder, arn)
    for name, each in zip(names, own, strict=True):
        if name is not None:
            held = f"{holder}#{name}"
            yield given("attached", holder, held)
            yield written(held, statements_of(mapping(each).get("PolicyDocument")))


def _memberships(part: str, uid: str, arn: str, record: dict[str, Any]) -> Iterator[Json]:
    """The groups of a user; and the ARN with a path, which is the same holder."""
    if part == _USER:
        listed, has_all = _listed(record, "GroupList")
        names = [text(each) for each in listed]
        if has_all and None not in names:
            yield whole("member", holder=uid, among=_iam(arn))
        for name in names:
            if name is not None:
                yield given("member", uid, _group_beside(arn, name))
    if arn != uid:
        yield given("member", arn, uid)


def _profiles(role: str, record: dict[str, Any]) -> Iterator[Json]:
    """The instance profiles that a role is in, and what is launched with them."""
    listed, has_all = _listed(record, "InstanceProfileList")
    arns = [text(mapping(each).get("Arn")) for each in listed]
    if has_all and None not in arns:
        yield whole("member", held=role, among=_iam(role))
    for arn in arns:
        if arn is not None:
            yield given("member", plain_arn(arn), role)
            if plain_arn(arn) != arn:
                yield given("member", arn, plain_arn(arn))


def _boundary(arn: str, record: dict[str, Any]) -> Iterator[Json]:
    said = record.get("PermissionsBoundary")
    policy = text(mapping(said).get("PermissionsBoundaryArn"))
    if said is None or policy is not None:
        yield whole("boundary", holder=arn, among=_iam(arn))
    if policy is not None:
        yield given("boundary", arn, policy)


def _policy(record: dict[str, Any]) -> Described:
    """The versions that the policy has, of which one is in force; a version of which that is not known is left out."""
    arn, default = str(record["Arn"]), text(record.get("DefaultVersionId"))
    grants: list[Json] = []
    for each in map(mapping, sequence(record.get("PolicyVersionList"))[:MOST_GRANTS]):
        version = text(each.get("VersionId"))
        is_default = truth(each.get("IsDefaultVersion"))
        in_force = version == default if is_default is None and version and default else is_default
        if version is not None and in_force is not None:
            grants.append(written(arn, statements_of(each.get("Document")), version=version, in_force=in_force))
    return Described("policy", arn, grants)


def _last_used_date(record: dict[str, Any]) -> str | None:
    """Of roles alone. https://docs.aws.amazon.com/IAM/latest/APIReference/API_RoleLastUsed.html"""
    return text(mapping(record.get("RoleLastUsed")).get("LastUsedDate"))


def _dates_in(record: dict[str, Any]) -> Iterator[Any]:
    """When the record was made, changed or used: it was exported later."""
    yield record.get("CreateDate")
    yield record.get("UpdateDate")
    yield _last_used_date(record)
    for name in ("PolicyVersionList", "InstanceProfileList"):
        yield from (mapping(each).get("CreateDate") for each in sequence(record.get(name))[:MOST_GRANTS])


def _date_of_answer(name: str, value: Any) -> Any:
    """The HTTP date of the answer, as the SDK for Python keeps it: the last member of a page."""
    headers = mapping(mapping(value).get("HTTPHeaders")) if name == "ResponseMetadata" else {}
    return headers.get("date")


def _marks_of(record: dict[str, Any]) -> Iterator[str]:
    if record.get("GroupList"):
        yield _IN_GROUPS
    yield _iam(str(record["Arn"]))


def _extent_of(seen: Seen) -> dict[str, Any] | None:
    has_groups = seen.parts[_GROUP] > 0 or seen.parts[_IN_GROUPS] == 0
    if len(seen.accounts) != 1 or not seen.parts[_USER] or not seen.parts[_ROLE] or not has_groups:
        return None
    return {"account": next(iter(seen.accounts)), "among": next(mark for mark in seen.parts if mark.startswith("arn:"))}


def _extent(said: dict[str, Any]) -> Described:
    account, among = text(said.get("account")), text(said.get("among"))
    if account is None or among is None:
        raise NotParsed(NO_PART)
    return Described(EXTENT, account, [whole(relation, account=account, among=among) for relation in _EXTENT])


_EXPORT = Export(
    source="aws_iam_snapshot",
    opens=_OF_HOLDERS | {"Policies"},
    part_of=_part_of,
    account_of=_account_of,
    dates_in=_dates_in,
    extent_of=_extent_of,
    time_of_member=_date_of_answer,
    says_more=frozenset({"IsTruncated", "NextToken"}),
    marks_of=_marks_of,
)

SOURCE = Source(
    name="aws_iam_snapshot",
    log="aws_iam_snapshot",
    version=2,
    title="AWS IAM, as exported",
    reads="`aws iam get-account-authorization-details` as JSON, with any filter, one page or several in one file, "
    "also as the SDK for Python answers",
    recognised_by="UserDetailList, GroupDetailList or RoleDetailList",
    grade="documentation",
    documentation="https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html",
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
