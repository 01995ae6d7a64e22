"""What calls change of the access control list of a bucket, where it lets in others than the bucket's owner.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html (permissions as actions, groups, canned lists),
https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketAcl.html

A list stands beside the policy of a bucket, so its document is that of `<bucket>?acl`, of kind `resource`, and its
statements name the bucket. It is always given as a whole: canned, in headers, or as XML that CloudTrail writes as
members. A list with only its owner in it is as if there were none.
"""

import re
from itertools import islice
from typing import Any

from ultravires.reading.grants import Json, statement, unwritten, written
from ultravires.reading.values import mapping, sequence, text
from ultravires.sources.aws.changes import Change, Grants, identifier, inner, member
from ultravires.sources.aws.resource_policies import bucket_of

_READ = ("s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads")
_ACTIONS: dict[str, tuple[str, ...]] = {
    "READ": _READ,
    "WRITE": ("s3:PutObject",),
    "READ_ACP": ("s3:GetBucketAcl",),
    "WRITE_ACP": ("s3:PutBucketAcl",),
    "FULL_CONTROL": (*_READ, "s3:PutObject", "s3:GetBucketAcl", "s3:PutBucketAcl"),
}
_GROUPS = "http://acs.amazonaws.com/groups/"
_PRINCIPALS = {
    f"{_GROUPS}global/AllUsers": "*",
    f"{_GROUPS}global/AuthenticatedUsers": "AWS:*",
    f"{_GROUPS}s3/LogDelivery": "Service:logging.s3.amazonaws.com",
}
"""Anybody; anybody with an identity of any account; what S3 itself writes."""
_ALL, _AUTHENTICATED, _LOGS = _PRINCIPALS.values()
_CANNED: dict[str, tuple[tuple[str, str], ...]] = {
    "private": (),
    "public-read": ((_ALL, "READ"),),
    "public-read-write": ((_ALL, "READ"), (_ALL, "WRITE")),
    "authenticated-read": ((_AUTHENTICATED, "READ"),),
    "log-delivery-write": ((_LOGS, "WRITE"), (_LOGS, "READ_ACP")),
    "bucket-owner-read": (),
    "bucket-owner-full-control": (),
}
_HEADERS = {
    "x-amz-grant-read": "READ",
    "x-amz-grant-write": "WRITE",
    "x-amz-grant-read-acp": "READ_ACP",
    "x-amz-grant-write-acp": "WRITE_ACP",
    "x-amz-grant-full-control": "FULL_CONTROL",
}
_GRANTEE = re.compile(r'(id|uri|emailaddress)\s*=\s*"?([^",\s]+)"?', re.IGNORECASE)
_MOST_GRANTS, _LONGEST_HEADER = 200, 20_000
_Granted = tuple[str, str]
"""Principal and permission."""


def _set(change: Change) -> list[Json]:
    bucket = bucket_of(change)
    if bucket is None:
        return []
    return _document(bucket, _granted(change.request))


def _made(change: Change) -> list[Json]:
    """A new bucket is its owner's alone where no list is given."""
    bucket, granted = bucket_of(change), _granted(change.request)
    return _document(bucket, granted) if bucket and (granted or _is_given(change.request)) else []


def _deleted(change: Change) -> list[Json]:
    bucket = bucket_of(change)
    held = [bucket, f"{bucket}?acl"] if bucket else []
    return [unwritten(each, kind="resource") for each in held]


def _document(bucket: str, granted: list[_Granted] | None) -> list[Json]:
    held = f"{bucket}?acl"
    if granted is None:
        return [written(held, None, kind="resource")]
    if not granted:
        return [unwritten(held, kind="resource")]
    resources = (bucket, f"{bucket}/*")
    said = [statement("allow", _ACTIONS[name], resources, principals=[principal]) for principal, name in granted]
    return [written(held, said, kind="resource")]


def _first(value: Any) -> str | None:
    """Headers are lists of one text in some records, and plain text in others."""
    return text(next(iter(sequence(value)), None)) if type(value) is list else text(value)


def _is_given(request: dict[str, Any]) -> bool:
    return any(_first(member(request, name)) for name in ("x-amz-acl", *_HEADERS))


def _granted(request: dict[str, Any]) -> list[_Granted] | None:
    """Whom the list lets in; None where that is not to be read in whole."""
    if canned := _first(member(request, "x-amz-acl")):
        return list(_CANNED[canned]) if canned in _CANNED else None
    headers = {name: value for name in _HEADERS if (value := _first(member(request, name)))}
    policy = inner(request, "AccessControlPolicy")
    if headers:
        return _of_headers(headers)
    return _of_policy(policy) if policy else None


def _of_headers(headers: dict[str, str]) -> list[_Granted] | None:
    found = [
        (_principal(kind.lower(), value), _HEADERS[name])
        for name, written_ in headers.items()
        for kind, value in islice(_GRANTEE.findall(written_[:_LONGEST_HEADER]), _MOST_GRANTS)
    ]
    return _whole(found) if found else None


def _of_policy(policy: dict[str, Any]) -> list[_Granted] | None:
    """Those that are not the owner's own."""
    owner = identifier(inner(policy, "Owner"), "ID")
    held = member(inner(policy, "AccessControlList"), "Grant")
    grants = [held] if type(held) is dict else sequence(held)
    if not grants or len(grants) > _MOST_GRANTS:
        return None
    found = []
    for grant in map(mapping, grants):
        grantee, name = inner(grant, "Grantee"), text(member(grant, "Permission")) or ""
        id_, uri = identifier(grantee, "ID"), identifier(grantee, "URI")
        if id_ is None or id_ != owner:
            found.append((_principal("id" if id_ else "uri", id_ or uri), name))
    return _whole(found)


def _principal(kind: str, value: str | None) -> str | None:
    if kind == "id" and value:
        return f"CanonicalUser:{value}"
    return _PRINCIPALS.get(value or "") if kind == "uri" else None


def _whole(found: list[tuple[str | None, str]]) -> list[_Granted] | None:
    known = [(principal, name) for principal, name in found if principal is not None and name in _ACTIONS]
    return known if len(known) == len(found) else None


BUCKET_ACLS: dict[str, Grants] = {
    "s3:PutBucketAcl": _set,
    "s3:CreateBucket": _made,
    "s3:DeleteBucket": _deleted,
}
"""Operation -> what a successful call of it changes."""
