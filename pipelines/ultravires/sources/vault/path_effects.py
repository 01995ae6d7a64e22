"""What requests to Vault's paths do: https://developer.hashicorp.com/vault/api-docs.

Of the rules that fit a path and an operation the first counts; it adds to what the table says of the action, or takes
something from it.
"""

import re
from typing import NamedTuple

from ultravires.reading.effects import Effect, Power, TargetKind

WRITES = frozenset({"create", "update", "patch"})
_READS = frozenset({"read"})
_DELETES = frozenset({"delete"})
_ANY = WRITES | _READS | _DELETES | {"list"}


class Said(NamedTuple):
    """One effect of a path, or that it has it not."""

    what: Effect
    target: TargetKind = "resource"
    power: Power | None = None
    is_absent: bool = False


def _not(what: Effect) -> Said:
    return Said(what, is_absent=True)


_SIGNED = Said("issues_credential", "self")
_FOR_ANOTHER = (_not("opens_trust"), Said("issues_credential", "identity"))
_TRUSTED = (_not("grants_power"), Said("opens_trust", "identity"))
_AUTH, _ENGINE = (
    r"auth/[^/]+",
    r"(?:database|aws|azure|gcp|consul|nomad|rabbitmq|kubernetes|ldap|ad|openldap|terraform)",
)
PATH_RULES: tuple[tuple[re.Pattern[str], frozenset[str], tuple[Said, ...]], ...] = tuple(
    (re.compile(pattern), operations, said)
    for pattern, operations, said in (
        (r"sys/policies/(?:egp|rgp)/.+", WRITES, (_not("grants_power"), Said("weakens_guard"))),
        (r"sys/policies/(?:egp|rgp)/.+", _DELETES, (_not("takes_power"), Said("weakens_guard"))),
        (r"sys/policies/password/.+", WRITES, (_not("grants_power"),)),
        (r"sys/policies/password/.+", _DELETES, (_not("takes_power"),)),
        (r"sys/auth/.+/tune", WRITES, (_not("opens_trust"),)),
        (r"sys/leases/revoke-(?:prefix|force)/.+", WRITES, (Said("destroys"),)),
        (r"sys/leases/revoke(?:/.+)?", WRITES, (Said("takes_power", "identity"),)),
        (r"sys/leases/lookup", WRITES, (Said("discovers"),)),
        (r"sys/wrapping/unwrap", WRITES, (Said("reads_secret"),)),
        (r"sys/storage/raft/snapshot", _READS, (Said("reads_secret", power="admin"),)),
        (r"sys/storage/raft/snapshot(?:-force)?", WRITES, (Said("destroys"),)),
        (r"sys/config/cors", WRITES, (Said("weakens_guard"),)),
        (r"sys/config/(?:control-group|group-policy-application)", _DELETES, (Said("weakens_guard"),)),
        (r"sys/config/auditing/.+", _DELETES, (Said("weakens_evidence"),)),
        (r"sys/mfa/.+", _DELETES, (Said("weakens_guard"),)),
        (r"sys/plugins/reload/.+", WRITES, (Said("runs_code"),)),
        (r"sys/replication/.+/secondary-token", WRITES, (Said("opens_trust"), Said("issues_credential", "identity"))),
        (r"sys/replication/.+/(?:disable|demote)", WRITES, (Said("destroys"),)),
        (r"sys/sync/destinations/.+", WRITES, (Said("exposes", "outside", "data"),)),
        (r"identity/lookup/.+", WRITES, (_not("grants_power"), Said("discovers"))),
        (r"identity/(?:entity|group)-alias(?:/.+)?", WRITES, (_not("grants_power"), Said("opens_trust", "identity"))),
        (r"identity/mfa/method/.+/admin-destroy", WRITES, (_not("grants_power"), Said("weakens_guard", "identity"))),
        (
            r"identity/mfa/method/.+/admin-generate",
            WRITES,
            (_not("grants_power"), Said("issues_credential", "identity")),
        ),
        (r"identity/mfa/(?:method|login-enforcement)/.+", _DELETES, (_not("takes_power"), Said("weakens_guard"))),
        (r"identity/mfa/.+", WRITES, (_not("grants_power"),)),
        (r"identity/oidc/token/.+", _READS, (_SIGNED,)),
        (r"identity/oidc/(?:client|key|role|provider|assignment|scope)/.+", WRITES, _TRUSTED),
        (r"identity/oidc/.+", WRITES, (_not("grants_power"),)),
        (_AUTH + r"/role/[^/]+/(?:custom-)?secret-id", WRITES, _FOR_ANOTHER),
        (
            _AUTH + r"/role/[^/]+/secret-id(?:-accessor)?/destroy",
            _ANY,
            (_not("opens_trust"), Said("takes_power", "identity")),
        ),
        (_AUTH + r"/role/[^/]+/secret-id(?:-accessor)?/lookup", WRITES, (_not("opens_trust"), Said("discovers"))),
        (_AUTH + r"/(?:.+/)?tidy(?:/.+)?", WRITES, (_not("opens_trust"),)),
        (_AUTH + r"/users/[^/]+/password", WRITES, _FOR_ANOTHER),
        (r"auth/userpass/users/[^/]+", WRITES, _FOR_ANOTHER),
        (_AUTH + r"/(?:users|groups|map)/.+", WRITES, (_not("opens_trust"), Said("grants_power", "identity"))),
        (r"auth/(?!token/)[^/]+/(?:config|certs|crls)(?:/.+)?", WRITES, (Said("opens_trust"),)),
        (r"auth/(?!token/)[^/]+/roles?(?:/.+)?", WRITES, (Said("opens_trust", "identity"),)),
        (r"auth/(?!token/)[^/]+/.+", _DELETES, (Said("takes_power"),)),
        (r"(?:kv|generic)/(?:metadata/.*|config)", _READS, (_not("reads_secret"),)),
        (r"(?:kv|generic)/(?:delete|destroy)/.+", WRITES, (Said("destroys"),)),
        (r"transit/(?:export|backup)/.+", _READS, (Said("reads_secret"),)),
        (r"transit/keys/[^/]+/config", WRITES, (Said("weakens_guard"),)),
        (_ENGINE + r"/static-creds?/.+", _READS, (Said("reads_secret"),)),
        (_ENGINE + r"/(?:creds|sts|token|key|roleset|static-account|impersonated-account)/.+", _READS, (_SIGNED,)),
        (_ENGINE + r"/(?:creds|sts)/.+", WRITES, (_SIGNED,)),
        (_ENGINE + r"/(?:static-)?(?:roles?|rolesets?|library)/.+", WRITES, (Said("grants_power", "identity"),)),
        (_ENGINE + r"/(?:config|connection)(?:/.+)?", WRITES, (Said("changes_workload"),)),
        (_ENGINE + r"/(?:static-)?(?:roles?|rolesets?|config)/.+", _DELETES, (Said("takes_power"),)),
        (_ENGINE + r"/rotate-(?:root|role)(?:/.+)?", WRITES, (Said("changes_workload"),)),
        (r"(?:ssh|pki)/(?:.+/)?(?:sign|issue|sign-verbatim|creds)/.+", WRITES, (_SIGNED,)),
        (
            r"pki/(?:.+/)?sign-(?:intermediate|self-issued)",
            WRITES,
            (Said("issues_credential", "identity"), Said("opens_trust")),
        ),
        (r"pki/(?:root|issuers|intermediate)/(?:generate|rotate|set-signed|import).*", WRITES, (Said("opens_trust"),)),
        (r"pki/(?:root|issuer|key)(?:/.+)?", _DELETES, (Said("destroys"),)),
        (r"pki/revoke(?:-with-key)?", WRITES, (Said("takes_power", "identity"),)),
        (r"(?:ssh|pki)/roles/.+", WRITES, (Said("grants_power", "identity"),)),
        (r"(?:ssh|pki)/roles/.+", _DELETES, (Said("takes_power"),)),
        (r"ssh/config/ca", WRITES, (Said("opens_trust"),)),
        (r"ssh/config/ca", _DELETES, (Said("destroys"),)),
    )
)
