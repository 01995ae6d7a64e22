"""What the events of a batch issued, by the column: `issued_by` and `session_keys` said of many records at once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ultravires.reading.columns import Fields, Mask
from ultravires.reading.detail_texts import number_members, text_members
from ultravires.reading.values import micros_of_expiry
from ultravires.sources.aws.arns import account_of, role_of_session
from ultravires.sources.aws.credentials import seconds_of_session
from ultravires.sources.aws.identities import MASKED

_TEXT, _NUMBER = pa.string(), pa.int64()
_REQUEST, _RESPONSE = "requestParameters", "responseElements"
_ROLE = f"{_REQUEST}.roleArn"
_SESSION = f"{_REQUEST}.roleSessionName"
_SECONDS = f"{_REQUEST}.durationSeconds"
_TARGET = f"{_REQUEST}.targetPrincipal"
_SESSION_KEY = f"{_RESPONSE}.credentials.accessKeyId"
_EXPIRATION = f"{_RESPONSE}.credentials.expiration"
_SESSION_ARN = f"{_RESPONSE}.assumedRoleUser.arn"
_CREATED_KEY = f"{_RESPONSE}.accessKey.accessKeyId"
_SUBJECTS = (f"{_RESPONSE}.subjectFromWebIdentityToken", f"{_RESPONSE}.subject")
_IDENTITIES = (f"{_REQUEST}.sourceIdentity", f"{_RESPONSE}.sourceIdentity")
PATHS = (
    _ROLE,
    _SESSION,
    _SECONDS,
    _TARGET,
    _SESSION_KEY,
    _EXPIRATION,
    _SESSION_ARN,
    _CREATED_KEY,
    *_SUBJECTS,
    *_IDENTITIES,
)
_SECOND = 1_000_000


@dataclass(frozen=True)
class OwnKeys:
    """What the callers of those events carry themselves, one value for each event."""

    source_identity: pa.StringArray
    session: pa.StringArray
    federated_subject: pa.StringArray


@dataclass(frozen=True)
class IssuedColumns:
    """Columns of the rows that issue (`is_issuing`), one value for each of them.

    `keys` are by their kind; `members` are those of `detail`, as `reading.detail_texts` has them.
    """

    is_issuing: Mask
    credential_uids: pa.StringArray
    expires_at: pa.Int64Array
    keys: Mapping[str, pa.StringArray]
    members: tuple[pa.StringArray, ...]

    def spread(self, values: pa.Array) -> pa.Array:
        """These values in the rows that issue, null in all others."""
        places = np.cumsum(self.is_issuing) - 1
        return values.take(pa.array(places, mask=~self.is_issuing))


def issued_columns(
    fields: Fields, is_issuing: Mask, is_session: Mask, moments: pa.Int64Array, own: OwnKeys
) -> IssuedColumns:
    """What was issued in the rows of the mask `is_issuing`. All else has these rows alone: `is_session` says which of
    them issue a session, and no access key; `moments` when they did.
    """
    of_sessions = _Sessions(fields, pa.array(is_session))
    uids = pc.if_else(of_sessions.mask, fields.text(_SESSION_KEY), fields.text(_CREATED_KEY))
    uids = pc.if_else(pc.match_substring(uids, MASKED), None, uids)
    role, session = of_sessions.roles()
    seconds = of_sessions.meanings(_SECONDS, seconds_of_session)
    expires_at = pc.coalesce(
        of_sessions.meanings(_EXPIRATION, micros_of_expiry), pc.add(moments, pc.multiply(seconds, _SECOND))
    )
    target = pc.coalesce(_each_different(role, account_of), of_sessions.text(_TARGET))
    carried = {
        "source_identity": (of_sessions.first_text(_IDENTITIES), own.source_identity),
        "session_name": (pc.binary_join_element_wise(role, session, "/"), own.session),
        "federated_subject": (pc.coalesce(of_sessions.first_text(_SUBJECTS), own.federated_subject), None),
    }
    return IssuedColumns(
        is_issuing,
        uids,
        expires_at,
        {kind: _carried(values, uids, of_caller) for kind, (values, of_caller) in carried.items()},
        (
            text_members("issued_role_arn", role),
            text_members("issued_session_name", session),
            number_members("issued_duration_seconds", seconds),
            text_members("target_account", target),
        ),
    )


class _Sessions:
    """Fields of those events that issue a session; of the others they are null."""

    def __init__(self, fields: Fields, mask: pa.BooleanArray) -> None:
        self.fields = fields
        self.mask = mask

    def text(self, path: str) -> pa.StringArray:
        return pc.if_else(self.mask, self.fields.text(path), None)

    def first_text(self, paths: tuple[str, ...]) -> pa.StringArray:
        return pc.coalesce(*map(self.text, paths))

    def meanings(self, path: str, meaning: Callable[[Any], int | None]) -> pa.Int64Array:
        values = self.fields.distinct(path).column(meaning, _NUMBER).dictionary_decode()
        return pc.if_else(self.mask, values, None)

    def roles(self) -> tuple[pa.StringArray, pa.StringArray]:
        """The role as requested (with its path), else as in the session's ARN; and the session's name."""
        role, session = self.text(_ROLE), self.text(_SESSION)
        is_part = pc.or_(role.is_null(), session.is_null())
        if is_part.true_count:
            arns = self.text(_SESSION_ARN).filter(is_part).to_pylist()
            found = [pa.array(part, _TEXT) for part in zip(*map(role_of_session, arns), strict=True)]
            role, session = (
                pc.coalesce(asked, pc.replace_with_mask(pa.nulls(len(asked), _TEXT), is_part, given))
                for asked, given in zip((role, session), found, strict=True)
            )
        return role, session


def _each_different(texts: pa.StringArray, meaning: Callable[[str], str | None]) -> pa.StringArray:
    encoded = texts.dictionary_encode()
    return pa.array(map(meaning, encoded.dictionary.to_pylist()), _TEXT).take(encoded.indices)


def _carried(values: pa.StringArray, uids: pa.StringArray, of_caller: pa.StringArray | None) -> pa.StringArray:
    """Values that travel with a credential, where there is one and its caller does not carry the same."""
    is_new = uids.is_valid()
    if of_caller is not None:
        is_new = pc.and_not(is_new, pc.equal(values, of_caller).fill_null(False))
    return pc.if_else(is_new, values, None)
