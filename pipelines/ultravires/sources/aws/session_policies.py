"""What a session may do at most: the session policies that are given with the call that begins it.

https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies.html#policies_session and
https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html (`Policy`, `PolicyArns`)

A session holds what its role holds and one of these policies allows, until it ends. So they are boundaries of the
credential that the call answers with, and the role itself keeps what it has. A call that names none limits nothing.
"""

from ultravires.reading.grants import Json, given, written
from ultravires.reading.values import iso, mapping, micros, sequence, text
from ultravires.sources.aws.changes import Change, Grants, identifier, inner, member
from ultravires.sources.aws.identities import credential_id
from ultravires.sources.aws.policies import statements_of

_MOST_POLICIES = 100


def _narrowed(change: Change) -> list[Json]:
    """The policies of the session that was issued; nothing where the answer does not say which it is, or until when."""
    policy, managed = member(change.request, "policy"), _managed(change)
    if policy in (None, "") and not managed:
        return []
    issued = inner(change.response, "credentials")
    session, ends = credential_id(member(issued, "accessKeyId")), micros(member(issued, "expiration"))
    if session is None or ends is None:
        return []
    until = iso(ends)
    limits = [given("boundary", session, arn, expires_at=until) for arn in managed]
    if policy in (None, ""):
        return limits
    own = f"{session}#session"
    return [written(own, statements_of(policy)), given("boundary", session, own, expires_at=until), *limits]


def _managed(change: Change) -> list[str]:
    """Each stands in an object of its own; logs of some services have the names alone."""
    listed = sequence(member(change.request, "policyArns"))[:_MOST_POLICIES]
    names = (text(each) or identifier(mapping(each), "arn") for each in listed)
    return [name for name in dict.fromkeys(names) if name and name.startswith("arn:")]


SESSION_POLICIES: dict[str, Grants] = {
    "sts:AssumeRole": _narrowed,
    "sts:AssumeRoleWithSAML": _narrowed,
    "sts:AssumeRoleWithWebIdentity": _narrowed,
    "sts:GetFederationToken": _narrowed,
}
"""Operation -> what limits the session that a successful call of it issues."""
