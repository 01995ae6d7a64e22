"""Worlds like those of `hostile_worlds.py`, of what came after links: rights, effects, secrets, sign-ins and drift."""

from collections.abc import Callable, Mapping
from datetime import timedelta

from hostile_worlds import ROLE, START, act, approval, issue
from sql_world import Event
from ultravires.reading.effects import effect
from ultravires.reading.grants import given, statement, taken, written
from ultravires.reading.lifecycle import account_gone, account_there, tagged

POLICY = "arn:aws:iam::1:policy/p"


def _moment(number: int, step: timedelta = timedelta(seconds=1)) -> dict[str, object]:
    return {"event_at": START + number * step}


def _granting(number: int, words: list[dict[str, object]], **more: object) -> Event:
    return act(number, action="iam:AttachRolePolicy", detail={"grants": words}, **_moment(number), **more)


def acts_beyond_one_approval(n: int) -> list[Event]:
    """One credential under an approval that lists another action, each act on a resource of its own."""
    carried = [{"kind": "source_identity", "value": "A0", "role": "carries"}]
    acts = [
        act(i, credential_uid="ASIA1", action="s3:PutObject", resource_uids=[f"arn:aws:s3:::b/{i}"]) for i in range(n)
    ]
    return [approval(0, "A0"), issue(0, None, "ASIA1", keys=carried), *acts]


def rights_given_to_itself(n: int) -> list[Event]:
    """A third are acts that are denied, a third rights that their actor gives itself, a third the same acts done."""
    third = n // 3
    gives = {"effects": [effect("grants_power", target="self", power="admin")]}
    denied = [act(i, action=f"s3:Get{i}", outcome="denied", **_moment(i)) for i in range(third)]
    rights = [act(i, action="iam:PutRolePolicy", detail=gives, **_moment(third + i)) for i in range(third)]
    done = [act(i, action=f"s3:Get{i}", **_moment(2 * third + i)) for i in range(n - 2 * third)]
    return [*denied, *rights, *done]


def one_action_denied_without_end(n: int) -> list[Event]:
    """The same, of one action only."""
    third = n // 3
    gives = {"effects": [effect("grants_power", target="self", power="admin")]}
    denied = [act(i, action="s3:GetIt", outcome="denied", **_moment(i)) for i in range(third)]
    rights = [act(i, action="iam:PutRolePolicy", detail=gives, **_moment(third + i)) for i in range(third)]
    done = [act(i, action="s3:GetIt", **_moment(2 * third + i)) for i in range(n - 2 * third)]
    return [*denied, *rights, *done]


def secrets_that_all_read(n: int) -> list[Event]:
    """Each reads each: readers by secrets by hours are no more than the records."""
    some = max(int(n**0.5), 1)
    return [
        act(
            i,
            action="secretsmanager:GetSecretValue",
            actor_uid=f"arn:aws:iam::1:role/r{i % some}",
            resource_uids=[f"arn:aws:secretsmanager:eu-central-1:1:secret:s{i // some}"],
        )
        for i in range(n)
    ]


def rights_of_one_holder(n: int) -> list[Event]:
    """As many policies as records are attached to one role."""
    return [_granting(i, [given("attached", ROLE, f"{POLICY}{i}")]) for i in range(n)]


def rights_given_and_taken(n: int) -> list[Event]:
    """One policy comes and goes again and again."""
    words = [given("attached", ROLE, POLICY), taken("attached", ROLE, POLICY)]
    return [_granting(i, [words[i % 2]]) for i in range(n)]


def documents_of_one_policy(n: int) -> list[Event]:
    """A policy that one role has is written anew each second."""
    first = [_granting(0, [given("attached", ROLE, POLICY)])]
    return first + [_granting(i, [written(POLICY, [statement("allow", [f"s3:Get{i}"], ["*"])])]) for i in range(1, n)]


def groups_in_groups(n: int) -> list[Event]:
    """Each is a member of the one before it."""
    return [_granting(i, [given("member", f"group{i}", f"group{i + 1}")]) for i in range(n)]


def rights_by_acts(n: int) -> list[Event]:
    """Half of the records give a right to one action each, the other half use it."""
    half = n // 2
    rights = []
    for i in range(half):
        words = [
            given("attached", ROLE, f"{POLICY}{i}"),
            written(f"{POLICY}{i}", [statement("allow", [f"s3:Get{i}*"], ["*"])]),
        ]
        rights.append(_granting(i, words))
    return rights + [act(i, action=f"s3:Get{i}", **_moment(half + i)) for i in range(n - half)]


def approvals_by_rights(n: int) -> list[Event]:
    """Half of the records are approvals of one role, the other half rights that it is given."""
    half = n // 2
    asked = [approval(i, f"A{i}", roles=[ROLE]) for i in range(half)]
    return asked + [_granting(i, [given("attached", ROLE, f"{POLICY}{i}")]) for i in range(n - half)]


def roles_that_may_take_each_other(n: int) -> list[Event]:
    """Every role trusts the account and may take any role."""
    some = n // 3
    words: list[Event] = []
    for i in range(some):
        role = f"arn:aws:iam::1:role/r{i}"
        take = written(f"{POLICY}{i}", [statement("allow", ["sts:AssumeRole"], ["*"])])
        trust = written(role, [statement("allow", ["sts:AssumeRole"], principals=["*"])], kind="trust")
        words += [_granting(i, [given("attached", role, f"{POLICY}{i}"), take]), _granting(i, [trust])]
        words.append(act(i, actor_uid=role, **_moment(n + i)))
    return words


def accounts_that_come_and_go(n: int) -> list[Event]:
    words = [account_gone(["ann"]), account_there(["ann"])]
    return [act(i, action="iam:DeleteUser", detail={"lifecycle": words[i % 2]}, **_moment(i)) for i in range(n)]


def tags_of_one_identity(n: int) -> list[Event]:
    return [
        act(i, action="iam:TagRole", detail={"lifecycle": tagged(ROLE, [("owner", f"o{i}")])}, **_moment(i))
        for i in range(n)
    ]


def keys_of_one_role(n: int) -> list[Event]:
    """Long-lived keys, each made and used once from a network of its own."""
    half = n // 2
    made = [act(i, action="iam:CreateAccessKey", issued_credential_uid=f"AKIA{i}", **_moment(i)) for i in range(half)]
    return made + [
        act(
            i,
            credential_uid=f"AKIA{i}",
            src_ip=f"198.{i // 65536 % 2 + 18}.{i // 256 % 256}.{i % 256}",
            **_moment(half + i),
        )
        for i in range(n - half)
    ]


WORLDS: Mapping[str, Callable[[int], list[Event]]] = {
    world.__name__: world
    for world in (
        acts_beyond_one_approval,
        rights_given_to_itself,
        one_action_denied_without_end,
        secrets_that_all_read,
        rights_of_one_holder,
        rights_given_and_taken,
        documents_of_one_policy,
        groups_in_groups,
        rights_by_acts,
        approvals_by_rights,
        roles_that_may_take_each_other,
        accounts_that_come_and_go,
        tags_of_one_identity,
        keys_of_one_role,
    )
}
