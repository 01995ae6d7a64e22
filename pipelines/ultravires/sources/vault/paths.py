"""What a request to Vault's API is, by its path: https://developer.hashicorp.com/vault/api-docs

The path says more than the operation, which is `update` for a sign-in, a new token and a revocation alike.
"""

from functools import lru_cache

import msgspec

from ultravires.sources.ocsf.classes import API_ACTIVITY, AUTHENTICATION

_OTHER = 99
_OPERATIONS = {"create": 1, "read": 2, "list": 2, "help": 2, "update": 3, "patch": 3, "delete": 4}
_TOKEN_ACTIVITIES = {
    "create": (AUTHENTICATION, 3),
    "create-orphan": (AUTHENTICATION, 3),
    "renew": (AUTHENTICATION, 5),
    "renew-self": (AUTHENTICATION, 5),
    "renew-accessor": (AUTHENTICATION, 5),
    "revoke-self": (AUTHENTICATION, 2),
    "revoke": (API_ACTIVITY, 4),
    "revoke-orphan": (API_ACTIVITY, 4),
    "revoke-accessor": (API_ACTIVITY, 4),
    "lookup": (API_ACTIVITY, 2),
    "lookup-self": (API_ACTIVITY, 2),
    "lookup-accessor": (API_ACTIVITY, 2),
}
_LEASE_PATHS = ("sys/leases/revoke/", "sys/revoke/")


class Operation(msgspec.Struct, frozen=True, gc=False):
    """An operation in our words: `action`, `resource`, OCSF class and activity, and what it does to tokens and leases.

    `login_mount` is the path of the auth method that was signed in to; `lease` the lease that the path names.
    """

    action: str
    resource: str
    class_uid: int
    activity_id: int
    login_mount: str | None = None
    makes_token: bool = False
    revokes: str | None = None
    lease: str | None = None
    is_read_only: bool = False


@lru_cache(maxsize=65536)
def operation_of(path: str, operation: str, mount_type: str | None) -> Operation:
    """Actions are `vault:token.create`, `vault:kubernetes.login`, `vault:sys/policies.update`, else
    `vault:<engine>.<operation>`.
    """
    if path.startswith("auth/token/"):
        return _token_operation(path, operation)
    mount = _login_mount(path)
    if mount is not None and operation in ("create", "update"):
        action = f"vault:{mount_type or mount}.login"
        return Operation(action, path, AUTHENTICATION, 1, login_mount=mount, makes_token=True)
    first, _, rest = path.partition("/")
    if first in ("sys", "auth"):
        second = rest.partition("/")[0]
        name = f"sys/{second}" if first == "sys" else mount_type or second
    else:
        name = mount_type or first
    return Operation(
        f"vault:{name}.{operation}",
        path,
        API_ACTIVITY,
        _OPERATIONS.get(operation, _OTHER),
        revokes=_revoked_by(path),
        lease=next((path.removeprefix(start) for start in _LEASE_PATHS if path.startswith(start)), None) or None,
        is_read_only=operation in ("read", "list", "help"),
    )


def _token_operation(path: str, operation: str) -> Operation:
    """Old clients write the token itself behind `lookup`, `renew` and `revoke`; only a role behind `create` is kept."""
    verb = path.removeprefix("auth/token/").partition("/")[0]
    if verb not in _TOKEN_ACTIVITIES:
        return Operation(
            f"vault:token.{verb}.{operation}",
            path,
            API_ACTIVITY,
            _OPERATIONS.get(operation, _OTHER),
            is_read_only=operation in ("read", "list"),
        )
    class_uid, activity_id = _TOKEN_ACTIVITIES[verb]
    return Operation(
        f"vault:token.{verb}",
        path if verb == "create" else f"auth/token/{verb}",
        class_uid,
        activity_id,
        makes_token=verb.startswith("create"),
        revokes={"revoke-self": "self", "revoke-accessor": "accessor"}.get(verb),
        is_read_only=verb.startswith("lookup"),
    )


def _login_mount(path: str) -> str | None:
    """`kubernetes` of `auth/kubernetes/login`, `team/userpass` of `auth/team/userpass/login/mira`."""
    if not path.startswith("auth/"):
        return None
    mount, login, rest = path.removeprefix("auth/").partition("/login")
    is_login = bool(login) and (not rest or rest.startswith("/"))
    is_callback = path.endswith("/oidc/callback")
    return mount if is_login else path.removeprefix("auth/").removesuffix("/oidc/callback") if is_callback else None


def _revoked_by(path: str) -> str | None:
    """The member of the request's data that names what is revoked."""
    return "secret_id_accessor" if path.endswith("/secret-id-accessor/destroy") else None
