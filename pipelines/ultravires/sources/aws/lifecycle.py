"""What calls of IAM say of the life of users, roles and keys, as `detail["lifecycle"]`: their tags, users that are
gone, keys that are switched on again.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_Operations.html (requests and answers) and
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html
"""

from collections.abc import Callable, Iterator
from functools import partial

from ultravires.reading.lifecycle import Json, account_gone, account_there, credential_there, tagged, untagged
from ultravires.reading.values import mapping, sequence, text, texts
from ultravires.sources.aws.changes import Change, arn_in, iam_arn, identifier, inner, member
from ultravires.sources.aws.identities import credential_id

_NAMES = {"user": "userName", "role": "roleName"}
Words = Callable[[Change], list[Json]]


def _holder(kind: str, change: Change) -> str | None:
    return iam_arn(change, kind, identifier(change.request, _NAMES[kind]))


def _tags(change: Change) -> Iterator[tuple[str, str]]:
    for tag in map(mapping, sequence(member(change.request, "tags"))):
        name, value = text(member(tag, "key")), text(member(tag, "value"))
        if name and value:
            yield name, value


def _tagged(kind: str, change: Change) -> list[Json]:
    holder = _holder(kind, change)
    return tagged(holder, _tags(change)) if holder else []


def _untagged(kind: str, change: Change) -> list[Json]:
    holder = _holder(kind, change)
    return untagged(holder, texts(member(change.request, "tagKeys"))) if holder else []


def _made(kind: str, change: Change) -> list[Json]:
    """A new one is called by its name and, where it has a path, by its whole ARN, too."""
    full = arn_in(inner(change.response, kind), "arn")
    names = [name for name in dict.fromkeys((_holder(kind, change), full)) if name]
    words = [word for name in names for word in tagged(name, _tags(change))]
    return words + (account_there(names) if kind == "user" else [])


def _user_gone(change: Change) -> list[Json]:
    user = _holder("user", change)
    return account_gone([user]) if user else []


def _key_updated(change: Change) -> list[Json]:
    key = credential_id(member(change.request, "accessKeyId"))
    return credential_there(key) if key and member(change.request, "status") == "Active" else []


LIFECYCLE: dict[str, Words] = {
    "iam:CreateUser": partial(_made, "user"),
    "iam:DeleteUser": _user_gone,
    "iam:TagUser": partial(_tagged, "user"),
    "iam:UntagUser": partial(_untagged, "user"),
    "iam:CreateRole": partial(_made, "role"),
    "iam:TagRole": partial(_tagged, "role"),
    "iam:UntagRole": partial(_untagged, "role"),
    "iam:UpdateAccessKey": _key_updated,
}
"""`<service>:<operation>` -> what a successful call of it says; nothing where its record does not."""
