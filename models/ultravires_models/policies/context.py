"""What is known of the request in which an action is asked for: the keys of conditions and of policy variables.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Missing(Enum):
    """Why there is no value: the request does not have the key, or it is not known whether it has."""

    ABSENT = "absent"
    UNKNOWN = "unknown"


Value = str | tuple[str, ...]
"""Of a key with one value, and of one with several."""


@dataclass(frozen=True)
class Context:
    """Values by key in lower case. A `complete` context has every key that the request has; in another, those that are
    not there may be.
    """

    values: Mapping[str, Value | Missing]
    complete: bool = False

    def value(self, key: str) -> Value | Missing:
        """The value of this key; the case of a key does not count."""
        return self.values.get(key.lower(), Missing.ABSENT if self.complete else Missing.UNKNOWN)


def context(values: Mapping[str, Any], *, complete: bool = False, absent: Iterable[str] = ()) -> Context:
    """A context of values as logs have them. A value of None is a key that the request does not have, as are those of
    `absent`; what is no text, number, truth value or list of these is not known.
    """
    found: dict[str, Value | Missing] = {key.lower(): Missing.ABSENT for key in absent}
    found |= {key.lower(): _value(value) for key, value in values.items() if type(key) is str}
    return Context(found, complete)


def text_of(value: Any) -> str | None:
    """A value of a condition or of a key as text, as policies write it; None where it is none."""
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is int or type(value) is float:
        return str(value)
    return value if type(value) is str else None


def _value(value: Any) -> Value | Missing:
    if value is None or isinstance(value, Missing):
        return value or Missing.ABSENT
    if isinstance(value, list | tuple | set | frozenset):
        texts = [text_of(each) for each in value]
        known = tuple(text for text in texts if text is not None)
        return known if len(known) == len(texts) else Missing.UNKNOWN
    text = text_of(value)
    return Missing.UNKNOWN if text is None else text
