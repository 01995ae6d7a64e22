"""Usual CloudTrail events read by the column: many records say the same of their caller, their call and their place.

What is unusual (revoked credentials, sign-ins, session tags, decisions, what CloudTrail concluded) is left to `events`
of the source.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ultravires.reading.column_values import micros_column
from ultravires.reading.columns import ABSENT, NULL, OBJECT, Columnar, Distinct, Fields, Mask, key_lists
from ultravires.reading.source import Options
from ultravires.reading.values import mapping, text, truth
from ultravires.vendors.addresses import addresses_of
from ultravires.vendors.aws_cloudtrail_deliveries import ARRAYS
from ultravires.vendors.aws_cloudtrail_records import (
    SERVICE_SUFFIX,
    SIGN_IN,
    detail_of,
    is_conclusion,
    outcome_of,
    service_of,
    session_of,
    workload_of,
)
from ultravires.vendors.aws_credentials import NAMES_TAGS, NOTHING_ISSUED, may_issue, may_revoke
from ultravires.vendors.aws_identities import actor_of, on_behalf_of
from ultravires.vendors.aws_issued_columns import IssuedColumns
from ultravires.vendors.aws_ocsf import ocsf_class
from ultravires.vendors.aws_resource_columns import resource_columns
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
_AT_ONCE = 500
"""Decoded values that are held at a time: more would leave the processor's cache before they are looked at."""


_decode = msgspec.json.Decoder().decode
_ANY = msgspec.json.Decoder(list[dict[str, Any]])


def _takes(fields: Fields) -> Mask:
    call = fields.distinct("eventSource", "eventName", "eventType", "eventCategory")
    has_response = ~np.isin(fields.kinds("responseElements"), (ABSENT, NULL))
    is_issuing = has_response & _each(call, [may_issue(text(name) or "") for _, name, _, _ in call.values])
    moments = micros_column(fields.text("eventTime"))
    mask: Mask = (
        (fields.kinds("eventVersion") != ABSENT)  # what stands in a wrapping has none
        & fields.text("eventID").is_valid().to_numpy(zero_copy_only=False)
        & moments.is_valid().to_numpy(zero_copy_only=False)
        & _each(call, [_is_usual(*said) for said in call.values])
        & (~is_issuing | (fields.kinds("responseElements") == OBJECT))
        & ~_where(is_issuing, fields.json("requestParameters"), NAMES_TAGS)
    )
    return mask


def _where(mask: Mask, texts: pa.StringArray, pattern: str) -> Mask:
    """The rows of the mask whose text has the pattern in it."""
    found = mask.copy()
    found[mask] = pc.match_substring_regex(texts.filter(mask), pattern).fill_null(False)
    return found


def _each(distinct: Distinct, answers: list[bool]) -> Mask:
    return np.array(answers, np.bool_)[distinct.codes]


def _is_usual(source: Any, name: Any, event_type: Any, category: Any) -> bool:
    service = service_of(source)
    if not service or not text(name) or is_conclusion(event_type, category):
        return False
    return name != SIGN_IN and not may_revoke(name) and not service.startswith(DECIDES)


def _columns(fields: Fields, options: Any) -> Mapping[str, pa.Array]:
    count = len(fields)
    callers = _Callers(fields)
    call = fields.distinct("eventSource", "eventName", "readOnly", "eventType")
    calls = [(service_of(source) or "", name, truth(is_read)) for source, name, is_read, _ in call.values]
    classes = [ocsf_class(*called) for called in calls]
    moments = micros_column(fields.text("eventTime"))
    issued = _issued(fields, call, callers, moments, options)
    address = fields.text("sourceIPAddress")
    error = fields.distinct("errorCode")
    account = pc.coalesce(fields.text("recipientAccountId"), callers.texts("account"))
    request = fields.text("requestID")
    return {
        "native_id": fields.text("eventID"),
        "event_at": moments,
        "kind": pa.repeat("activity", count),
        "class_uid": call.spread([class_uid for class_uid, _ in classes], pa.int32()),
        "activity_id": call.spread([activity_id for _, activity_id in classes], pa.int32()),
        "actor_uid": callers.column("uid"),
        "actor_kind": callers.column("kind"),
        "actor_name": callers.column("name"),
        "on_behalf_of_uid": callers.column("on_behalf_of"),
        "workload_uid": callers.column("workload"),
        "credential_uid": callers.column("credential_uid"),
        "via_service": pc.coalesce(
            callers.texts("via_service"),
            pc.if_else(pc.ends_with(address, SERVICE_SUFFIX), address, None),
        ),
        "account_uid": account,
        "action": call.spread([f"{service}:{name}" for service, name, _ in calls], _TEXT),
        "resource_uids": resource_columns(fields, call.codes, [service for service, _, _ in calls], account),
        "outcome": error.column(lambda code: outcome_of({}, "", text(code)), _TEXT),
        "error_code": error.column(text, _TEXT),
        "src_ip": addresses_of(address),
        "user_agent": fields.text("userAgent"),
        "issued_credential_uid": issued.spread(issued.credential_uids, _TEXT),
        "issued_expires_at": issued.spread(issued.expires_at, pa.int64()),
        "keys": key_lists(
            count,
            [
                ("request", request, "names"),
                ("request", pc.binary_join_element_wise(account, request, "/"), "names"),
                ("shared_event", fields.text("sharedEventID"), "carries"),
                ("source_identity", callers.column("source_identity"), "carries"),
                ("session_name", callers.column("session"), "carries"),
                *((kind, issued.spread(values, _TEXT), "carries") for kind, values in issued.keys.items()),
            ],
        ),
        "detail": issued.in_details(_details(callers, call)),
    }


class _Caller(NamedTuple):
    """What a `userIdentity` says, as far as it does not depend on the call."""

    actor: Any
    uid: Any
    kind: Any
    name: Any
    via_service: Any
    credential_uid: Any
    source_identity: Any
    account: Any
    on_behalf_of: Any
    workload: Any
    session: Any
    opening: Any
    """Of the column `detail`, without its end."""


# Sessions go on from file to file.
@lru_cache(maxsize=16_384)
def _caller(identity: str | None) -> _Caller:
    said = mapping(_decode(identity)) if identity else {}
    actor = actor_of(said, "")  # the call matters in sign-ins alone
    return _Caller(
        actor,
        actor.uid,
        actor.kind,
        actor.name,
        actor.via_service,
        actor.credential_uid,
        actor.source_identity,
        text(said.get("accountId")),
        on_behalf_of(said),
        workload_of(actor),
        session_of(actor),
        _written(detail_of({}, actor, NOTHING_ISSUED))[:-1],
    )


class _Callers:
    """The callers of some records: each different one, and which of them is each row's."""

    def __init__(self, fields: Fields) -> None:
        is_object = fields.kinds("userIdentity") == OBJECT
        codes, identities = fields.where(is_object).distinct_texts("userIdentity")
        self.codes = np.zeros(len(fields), np.int32)
        self.codes[is_object] = codes + 1
        self.said = _Caller(*zip(_caller(None), *map(_caller, identities), strict=True))
        """Of each member what all callers say, one after the other."""

    def column(self, member: str) -> pa.DictionaryArray:
        return pa.DictionaryArray.from_arrays(pa.array(self.codes), pa.array(getattr(self.said, member), _TEXT))

    def texts(self, member: str) -> pa.StringArray:
        return pa.array(getattr(self.said, member), _TEXT).take(pa.array(self.codes))


def _spread(distinct: Distinct, meanings: Sequence[str | None]) -> pa.StringArray:
    return pa.array(meanings, _TEXT).take(pa.array(distinct.codes))


def _issued(
    fields: Fields,
    call: Distinct,
    callers: "_Callers",
    moments: pa.Int64Array,
    options: Options,
) -> IssuedColumns:
    """What the few records with a new credential in their response issued."""
    may_be = _each(call, [may_issue(name) for _, name, _, _ in call.values])
    issued = IssuedColumns(may_be & (fields.kinds("responseElements") == OBJECT))
    few = fields.where(issued.is_issuing)
    requests = pc.if_else(few.kinds("requestParameters") == OBJECT, few.json("requestParameters"), _EMPTY)
    for request, response, of_call, of_caller, moment in zip(
        _decoded(requests, _ANY),
        _decoded(few.json("responseElements"), _ANY),
        call.codes[issued.is_issuing].tolist(),
        callers.codes[issued.is_issuing].tolist(),
        moments.filter(pa.array(issued.is_issuing)).to_pylist(),
        strict=True,
    ):
        _, name, is_read, event_type = call.values[of_call]
        record = {
            "requestParameters": request,
            "responseElements": response,
            "readOnly": is_read,
            "eventType": event_type,
        }
        issued.add(record, name, moment, callers.said.actor[of_caller], options)
    return issued


def _details(callers: _Callers, call: Distinct) -> pa.StringArray:
    """What the actor says comes first, then what the call says: each is written once for equal ones."""
    of_calls = [
        _written(detail_of({"readOnly": is_read, "eventType": event_type}, _NOBODY, NOTHING_ISSUED))
        for _, _, is_read, event_type in call.values
    ]
    is_first = np.array([opening != _EMPTY[:-1] for opening in callers.said.opening], np.bool_)[callers.codes]
    is_second = _each(call, [written != _EMPTY for written in of_calls])
    return pc.binary_join_element_wise(
        callers.texts("opening"),
        _spread(call, [written[1:] for written in of_calls]),
        pc.if_else(pa.array(is_first & is_second), ",", ""),
    )


def _written(detail: Mapping[str, Any]) -> str:
    return msgspec.json.encode(detail).decode()


def _decoded(texts: pa.StringArray, decoder: Any) -> Iterator[Any]:
    """The values that these JSON texts hold; a call of the decoder for each would cost more."""
    return chain.from_iterable(_decoded_parts(texts, decoder))


def _decoded_parts(texts: pa.StringArray, decoder: Any) -> Iterator[list[Any]]:
    ended = pc.binary_join_element_wise(texts, "", ",")
    _, ends, data = ended.buffers()
    for start in range(0, len(texts), _AT_ONCE):
        first, last = np.frombuffer(ends, np.int32)[[start, min(start + _AT_ONCE, len(texts))]]
        yield decoder.decode(b"".join((b"[", memoryview(data)[first : last - 1], b"]")))


def _paths(_: Options) -> tuple[str, ...]:
    return _PATHS


COLUMNAR = Columnar(paths=_paths, takes=_takes, columns=_columns, arrays=ARRAYS)
