"""An audit entry as those look at it who ask what it was meant to do."""

from itertools import islice
from typing import Any

import msgspec

from ultravires.reading.effects import Json
from ultravires.reading.object_fields import opened
from ultravires.reading.values import mapping, sequence, text

_MOST = 500
_OF_BIGQUERY = ("datasetChange", "datasetCreation", "tableChange", "tableCreation")


class Entry(msgspec.Struct, frozen=True, gc=False):
    """The last word of the method in small letters, and the members of the payload; `deltas` are the changes of a
    policy's bindings, None where the entry has none, as where a call failed.
    """

    operation: str
    service: str | None
    request: Json
    metadata: Json
    policy_delta: Json
    permission_delta: Json
    deltas: list[Any] | None
    checked: list[Any]
    resource: str | None
    caller: str | None


def entry_of(payload: Json, operation: str, caller: str | None) -> Entry:
    """The members of an entry's payload, whatever they are like."""
    metadata = mapping(payload.get("metadata"))
    service_data = opened(payload.get("serviceData"))
    delta = mapping(service_data.get("policyDelta")) or mapping(metadata.get("policyDelta"))
    has_delta = "policyDelta" in service_data or "policyDelta" in metadata
    of_tables = (mapping(metadata.get(name)).get("bindingDeltas") for name in _OF_BIGQUERY)
    deltas = sequence(delta.get("bindingDeltas")) if has_delta else None
    return Entry(
        operation=operation,
        service=text(payload.get("serviceName")),
        request=mapping(payload.get("request")),
        metadata=metadata,
        policy_delta=delta,
        permission_delta=mapping(service_data.get("permissionDelta")),
        deltas=next((each for each in of_tables if type(each) is list), deltas),
        checked=sequence(payload.get("authorizationInfo")),
        resource=text(payload.get("resourceName")),
        caller=caller,
    )


def said(value: Json, *names: str) -> Any:
    """A member, which entries write in the words of JSON or of the protocol."""
    return next((value[name] for name in names if value.get(name) is not None), None)


def listed(value: Any) -> list[Json]:
    """The objects of a list."""
    return [each for each in islice(sequence(value), _MOST) if type(each) is dict]


def mask_of(request: Json) -> set[str]:
    """The fields that a request changes, in small letters without `_` and with all above them; empty where it does not
    say.
    """
    mask = said(request, "updateMask", "update_mask")
    paths = mask.split(",") if type(mask) is str else sequence(mapping(mask).get("paths"))
    words = [path.strip().replace("_", "").lower() for path in paths[:_MOST] if type(path) is str]
    return {word for path in words for word in path.split(".") if word}
