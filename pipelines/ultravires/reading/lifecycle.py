"""What a record says of the life of an identity or key: the words in which sources say it, as `detail["lifecycle"]`.

Each word names whom or what it is `of`, a `field` and the `value` that it has now, null where it was taken away:

- `owner`, `team`, `purpose`, `reviewed_at`, `expires_at`: what a tag says of an identity.
- `account`: `gone` where a directory deleted or disabled the account, `there` where it made it or gave it back.
- `credential`: `there` where a key was switched on again.
- `used_at`: when it acted last before an export that says so, in whichever way it acts.

Identities are named as `actor_uid` names them in the same log, people in every way in which the record names them. Only
what happened counts: the outcome of the record decides, and sources need not look at it.
"""

import re
from collections.abc import Iterable
from itertools import islice
from typing import Any, Literal

from ultravires.reading.values import iso, micros_of_text

Json = dict[str, Any]
Field = Literal["owner", "team", "purpose", "reviewed_at", "expires_at", "account", "credential", "used_at"]
TAGS: dict[str, Field] = {
    "owner": "owner",
    "ownedby": "owner",
    "owneremail": "owner",
    "team": "team",
    "purpose": "purpose",
    "reviewed": "reviewed_at",
    "reviewedat": "reviewed_at",
    "lastreview": "reviewed_at",
    "expires": "expires_at",
    "expiresat": "expires_at",
    "expiry": "expires_at",
    "expiration": "expires_at",
}
"""What a tag means, by its name in small letters and without marks."""
_MARKS = re.compile(r"[^a-z0-9]+")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_MOST, _LONGEST = 200, 512
_WHOLE_DAY = 86_400 * 1_000_000


def tagged(of: str, tags: Iterable[tuple[str, str]]) -> list[Json]:
    """What these tags say of `of`; of several that mean one thing the last. Other tags, and times that are none, say
    nothing.
    """
    found: dict[Field, str] = {}
    for name, value in islice(tags, _MOST):
        field = _field_of(name)
        if field and (known := _value_of(field, value)):
            found[field] = known
    return [_word(of, field, value) for field, value in found.items()]


def untagged(of: str, names: Iterable[str]) -> list[Json]:
    """Tags with these names were taken away."""
    fields = dict.fromkeys(field for name in islice(names, _MOST) if (field := _field_of(name)))
    return [_word(of, field, None) for field in fields]


def account_gone(names: Iterable[str]) -> list[Json]:
    """A directory deleted or disabled the account that has these names."""
    return [_word(name, "account", "gone") for name in dict.fromkeys(names)]


def account_there(names: Iterable[str]) -> list[Json]:
    """A directory made the account that has these names, or gave it back."""
    return [_word(name, "account", "there") for name in dict.fromkeys(names)]


def credential_there(credential_uid: str) -> list[Json]:
    """A key that may have been switched off works again."""
    return [_word(credential_uid, "credential", "there")]


def last_used(of: str, at: str | None) -> list[Json]:
    """Who hands out its sessions says when this identity acted last; nothing where that is no time."""
    moment = moment_of(at) if at is not None else None
    return [_word(of, "used_at", iso(moment))] if moment is not None else []


def moment_of(written: str) -> int | None:
    """A written time, or the beginning of a written day, in microseconds since 1970; None where it is neither."""
    written = written.strip()
    return micros_of_text(f"{written}T00:00:00Z" if _DAY.fullmatch(written) else written)


def last_moment_of(written: str) -> int | None:
    """Until when something lasts that ends at a written time. One that ends on a day lasts until that day is over
    everywhere, which is half a day after midnight UTC.
    """
    moment = moment_of(written)
    return moment + _WHOLE_DAY + _WHOLE_DAY // 2 if moment is not None and _DAY.fullmatch(written.strip()) else moment


def _word(of: str, field: Field, value: str | None) -> Json:
    return {"of": of, "field": field, "value": value}


def _field_of(name: str) -> Field | None:
    return TAGS.get(_MARKS.sub("", name.lower())) if len(name) <= _LONGEST else None


def _value_of(field: Field, value: str) -> str | None:
    value = value.strip()
    if not value or len(value) > _LONGEST:
        return None
    if field not in ("expires_at", "reviewed_at"):
        return value
    moment = last_moment_of(value) if field == "expires_at" else moment_of(value)
    return iso(moment) if moment is not None else None
