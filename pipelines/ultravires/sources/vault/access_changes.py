"""What an answered request to Vault changes of who may do what, as `detail["grants"]`.

By its path: https://developer.hashicorp.com/vault/api-docs. An audit device hashes every text of a request, also inside
of lists, unless the mount or the device was told otherwise: what is hashed is not known. Policies are
`vault_policy/<namespace><name>`, entities their id, as where they act; roles and users of auth methods are their path,
groups `identity/group/id/<id>`. A policy without a text gives nothing and is still attached, as its next text shows.
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import msgspec

from ultravires.reading.grants import Json, given, gone, taken, unwritten, whole, written
from ultravires.reading.values import mapping, text
from ultravires.sources.vault.policies import statements_of

_MOST = 2_000
_HASHED = "hmac-sha256:"
_WRITES = frozenset({"create", "update", "patch"})
_NAMED = ("token_policies", "policies")


class Change(msgspec.Struct, frozen=True, gc=False):
    """A request that changed something: below which namespace, whether it deleted, what the path names, what it asked
    and what was answered.
    """

    namespace: str
    path: str
    is_deleted: bool
    name: str
    asked: Json
    answered: Json


def grants_of(request: Json, response: Json, namespace: str) -> list[Json] | None:
    """What this request, which was answered with success, changed; None where that is nothing that is known."""
    path, operation = text(request.get("path")) or "", request.get("operation")
    if operation != "delete" and operation not in _WRITES:
        return None
    found = _change_of(path)
    if found is None:
        return None
    change, name = found
    asked, answered = mapping(request.get("data")), mapping(response.get("data"))
    told = Change(namespace, path, operation == "delete", name, asked, answered)
    return list(change(told)) or None


@lru_cache(maxsize=8192)
def _change_of(path: str) -> "tuple[Callable[[Change], Iterator[Json]], str] | None":
    """What a write to this path means, and the name in it."""
    for pattern, change in _CHANGES:
        if match := pattern.fullmatch(path):
            return change, (match[1] or "") if match.re.groups else ""
    return None


def _plain(value: Any) -> str | None:
    """A text that was not hashed."""
    found = text(value)
    return None if found is None or found.startswith(_HASHED) else found


def _plain_list(value: Any) -> list[str] | None:
    """A list of names, also as one text with commas; None where one of them is not known."""
    listed = [each.strip() for each in value.split(",")] if type(value) is str else value
    if type(listed) is not list or len(listed) > _MOST:
        return None
    names = [_plain(each) for each in listed if each != ""]
    return None if None in names else [name for name in names if name is not None]


def _policy(change: Change) -> Iterator[Json]:
    held = _policy_uid(change, change.name)
    if change.is_deleted:
        yield unwritten(held)
        return
    policy = change.asked.get("policy", change.asked.get("rules"))
    known = policy if type(policy) is dict else _plain(policy)
    yield written(held, statements_of(known, change.namespace) if known else None)


def _policy_uid(change: Change, name: str) -> str:
    return f"vault_policy/{change.namespace}{name.lower()}"


def _attached(change: Change, holder: str, names: tuple[str, ...]) -> Iterator[Json]:
    """All policies of a role, user, entity or group, where this request sets them."""
    known = next((change.asked[name] for name in names if change.asked.get(name) is not None), None)
    policies = None if known is None else _plain_list(known)
    if policies is not None:
        yield whole("attached", holder=holder)
        for policy in dict.fromkeys(policies):
            yield given("attached", holder, _policy_uid(change, policy))


def _of_method(change: Change) -> Iterator[Json]:
    """A role, user or group of an auth method: who signs in by it has its policies."""
    holder = f"{change.namespace}{change.path}"
    if change.is_deleted:
        yield gone(holder)
    else:
        yield from _attached(change, holder, _NAMED)


def _policies_of_method(change: Change) -> Iterator[Json]:
    """Some methods have a path for the policies alone."""
    holder = f"{change.namespace}{change.name}"
    if change.is_deleted:
        yield whole("attached", holder=holder)
    else:
        yield from _attached(change, holder, _NAMED)


def _token_role(change: Change) -> Iterator[Json]:
    """The policies that tokens made by a role may have."""
    holder = f"{change.namespace}{change.path}"
    if change.is_deleted:
        yield gone(holder)
    else:
        yield from _attached(change, holder, ("allowed_policies",))


def _entity(change: Change) -> Iterator[Json]:
    uid = _plain(change.name) or _plain(change.answered.get("id")) or _plain(change.asked.get("id"))
    if uid and change.is_deleted:
        yield gone(uid)
    elif uid:
        yield from _attached(change, uid, ("policies",))


def _entity_by_name(change: Change) -> Iterator[Json]:
    """Names come back for other entities: only an answer says whose it is."""
    if not change.is_deleted and (uid := _plain(change.answered.get("id"))):
        yield from _attached(change, uid, ("policies",))


def _group(change: Change) -> Iterator[Json]:
    uid = _plain(change.name) or _plain(change.answered.get("id")) or _plain(change.asked.get("id"))
    if uid and change.is_deleted:
        yield gone(_group_uid(uid))
    elif uid:
        yield from _group_now(change, _group_uid(uid))


def _group_by_name(change: Change) -> Iterator[Json]:
    if not change.is_deleted and (uid := _plain(change.answered.get("id"))):
        yield from _group_now(change, _group_uid(uid))


def _group_uid(uid: str) -> str:
    return f"identity/group/id/{uid}"


def _group_now(change: Change, group: str) -> Iterator[Json]:
    """Its policies, and its members; entities and groups are set apart from each other."""
    yield from _attached(change, group, ("policies",))
    for name, named in (("member_entity_ids", str), ("member_group_ids", _group_uid)):
        members = _plain_list(change.asked[name]) if change.asked.get(name) is not None else None
        if members is not None:
            yield whole("member", held=group, binding=f"{group}/{name}")
            for member in dict.fromkeys(members):
                yield given("member", named(member), group, binding=f"{group}/{name}")


def _alias(change: Change) -> Iterator[Json]:
    """A name in an auth method that is an entity's: whoever signs in with it becomes that entity."""
    uid = _plain(change.name) or _plain(change.answered.get("id")) or _plain(change.asked.get("id"))
    if uid is None:
        return
    binding = f"identity/entity-alias/id/{uid}"
    if change.is_deleted:
        yield taken("member", binding=binding)
        return
    entity = _plain(change.asked.get("canonical_id")) or _plain(change.answered.get("canonical_id"))
    name, mount = _plain(change.asked.get("name")), _plain(change.asked.get("mount_accessor"))
    if entity and name and mount:
        yield whole("member", binding=binding)
        yield given("member", f"{mount}/{name}", entity, binding=binding)


_CHANGES: tuple[tuple[re.Pattern[str], Callable[[Change], Iterator[Json]]], ...] = tuple(
    (re.compile(pattern), change)
    for pattern, change in (
        (r"sys/(?:policies/acl|policy)/(.+)", _policy),
        (r"auth/token/roles/([^/]+)", _token_role),
        (r"(auth/.+/(?:role|users)/[^/]+)/(?:policies|token-policies)", _policies_of_method),
        (r"auth/.+/(?:role|roles|users|groups)/[^/]+", _of_method),
        (r"identity/entity(?:/id/([^/]+))?", _entity),
        (r"identity/entity/name/([^/]+)", _entity_by_name),
        (r"identity/group(?:/id/([^/]+))?", _group),
        (r"identity/group/name/([^/]+)", _group_by_name),
        (r"identity/entity-alias(?:/id/([^/]+))?", _alias),
    )
)
