"""What an Open Policy Agent decision record says and where: the words of a result, and values that each policy's input
holds in places of its own (`Options.opa_inputs`).
"""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import groupby
from typing import Any, NamedTuple, Self

from msgspec import UNSET

from ultravires.reading.events import present
from ultravires.reading.plain_records import NoText, Record, Repeated, Text, Whole, remembered
from ultravires.reading.values import label, mapping, sequence, texts, trace_context

KIND = "decision"
OTHER = 99
"""The activity of OCSF that a decision is."""
TOOL = "tool:"
"""What the name of a tool is put behind where the input names no action."""

_MOST_POLICIES, _LONGEST_POLICY = 1_024, 512
"""Whose places are remembered, and the characters of their paths, which come from logs."""
_ANSWERS = ("allow", "allowed", "decision", "result", "permit")
_YES = frozenset({"allow", "allowed", "permit", "permitted", "approve", "approved", "grant", "true", "yes"})
_NO = frozenset({"deny", "denied", "forbid", "forbidden", "reject", "rejected", "block", "blocked", "false", "no"})


def places_for(path: str | None, inputs: Mapping[str, Mapping[str, str]]) -> Mapping[str, str]:
    """The map of the most exact policy path glob that fits (the longest), over the map of `*`."""
    if len(inputs) == 1 and "*" in inputs:
        return inputs["*"]
    fitting = sorted((glob for glob in inputs if glob == "*" or fnmatchcase(path or "", glob)), key=len)
    return {name: place for glob in fitting for name, place in inputs[glob].items()}


class OpaDecision(Record, dict=True):
    """A decision record, its fields in the order in which OPA writes them; others of an odd record are attributes."""

    labels: Repeated = UNSET
    decision_id: Text = UNSET
    batch_decision_id: Text = UNSET
    trace_id: Text = UNSET
    span_id: Text = UNSET
    bundles: Repeated = UNSET
    path: Text = UNSET
    query: Text = UNSET
    input: NoText = UNSET
    result: Repeated = UNSET
    intermediate_results: Whole = UNSET
    mapped_result: NoText = UNSET
    nd_builtin_cache: Whole = UNSET
    erased: Whole = UNSET
    masked: Whole = UNSET
    error: Whole = UNSET
    requested_by: Text = UNSET
    timestamp: Whole = UNSET
    metrics: Whole = UNSET
    req_id: Whole = UNSET
    request_context: Whole = UNSET

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Self:
        """With all that the record holds: a policy's input may be configured to lie anywhere."""
        record = super().of(value)
        record.__dict__.update((name, value[name]) for name in value.keys() - set(cls.__struct_fields__))
        return record


_FIELDS = frozenset(OpaDecision.__struct_fields__)


def _member(record: OpaDecision, name: str) -> Any:
    """A field by its name; None where the record does not have it. No method: an odd record may hide those by names of
    its own.
    """
    value = getattr(record, name) if name in _FIELDS else record.__dict__.get(name)
    return None if value is UNSET else value


_Path = tuple[int, tuple[str, ...]]
"""The place of a path among those of its meaning, and the names that lead on."""


class Plan(NamedTuple):
    """The places of a policy. `always` are looked at whatever a record holds; `by_names` has, of the others, below a
    first name the second names by which they may hold something: each with meanings and what leads on to them.
    """

    places: Mapping[str, str]
    always: tuple[str, ...]
    by_names: dict[str, dict[str, dict[str, list[_Path]]]]


def asked_of(record: OpaDecision, plan: Plan) -> dict[str, Any]:
    """What the record holds at each of the places, by the meaning of the place; without those where it holds nothing.

    Most records lack most of the paths, so that the names which it has say what is looked for.
    """
    asked: dict[str, Any] = {}
    ranks: dict[str, int] = {}
    for first, meanings in plan.by_names.items():
        value = _member(record, first)
        if not isinstance(value, dict):
            continue
        for name, member in value.items():
            if name not in meanings or member is None:
                continue
            for meaning, paths in meanings[name].items():
                for rank, path in paths:
                    if meaning in ranks and ranks[meaning] < rank:
                        break
                    found = _below(member, path) if path else member
                    if found is not None:
                        asked[meaning], ranks[meaning] = found, rank
                        break
    for meaning in plan.always:
        asked[meaning] = find(record, plan.places[meaning])
    return asked


def _below(value: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
        if value is None:
            break
    return value


class _Plans:
    """The plans for the inputs that were asked for last: all files of a load share them."""

    def __init__(self) -> None:
        self._inputs: Mapping[str, Mapping[str, str]] = {}
        self._known: dict[str | None, Plan] = {}

    def of(self, path: str | None, inputs: Mapping[str, Mapping[str, str]]) -> Plan:
        """The plan for a policy's path."""
        if inputs is not self._inputs or len(self._known) >= _MOST_POLICIES:
            self._inputs, self._known = inputs, {}
        plan = self._known.get(path)
        if plan is None:
            plan = _plan_of(places_for(path, inputs))
            if path is None or len(path) <= _LONGEST_POLICY:
                self._known[path] = plan
        return plan


plan_for = _Plans().of


def _plan_of(places: Mapping[str, str]) -> Plan:
    always: list[str] = []
    by_names: dict[str, dict[str, dict[str, list[_Path]]]] = {}
    for meaning, place in places.items():
        paths = paths_of(place)
        if any(len(path) == 1 for path in paths):
            always.append(meaning)
            continue
        for rank, (first, second, *rest) in enumerate(paths):
            by_names.setdefault(first, {}).setdefault(second, {}).setdefault(meaning, []).append((rank, tuple(rest)))
    return Plan(places, tuple(always), by_names)


def find(record: OpaDecision, place: str) -> Any:
    """The value at the first of the dotted paths in `place` (separated by `|`) that is not null."""
    for first, names, paths in _grouped(place):
        value = _member(record, first)
        # most records lack most of the paths, which one look at the names tells
        if value is None or (names and (not isinstance(value, dict) or names.isdisjoint(value))):
            continue
        for path in paths:
            if (found := _below(value, path)) is not None:
                return found
    return None


@lru_cache(maxsize=1024)
def _grouped(place: str) -> list[tuple[str, frozenset[str], list[tuple[str, ...]]]]:
    """The paths in their order, neighbours of one first name together: that name, the names below it (none where the
    value itself is meant), and the paths below it.
    """
    grouped = []
    for first, paths in groupby(paths_of(place), key=lambda path: path[0]):
        below = [path[1:] for path in paths]
        names = frozenset(path[0] for path in below if path) if all(below) else frozenset[str]()
        grouped.append((first, names, below))
    return grouped


@lru_cache(maxsize=1024)
def paths_of(place: str) -> tuple[tuple[str, ...], ...]:
    """The paths in `place`, as the names of their members."""
    return tuple(tuple(path.strip().split(".")) for path in place.split("|"))


def caller_of(record: OpaDecision) -> tuple[str, str] | None:
    """(trace id, span id) of who asked, where OPA is told to log the header that says it; the record's own span may be
    one of OPA.
    """
    if record.request_context is UNSET:
        return None
    headers = mapping(mapping(mapping(record.request_context).get("http")).get("headers"))
    said = next((value for name, value in headers.items() if name.lower() == "traceparent"), None)
    return trace_context(next(iter(texts(said)), None))


def is_masked(record: OpaDecision, place: str) -> bool:
    """Whether OPA's mask policy took something out of the values at `place`: then they are not what was
    asked.
    """
    if record.erased is UNSET and record.masked is UNSET:
        return False
    pointers = [pointer + "/" for where in (record.erased, record.masked) for pointer in texts(where)]
    if not pointers:
        return False
    places = [f"/{'/'.join(path)}/" for path in paths_of(place)]
    return any(p.startswith(where) or where.startswith(p) for p in pointers for where in places)


def name_of(value: Any) -> str | None:
    """An id or name, also where it stands inside an object as `id`, `uid`, `arn` or `name`."""
    if type(value) is str:
        return value or None
    if isinstance(value, dict):
        return next((found for name in ("id", "uid", "arn", "name") if (found := label(value.get(name)))), None)
    return label(value)


def resources_of(value: Any) -> list[str]:
    """Resource ids from a string, an object with an id, or an array of either."""
    if type(value) is list:
        return [name for item in value if (name := name_of(item))]
    return [name] if (name := name_of(value)) else []


@remembered
def outcome_of(result: Any) -> str:
    """success for an allowing, denied for a denying result, unknown for every other shape. A denial wins."""
    if type(result) is bool:
        return "success" if result else "denied"
    if type(result) is str:
        word = result.lower()
        return "success" if word in _YES else "denied" if word in _NO else "unknown"
    members = mapping(result)
    if members.get("deny") is True or sequence(members.get("deny")):
        return "denied"
    answers = {outcome_of(members[name]) for name in _ANSWERS if type(members.get(name)) in (bool, str)}
    return "denied" if "denied" in answers else "success" if "success" in answers else "unknown"


def detail_of(outcome: str, tool: str | None, arguments: Any) -> dict[str, Any]:
    """`detail` of a decision; the arguments, which differ in nearly every record, come last."""
    result = {"success": "allow", "denied": "deny"}.get(outcome)
    return present(result=result, is_human=False, tool=tool, arguments=arguments)
