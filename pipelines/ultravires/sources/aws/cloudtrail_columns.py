"""Usual CloudTrail events read by the column: many records say the same of their caller, their call and their place.

What is unusual (revoked credentials, sign-ins, session tags, decisions, what CloudTrail concluded) is left to `events`
of the source.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ultravires.reading.addresses import addresses_of
from ultravires.reading.column_values import dense, micros_of
from ultravires.reading.columns import ABSENT, NULL, OBJECT, Codes, Columnar, Distinct, Fields, Mask, key_lists
from ultravires.reading.detail_texts import more_members, objects
from ultravires.reading.source import Options
from ultravires.reading.values import mapping, text, truth
from ultravires.sources.aws.cloudtrail_deliveries import ARRAYS
from ultravires.sources.aws.cloudtrail_records import (
    SERVICE_SUFFIX,
    SIGN_IN,
    detail_of,
    is_conclusion,
    outcome_of,
    service_of,
    session_of,
    workload_of,
)
from ultravires.sources.aws.credentials import NOTHING_ISSUED, TAGS, issues_session, may_issue, may_revoke
from ultravires.sources.aws.identities import actor_of, on_behalf_of
from ultravires.sources.aws.issued_columns import PATHS as ISSUED_PATHS
from ultravires.sources.aws.issued_columns import IssuedColumns, OwnKeys, issued_columns
from ultravires.sources.aws.ocsf_classes import ocsf_class
from ultravires.sources.aws.resource_columns import resource_columns
from ultravires.sources.aws.verified_permissions import SERVICE as DECIDES

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
_CALL = ("eventSource", "eventName", "readOnly", "eventType", "eventCategory")
"""What records of one kind of call have in common."""
_TAGS = tuple(f"requestParameters.{name}" for name in TAGS)
_TEXT = pa.string()
_NOBODY = actor_of({}, "")
_NOTHING_SAID = "{}"


_decode = msgspec.json.Decoder().decode


def _takes(fields: Fields) -> Mask:
    call = fields.distinct(*_CALL)
    has_response = ~np.isin(fields.kinds("responseElements"), (ABSENT, NULL))
    is_issuing = has_response & _each(call, [may_issue(text(name) or "") for _, name, *_ in call.values])
    moments = micros_of(fields, "eventTime")
    mask: Mask = (
        (fields.kinds("eventVersion") != ABSENT)  # what stands in a wrapping has none
        & fields.text("eventID").is_valid().to_numpy(zero_copy_only=False)
        & moments.is_valid().to_numpy(zero_copy_only=False)
        & _each(call, [_is_usual(source, name, *kind) for source, name, _, *kind in call.values])
        & (~is_issuing | (fields.kinds("responseElements") == OBJECT))
    )
    of_issuing = fields.where(is_issuing)
    for path in _TAGS:
        mask[is_issuing] &= of_issuing.kinds(path) == ABSENT
    return mask


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
    call = fields.distinct(*_CALL)
    calls = [(service_of(source) or "", name, truth(is_read)) for source, name, is_read, *_ in call.values]
    classes = [ocsf_class(*called) for called in calls]
    moments = micros_of(fields, "eventTime")
    issued = _issued(fields, call, callers, moments)
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
        "issued_credential_uid": issued.spread(issued.credential_uids),
        "issued_expires_at": issued.spread(issued.expires_at),
        "keys": key_lists(
            count,
            [
                ("request", request, "names"),
                ("request", pc.binary_join_element_wise(account, request, "/"), "names"),
                ("shared_event", fields.text("sharedEventID"), "carries"),
                ("source_identity", callers.column("source_identity"), "carries"),
                ("session_name", callers.column("session"), "carries"),
                *((kind, issued.spread(values), "carries") for kind, values in issued.keys.items()),
            ],
        ),
        "detail": _details(callers, call, issued),
    }


class _Caller(NamedTuple):
    """What a `userIdentity` says, as far as it does not depend on the call."""

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
    federated_subject: Any
    opening: Any
    closing: Any
    """Members of `detail`, before and behind what the event issued."""


# Sessions go on from file to file.
@lru_cache(maxsize=16_384)
def _caller(identity: str | None) -> _Caller:
    said = mapping(_decode(identity)) if identity else {}
    actor = actor_of(said, "")  # the call matters in sign-ins alone
    detail = detail_of({}, actor, NOTHING_ISSUED)
    has_mfa = detail.pop("mfa", None)
    return _Caller(
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
        actor.federated_subject,
        more_members(**detail),
        more_members(mfa=has_mfa),
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

    def each(self, member: str) -> pa.StringArray:
        """What the different callers say."""
        return pa.array(getattr(self.said, member), _TEXT)

    def column(self, member: str) -> pa.DictionaryArray:
        return pa.DictionaryArray.from_arrays(pa.array(self.codes), self.each(member))

    def texts(self, member: str) -> pa.StringArray:
        return self.each(member).take(pa.array(self.codes))


def _issued(fields: Fields, call: Distinct, callers: "_Callers", moments: pa.Int64Array) -> IssuedColumns:
    """What the few records with a new credential in their response issued."""
    is_issuing = _each(call, [may_issue(name) for _, name, *_ in call.values])
    is_issuing &= fields.kinds("responseElements") == OBJECT
    is_issuing[is_issuing] = pc.not_equal(fields.where(is_issuing).json("responseElements"), _NOTHING_SAID)
    is_session = _each(call, [issues_session(name) for _, name, *_ in call.values])
    few = pa.array(callers.codes[is_issuing])
    own = OwnKeys(*(callers.each(member).take(few) for member in ("source_identity", "session", "federated_subject")))
    of_few = fields.where(is_issuing)
    return issued_columns(of_few, is_issuing, is_session[is_issuing], moments.filter(pa.array(is_issuing)), own)


def _said_of_call(is_read: Any, event_type: Any) -> str:
    return more_members(**detail_of({"readOnly": is_read, "eventType": event_type}, _NOBODY, NOTHING_ISSUED))


def _details(callers: _Callers, call: Distinct, issued: IssuedColumns) -> pa.DictionaryArray:
    """Equal ones are written once; those of events that issue something each by itself."""
    openings, closings = callers.each("opening"), callers.each("closing")
    of_calls = pa.array([_said_of_call(is_read, event_type) for _, _, is_read, event_type, _ in call.values], _TEXT)

    def written(of_callers: Codes, members: tuple[pa.StringArray, ...], calls: Codes) -> pa.StringArray:
        at = pa.array(of_callers)
        return objects([openings.take(at), *members, closings.take(at), of_calls.take(pa.array(calls))])

    codes, pairs = dense(callers.codes, call.codes)
    usual = written(pairs[:, 0], (), pairs[:, 1])
    own = written(callers.codes[issued.is_issuing], issued.members, call.codes[issued.is_issuing])
    codes = np.where(issued.is_issuing, len(usual) + np.cumsum(issued.is_issuing) - 1, codes)
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pa.concat_arrays([usual, own]))


def _paths(_: Options) -> tuple[str, ...]:
    return _PATHS + ISSUED_PATHS + _TAGS


COLUMNAR = Columnar(paths=_paths, takes=_takes, columns=_columns, arrays=ARRAYS)
