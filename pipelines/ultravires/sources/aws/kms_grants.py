"""What calls change of the grants of KMS: who may use one key for which operations.

https://docs.aws.amazon.com/kms/latest/developerguide/ct-creategrant.html (also `granteeServicePrincipal`),
https://docs.aws.amazon.com/kms/latest/developerguide/ct-retiregrant.html (id beside the request),
https://docs.aws.amazon.com/kms/latest/developerguide/ct-revokegrant.html

The grantee holds `<key>#<id of the grant>`, whose one statement has the operations of the grant; its constraints on the
encryption context and on the source are a condition of their own, `GrantConstraints`, as no operator of policies says
what they do. The id joins the two and is what ends them.
"""

from ultravires.reading.grants import Json, given, statement, taken, unwritten, written
from ultravires.reading.values import texts
from ultravires.sources.aws.arns import role_of_session
from ultravires.sources.aws.changes import Change, Grants, identifier, inner, member
from ultravires.sources.aws.resource_policies import key_of

_MOST_OPERATIONS = 100


def _granted(change: Change) -> list[Json]:
    key, grant = key_of(change), identifier(change.response, "grantId")
    grantee = identifier(change.request, "granteePrincipal", "granteeServicePrincipal")
    if not key or not grant or not grantee:
        return []
    operations = texts(member(change.request, "operations"))[:_MOST_OPERATIONS]
    constraints = inner(change.request, "constraints")
    condition = {"GrantConstraints": constraints} if constraints else None
    actions = [f"kms:{name}" for name in operations]
    said = [statement("allow", actions, [key], condition=condition)] if actions else None
    held = f"{key}#{grant}"
    # a session is its role, as it is where it acts
    holder = role_of_session(grantee)[0] or grantee
    return [written(held, said), given("attached", holder, held, binding=grant)]


def _ended(change: Change) -> list[Json]:
    grant = identifier(change.request, "grantId") or identifier(change.further, "grantId")
    if grant is None:
        return []
    key = key_of(change)
    return [taken("attached", binding=grant), *([unwritten(f"{key}#{grant}")] if key else [])]


KMS_GRANTS: dict[str, Grants] = {
    "kms:CreateGrant": _granted,
    "kms:RetireGrant": _ended,
    "kms:RevokeGrant": _ended,
}
"""Operation -> what a successful call of it changes."""
