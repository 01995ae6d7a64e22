"""Objects as `kubectl get ... -o yaml` prints them, as the JSON that `-o json` prints of the same.

https://kubernetes.io/docs/reference/kubectl/#output-options. kubectl writes no anchors, no tags and no text without
quotation marks that could be read as another type; a file that has an anchor is none of its, and one small file of
them can stand for gigabytes. So the text is read as a stream of events, and what it comes to is bounded.
"""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

MOST_BYTES = 32 << 20
"""A cluster's roles and bindings are one or two megabytes."""
_MOST_NODES, _DEEPEST = 5_000_000, 100
_BEGINS = re.compile(
    rb"(?:#[^\n]*\n|---[^\n]*\n|\s)*(?:apiVersion: v1\r?\nitems:\r?\n- )?apiVersion: rbac\.authorization\.k8s\.io/"
)
_PLAIN: dict[str, Any] = {"": None, "~": None, "null": None, "true": True, "false": False}
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")


class Refused(ValueError):
    """The text is no output of kubectl, and why."""


def is_yaml(data: bytes) -> bool:
    """Whether a file begins as kubectl prints a role or binding, or a list that begins with one."""
    return _BEGINS.match(data) is not None


def as_json(data: bytes) -> Iterator[bytes]:
    """Each document of the text as one of JSON and a newline. Raises Refused at the first that is none of kubectl's."""
    import yaml  # every process that reads imports this module, and few files are YAML

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    n_nodes = 0
    stack: list[Any] = []
    names: list[str | None] = []
    try:
        for event in yaml.parse(data, Loader=loader):
            kind = type(event)
            n_nodes += 1
            if n_nodes > _MOST_NODES or len(stack) > _DEEPEST:
                raise Refused("YAML of too many or too deep parts")
            if kind is yaml.AliasEvent or getattr(event, "anchor", None):
                raise Refused("YAML with an anchor, which kubectl never prints")
            if kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                stack.append({} if kind is yaml.MappingStartEvent else [])
                names.append(None)
            elif kind is yaml.ScalarEvent:
                if not stack:
                    raise Refused("YAML of a text alone")
                _put(stack, names, _scalar(event))
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                value = stack.pop()
                names.pop()
                if stack:
                    _put(stack, names, value)
                else:
                    yield msgspec.json.encode(value) + b"\n"
    except (yaml.YAMLError, UnicodeError, RecursionError) as error:
        raise Refused("YAML that cannot be read") from error


def _put(stack: list[Any], names: list[str | None], value: Any) -> None:
    """A value into the list or mapping that is open: of a mapping first the name, then what it has."""
    holder = stack[-1]
    if type(holder) is list:
        holder.append(value)
    elif names[-1] is not None:
        holder[names[-1]] = value
        names[-1] = None
    elif type(value) is str:
        names[-1] = value
    else:
        raise Refused("YAML with a name that is no text")


def _scalar(event: Any) -> Any:
    """Text, or where nothing is around it what kubectl means by it."""
    said = event.value
    if not event.implicit[0]:
        return said
    if said in _PLAIN:
        return _PLAIN[said]
    return int(said) if _INTEGER.fullmatch(said) else said
