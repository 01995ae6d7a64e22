"""Usual CloudTrail events read by the column: many records say the same of their caller, their call and their place.

What is unusual, or of consequence beyond its own row (issued and revoked credentials, sign-ins, decisions, what
CloudTrail concluded), is left to `events` of the source.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ultravires.reading.columns import ABSENT, ARRAY, NULL, OBJECT, Columnar, Distinct, Fields, Mask, Places, key_lists
from ultravires.reading.values import mapping, micros, text, truth
from ultravires.vendors.addresses import address_of
from ultravires.vendors.aws_arns import add_requested
from ultravires.vendors.aws_cloudtrail_deliveries import ARRAYS
from ultravires.vendors.aws_cloudtrail_records import (
    SIGN_IN,
    calling_service,
    detail_of,
    is_conclusion,
    outcome_of,
    service_of,
    session_of,
    workload_of,
)
from ultravires.vendors.aws_credentials import NOTHING_ISSUED, may_issue, may_revoke
from ultravires.vendors.aws_identities import Actor, actor_of, on_behalf_of
from ultravires.vendors.aws_ocsf import ocsf_class
from ultravires.vendors.aws_verified_permissions import SERVICE as DECIDES

_PATHS = (
    "eventVersion",
    "userIdentity",
    "eventTime",
    "eventSource",
    "eventName",
    "awsRegion",
    "sourceIPAddress",
    "userAgent",
    "errorCode",
    "requestParameters",
    "responseElements",
    "requestID",
    "eventID",
    "readOnly",
    "resources",
    "eventType",
    "eventCategory",
    "recipientAccountId",
    "sharedEventID",
)
_TEXT = pa.string()
_NOBODY = actor_of({}, "")
_EMPTY = "{}"


class _Resource(msgspec.Struct, gc=False):
    arn: Any = msgspec.field(name="ARN", default=None)


_RESOURCES = msgspec.json.Decoder(list[list[_Resource | str | int | float | bool | list[Any] | None]])
_ANY = msgspec.json.Decoder()


def _takes(fields: Fields) -> Mask:
    call = fields.distinct("eventSource", "eventName", "eventType", "eventCategory")
    has_response = ~np.isin(fields.kinds("responseElements"), (ABSENT, NULL))
    times = fields.distinct("eventTime")
    mask: Mask = (
        (fields.kinds("eventVersion") != ABSENT)  # what stands in a wrapping has none
        & fields.text("eventID").is_valid().to_numpy(zero_copy_only=False)
        & _each(times, [micros(time) is not None for (time,) in times.values])
        & _each(call, [_is_usual(*said) for said in call.values])
        & ~(has_response & _each(call, [may_issue(text(name) or "") for _, name, _, _ in call.values]))
    )
    return mask


def _each(distinct: Distinct, answers: list[bool]) -> Mask:
    return np.array(answers, np.bool_)[distinct.codes]


def _is_usual(source: Any, name: Any, event_type: Any, category: Any) -> bool:
    service = service_of(source)
    if not service or not text(name) or is_conclusion(event_type, category):
        return False
    return name != SIGN_IN and not may_revoke(name) and not service.startswith(DECIDES)


def _columns(fields: Fields, _: Any) -> Mapping[str, pa.Array]:
    count = len(fields)
    identity = fields.distinct("userIdentity")
    said = [mapping(value) for (value,) in identity.values]
    actors = [actor_of(value, "") for value in said]
    call = fields.distinct("eventSource", "eventName", "readOnly", "eventType")
    calls = [(service_of(source) or "", name, truth(is_read)) for source, name, is_read, _ in call.values]
    classes = [ocsf_class(*called) for called in calls]
    address = fields.distinct("sourceIPAddress")
    error = fields.distinct("errorCode")

    def of_actor(meanings: Sequence[Any]) -> pa.Array:
        return identity.spread(meanings, _TEXT)

    account = pc.coalesce(
        fields.text("recipientAccountId"), _spread(identity, [text(value.get("accountId")) for value in said])
    )
    request = fields.text("requestID")
    return {
        "native_id": fields.text("eventID"),
        "event_at": fields.distinct("eventTime").column(micros, pa.int64()),
        "kind": pa.repeat("activity", count),
        "class_uid": call.spread([class_uid for class_uid, _ in classes], pa.int32()),
        "activity_id": call.spread([activity_id for _, activity_id in classes], pa.int32()),
        "actor_uid": of_actor([actor.uid for actor in actors]),
        "actor_kind": of_actor([actor.kind for actor in actors]),
        "actor_name": of_actor([actor.name for actor in actors]),
        "on_behalf_of_uid": of_actor([on_behalf_of(value) for value in said]),
        "via_service": pc.coalesce(
            _spread(identity, [actor.via_service for actor in actors]),
            _spread(address, [calling_service(text(value)) for (value,) in address.values]),
        ),
        "account_uid": account,
        "workload_uid": of_actor([workload_of(actor) for actor in actors]),
        "action": call.spread([f"{service}:{name}" for service, name, _ in calls], _TEXT),
        "resource_uids": _resources(fields, call, [service for service, _, _ in calls], account),
        "outcome": error.column(lambda code: outcome_of({}, "", text(code)), _TEXT),
        "error_code": error.column(text, _TEXT),
        "src_ip": address.column(address_of, _TEXT),
        "user_agent": fields.text("userAgent"),
        "credential_uid": of_actor([actor.credential_uid for actor in actors]),
        "keys": key_lists(
            count,
            [
                ("request", request, "names"),
                ("request", pc.binary_join_element_wise(account, request, "/"), "names"),
                ("shared_event", fields.text("sharedEventID"), "carries"),
                ("source_identity", of_actor([actor.source_identity for actor in actors]), "carries"),
                ("session_name", of_actor([session_of(actor) for actor in actors]), "carries"),
            ],
        ),
        "detail": _details(identity, actors, call),
    }


def _spread(distinct: Distinct, meanings: Sequence[str | None]) -> pa.StringArray:
    return pa.array(meanings, _TEXT).take(pa.array(distinct.codes))


def _details(identity: Distinct, actors: Sequence[Actor], call: Distinct) -> pa.StringArray:
    """What the actor says comes first, then what the call says; so each is written once for equal ones."""
    of_actors = [_written(detail_of({}, actor, NOTHING_ISSUED)) for actor in actors]
    of_calls = [
        _written(detail_of({"readOnly": is_read, "eventType": event_type}, _NOBODY, NOTHING_ISSUED))
        for _, _, is_read, event_type in call.values
    ]
    n_calls = len(of_calls)
    pairs, codes = np.unique(identity.codes.astype(np.int64) * n_calls + call.codes, return_inverse=True)
    both = [_joined(of_actors[pair // n_calls], of_calls[pair % n_calls]) for pair in pairs.tolist()]
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), pa.array(both, _TEXT))


def _written(detail: Mapping[str, Any]) -> str:
    return msgspec.json.encode(detail).decode()


def _joined(first: str, second: str) -> str:
    """The members of two JSON objects in one."""
    return second if first == _EMPTY else first if second == _EMPTY else f"{first[:-1]},{second[1:]}"


def _resources(fields: Fields, call: Distinct, services: Sequence[str], account: pa.StringArray) -> pa.ListArray:
    """As `resource_arns` finds them: what a record lists, then what its request names, each once."""
    found: list[list[str]] = [[] for _ in range(len(fields))]
    listing, lists = _decoded_where(fields, "resources", ARRAY, _RESOURCES)
    for row, items in zip(listing.tolist(), lists, strict=True):
        found[row] = [item.arn for item in items if type(item) is _Resource and type(item.arn) is str and item.arn]
    asking, requests = _decoded_where(fields, "requestParameters", OBJECT, _ANY)
    places = pa.array(asking)
    for row, request, service, region, of_account in zip(
        asking.tolist(),
        requests,
        map(services.__getitem__, call.codes[asking].tolist()),
        fields.text("awsRegion").take(places).to_pylist(),
        account.take(places).to_pylist(),
        strict=True,
    ):
        add_requested(found[row], request, service, region, of_account)
    return pa.array([list(dict.fromkeys(arns)) if len(arns) > 1 else arns for arns in found], pa.list_(_TEXT))


def _decoded_where(fields: Fields, path: str, kind: int, decoder: Any) -> tuple[Places, list[Any]]:
    """The rows where the field is of this kind, and its values, decoded all at once."""
    rows = np.nonzero(fields.kinds(path) == kind)[0]
    texts = fields.json(path).take(pa.array(rows)).to_pylist()
    return rows, decoder.decode(f"[{','.join(texts)}]")


COLUMNAR = Columnar(paths=lambda _: _PATHS, takes=_takes, columns=_columns, arrays=ARRAYS)
