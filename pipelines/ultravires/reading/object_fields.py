"""Objects and arrays that a shipper wrote as JSON text, taken out of the text before a source says what they mean.

A source names the fields in which its log has objects (`Source.objects`). Left as text, `"identity": "{...}"` would be
an event of nobody that succeeded. A text that begins as JSON and is none, and any other text where an object says who
acted or how it ended (`Source.never_text`), is refused: nothing is assumed in its place.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from ultravires.reading.events import NotParsed
from ultravires.reading.mending import UNDECODABLE, decode_inner

_decode = msgspec.json.Decoder().decode
_NOTHING = frozenset({"", "null", "None", "-"})
_HIDDEN = "redacted:"
"""How a text begins that stands for a field which the configuration hides."""


class Tree(NamedTuple):
    """Fields, and the trees of those that have fields below them."""

    names: tuple[str, ...]
    below: tuple[tuple[str, "Tree"], ...]


class TextForObject(NotParsed):
    """A field holds a text that should be an object and cannot be taken apart."""


@lru_cache(maxsize=256)
def tree_of(paths: tuple[str, ...]) -> Tree:
    """Dotted paths, those above before those below, as a tree."""
    nested: dict[str, Any] = {}
    for path in paths:
        below = nested
        for name in path.split("."):
            below = below.setdefault(name, {})
    return _as_tree(nested)


def _as_tree(nested: dict[str, Any]) -> Tree:
    return Tree(tuple(nested), tuple((name, _as_tree(below)) for name, below in nested.items() if below))


def with_objects(record: dict[str, Any], tree: Tree, never_text: Iterable[str] = ()) -> dict[str, Any]:
    """The record with the named texts decoded, itself where there are none. Raises TextForObject."""
    return _decoded(record, tree, never_text, "") if has_text(record, tree) else record


def has_text(record: dict[str, Any], tree: Tree) -> bool:
    """Whether a named field is a text: asked of every record, and true of few."""
    get = record.get
    if str in map(type, map(get, tree.names)):
        return True
    for name, below in tree.below:
        value = get(name)
        if type(value) is dict and has_text(value, below):
            return True
    return False


def _decoded(record: dict[str, Any], tree: Tree, never_text: Iterable[str], path: str) -> dict[str, Any]:
    changed: dict[str, Any] | None = None
    trees = dict(tree.below)
    for name in tree.names:
        before: Any = record.get(name)
        value = _object_in(before, f"{path}{name}", never_text) if type(before) is str else before
        if name in trees and type(value) is dict:
            value = _decoded(value, trees[name], never_text, f"{path}{name}.")
        if value is not before:
            changed = dict(record) if changed is None else changed
            changed[name] = value
    return record if changed is None else changed


def opened(value: Any) -> dict[str, Any]:
    """An object, also where it is written as JSON text; an empty one for anything else."""
    if type(value) is str and value.lstrip()[:1] == "{":
        try:
            value = decode_inner(value.encode(), _decode)
        except UNDECODABLE:
            return {}
    return value if isinstance(value, dict) else {}


def with_opened(record: dict[str, Any], *names: str) -> dict[str, Any]:
    """The record with those of these fields as objects that can be taken out of their text; the others as they are."""
    for name in names:
        if type(record.get(name)) is str and (inner := opened(record[name])):
            record = {**record, name: inner}
    return record


def _object_in(value: str, path: str, never_text: Iterable[str]) -> Any:
    if value in _NOTHING or value.startswith(_HIDDEN):
        return value
    if value.lstrip()[:1] in ("{", "["):
        try:
            return decode_inner(value.encode(), _decode)
        except UNDECODABLE as error:
            raise TextForObject(f"{path} is text that is no JSON") from error
    if path in never_text:
        raise TextForObject(f"{path} is text where an object belongs")
    return value
