"""What a record of Teleport's audit log changes of who may do what, as `detail["grants"]`.

Events: https://goteleport.com/docs/reference/audit-events. Roles are `teleport:<role>` and users their name, as where
they act; an access list is `teleport:access_list/<name>`. No record says what a role allows, or which roles a list
gives: that one was written is known, and no more. A user is written anew at each login by an identity provider, so
that a user's record does not mean that nothing was held before.
"""

from collections.abc import Callable, Iterator
from typing import Any

from ultravires.reading.grants import Json, given, gone, made, taken, unwritten, whole, written
from ultravires.reading.values import iso, mapping, micros, sequence, text, texts
from ultravires.sources.teleport.records import roles_of

_MOST = 2_000
_LISTS = frozenset({2, "2", "MEMBERSHIP_KIND_LIST"})


def grants_of(record: Json, event: str) -> list[Json] | None:
    """What this record, which tells of a success, changed; None where that is nothing that is known."""
    change = _CHANGES.get(event)
    return (list(change(record)) or None) if change else None


def _role_written(record: Json) -> Iterator[Json]:
    if name := text(record.get("name")):
        yield written(f"teleport:{name}", None)


def _role_deleted(record: Json) -> Iterator[Json]:
    """Who had it has what the next role of this name says."""
    if name := text(record.get("name")):
        yield unwritten(f"teleport:{name}")


def _user_written(record: Json) -> Iterator[Json]:
    if name := text(record.get("name")):
        yield from _with_roles(record, name)


def _bot_written(record: Json) -> Iterator[Json]:
    if name := text(record.get("name")):
        yield from _with_roles(record, f"bot-{name}")


def _with_roles(record: Json, holder: str) -> Iterator[Json]:
    """All roles, where the record has the list; of a user who is forgotten again, until then."""
    named = record.get("roles")
    roles = texts(named)
    if type(named) is not list or len(named) > _MOST or len(roles) != len(named):
        return
    ends = micros(record.get("expires"))
    yield whole("attached", holder=holder)
    for role in dict.fromkeys(roles_of(roles)):
        yield given("attached", holder, role, expires_at=iso(ends) if ends else None)


def _user_deleted(record: Json) -> Iterator[Json]:
    if name := text(record.get("name")):
        yield gone(name)


def _bot_deleted(record: Json) -> Iterator[Json]:
    if name := text(record.get("name")):
        yield gone(f"bot-{name}")


def _list_made(record: Json) -> Iterator[Json]:
    if uid := _list(record.get("name")):
        yield made(uid)
        yield written(uid, None)


def _list_written(record: Json) -> Iterator[Json]:
    if uid := _list(record.get("name")):
        yield written(uid, None)


def _list_deleted(record: Json) -> Iterator[Json]:
    if uid := _list(record.get("name")):
        yield gone(uid)


def _list(name: Any) -> str | None:
    return f"teleport:access_list/{name}" if text(name) else None


def _members_added(record: Json) -> Iterator[Json]:
    if uid := _list(record.get("access_list_name")):
        for member in _members(record):
            yield given("member", member, uid)


def _members_removed(record: Json) -> Iterator[Json]:
    if uid := _list(record.get("access_list_name")):
        for member in _members(record):
            yield taken("member", member, uid)


def _all_members_removed(record: Json) -> Iterator[Json]:
    if uid := _list(record.get("access_list_name")):
        yield whole("member", held=uid)


def _members(record: Json) -> Iterator[str]:
    """Users, and lists whose members are meant."""
    for member in map(mapping, sequence(record.get("members"))[:_MOST]):
        name, kind = text(member.get("member_name")), member.get("membership_kind")
        if name:
            yield f"teleport:access_list/{name}" if type(kind) in (int, str) and kind in _LISTS else name


_CHANGES: dict[str, Callable[[Json], Iterator[Json]]] = {
    "role.created": _role_written,
    "role.updated": _role_written,
    "role.deleted": _role_deleted,
    "user.create": _user_written,
    "user.update": _user_written,
    "user.delete": _user_deleted,
    "bot.create": _bot_written,
    "bot.update": _bot_written,
    "bot.delete": _bot_deleted,
    "access_list.create": _list_made,
    "access_list.update": _list_written,
    "access_list.delete": _list_deleted,
    "access_list.member.create": _members_added,
    "access_list.member.update": _members_added,
    "access_list.member.delete": _members_removed,
    "access_list.member.delete_all_for_access_list": _all_members_removed,
}
