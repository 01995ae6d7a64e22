"""OPA decisions by the column: what `sources.opa_decisions.events` says of each record."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ultravires.reading.addresses import hosts_of
from ultravires.reading.column_values import hex_ids, mended, micros_of
from ultravires.reading.columns import ABSENT, NULL, STRING, Codes, Columnar, Distinct, Fields, Mask, key_lists
from ultravires.reading.first_found import FirstFound
from ultravires.reading.source import Options
from ultravires.reading.values import label, text
from ultravires.schema import OUTCOMES
from ultravires.sources.ocsf.classes import AUTHORIZE_SESSION
from ultravires.sources.policy_engines.opa import (
    KIND,
    OTHER,
    TOOL,
    detail_of,
    is_masked,
    name_of,
    outcome_of,
    paths_of,
    places_for,
    resources_of,
)

_OWN = (
    *("decision_id", "timestamp", "path", "result", "requested_by", "trace_id", "span_id"),
    *("erased", "masked"),
)
_TEXT_LISTS = pa.list_(pa.string())

Maps = Sequence[tuple[Mask, Mapping[str, str]]]
"""Which rows have which map of meanings to places."""

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class Found(FirstFound):
    """What `opa.find` finds in each row: the first of several paths whose value is not null."""

    @cached_property
    def texts(self) -> pa.StringArray:
        """The value where it is a string with something in it, else null."""
        return self.gather(Fields.text, pa.string())

    @cached_property
    def json(self) -> pa.StringArray:
        """The values as JSON text."""
        return self.gather(_json, pa.string())

    @cached_property
    def is_usual(self) -> Mask:
        """Which rows have a string or nothing."""
        kinds = self.gather(_kinds, pa.uint8()).fill_null(ABSENT).to_numpy()
        usual: Mask = (kinds == STRING) | (kinds == ABSENT)
        return usual

    def named(self, meaning: Callable[[Any], str | None]) -> pa.StringArray:
        """What each value means, by a function that leaves strings as they are but for empty ones."""
        if self.is_usual.all():
            return self.texts
        return mended(self.texts, pa.array(self.is_usual), self.json, lambda value: meaning(_decode(value)))


def paths(options: Options) -> tuple[str, ...]:
    """The fields that the reading of any policy's records looks at."""
    places = (place for places in options.opa_inputs.values() for place in places.values())
    return tuple(dict.fromkeys((*_OWN, *(path for place in places for path in _dotted(place)))))


def takes(fields: Fields) -> Mask:
    """Which records have an id and a time: the others `events` refuses, saying why."""
    return _is_valid(fields.text("decision_id")) & _is_valid(micros_of(fields, "timestamp"))


def columns(fields: Fields, options: Options) -> dict[str, pa.Array]:
    """The columns of records that have an id and a time."""
    maps = _maps(fields, options.opa_inputs)
    subject, action, resource, approval, ticket, tool, arguments = (
        _found(fields, maps, name)
        for name in ("subject", "action", "resource", "approval", "ticket", "tool", "arguments")
    )
    uids, approvals, tools = fields.text("decision_id"), approval.named(name_of), tool.named(name_of)
    outcomes = _outcomes(fields.distinct("result"))
    return {
        "native_id": uids,
        "event_at": micros_of(fields, "timestamp"),
        "kind": pa.repeat(KIND, len(fields)),
        "class_uid": pa.repeat(pa.scalar(AUTHORIZE_SESSION, pa.int32()), len(fields)),
        "activity_id": pa.repeat(pa.scalar(OTHER, pa.int32()), len(fields)),
        "actor_uid": subject.named(name_of),
        "action": pc.coalesce(action.named(name_of), pc.binary_join_element_wise(TOOL, tools, "")),
        "resource_uids": _resources(resource),
        "outcome": pa.DictionaryArray.from_arrays(pa.array(outcomes), pa.array(OUTCOMES)),
        "src_ip": hosts_of(fields.text("requested_by")),
        "approval_uid": approvals,
        "decision_uid": uids,
        "args_hash": _hashes(fields, maps, arguments, options),
        "keys": _keys(fields, maps, uids, approvals, ticket.named(name_of)),
        "detail": _details(outcomes, tools, arguments.json),
    }


def _is_valid(values: pa.Array) -> Mask:
    mask: Mask = values.is_valid().to_numpy(zero_copy_only=False)
    return mask


def _maps(fields: Fields, inputs: Mapping[str, Mapping[str, str]]) -> Maps:
    """The rows by the maps that their policy paths have."""
    if inputs.keys() == {"*"}:
        return [(np.ones(len(fields), np.bool_), inputs["*"])]
    policies = fields.distinct("path")
    maps = [places_for(text(path), inputs) for (path,) in policies.values]
    different = [one for place, one in enumerate(maps) if one not in maps[:place]]
    return [
        (np.isin(policies.codes, [code for code, one in enumerate(maps) if one == wanted]), wanted)
        for wanted in different
    ]


def _found(fields: Fields, maps: Maps, name: str) -> Found:
    """What the records hold of one meaning."""
    which = np.full(len(fields), -1, np.int32)
    used: list[str] = []
    for mask, places in maps:
        still = mask.copy()
        for path in _dotted(places[name]) if name in places else ():
            if not still.any():
                break
            kinds = fields.kinds(path)
            here = still & (kinds != ABSENT) & (kinds != NULL)
            if here.any():
                used += [] if path in used else [path]
                which[here] = used.index(path)
                still &= ~here
    return Found(fields, used, which)


def _dotted(place: str) -> list[str]:
    return [".".join(path) for path in paths_of(place)]


def _json(fields: Fields, path: str) -> pa.StringArray:
    """The field's values as JSON text, strings with their quotes."""
    texts, is_string = fields.json(path), fields.kinds(path) == STRING
    if not is_string.any():
        return texts
    return pc.if_else(pa.array(is_string), pc.binary_join_element_wise('"', texts, '"', ""), texts)


def _kinds(fields: Fields, path: str) -> pa.UInt8Array:
    return pa.array(fields.kinds(path))


def _outcomes(results: Distinct) -> Codes:
    """Of each row the place of its outcome among OUTCOMES."""
    places = [OUTCOMES.index(outcome_of(result)) for (result,) in results.values]
    return np.array(places, np.int32)[results.codes]


def _resources(resource: Found) -> pa.ListArray:
    texts, is_odd = resource.texts, ~resource.is_usual
    offsets = np.zeros(len(texts) + 1, np.int32)
    np.cumsum(_is_valid(texts), out=offsets[1:])
    lists = pa.ListArray.from_arrays(pa.array(offsets), texts.drop_null())
    if not is_odd.any():
        return lists
    odd = [resources_of(_decode(value)) for value in resource.json.filter(pa.array(is_odd)).to_pylist()]
    order = np.arange(len(texts))
    order[is_odd] = len(texts) + np.arange(len(odd))
    return pa.concat_arrays([lists, pa.array(odd, _TEXT_LISTS)]).take(pa.array(order))


def _hashes(fields: Fields, maps: Maps, arguments: Found, options: Options) -> pa.StringArray:
    """The arguments' hashes; null where OPA's mask policy took something out of them."""
    is_whole = np.ones(len(fields), np.bool_)
    for mask, places in maps:
        taken_out = fields.where(mask).distinct("erased", "masked")
        wholes = [
            not is_masked({"erased": erased, "masked": masked}, places.get("arguments", ""))
            for erased, masked in taken_out.values
        ]
        is_whole[mask] = np.array(wholes, np.bool_)[taken_out.codes]
    hashes = fields.json_hashes(arguments.json, options.hash_key)
    return hashes if is_whole.all() else pc.if_else(pa.array(is_whole), hashes, None)


def _keys(
    fields: Fields, maps: Maps, uids: pa.StringArray, approvals: pa.StringArray, tickets: pa.StringArray
) -> pa.ListArray:
    traces = hex_ids(fields.text("trace_id"))
    if traces.null_count:
        traces = pc.coalesce(traces, _found(fields, maps, "trace").named(label))
    calls, spans = _found(fields, maps, "tool_call").named(label), hex_ids(fields.text("span_id"))
    return key_lists(
        len(fields),
        [
            ("decision", uids, "names"),
            ("approval", approvals, "uses"),
            ("ticket", tickets, "uses"),
            ("tool_call", pc.binary_join_element_wise(traces, calls, "/"), "uses"),
            ("span", pc.binary_join_element_wise(traces, spans, "/"), "uses"),
            ("trace", traces, "carries"),
        ],
    )


def _details(outcomes: Codes, tools: pa.StringArray, arguments: pa.StringArray) -> pa.StringArray:
    """`detail_of` as JSON text. There are few tools, and only what is before the arguments is written anew."""
    distinct = tools.dictionary_encode()
    names = [*distinct.dictionary.to_pylist(), None]
    befores = [_encode(detail_of(outcome, name, None))[:-1].decode() for outcome in OUTCOMES for name in names]
    which = distinct.indices.fill_null(len(names) - 1).to_numpy() + outcomes * len(names)
    before = pa.array(befores, pa.string()).take(pa.array(which))
    member = pc.binary_join_element_wise(',"arguments":', arguments, "")
    return pc.binary_join_element_wise(before, member, "}", "", null_handling="replace", null_replacement="")


COLUMNAR = Columnar(paths, takes, columns)
