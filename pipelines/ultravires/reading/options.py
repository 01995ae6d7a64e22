"""Everything that a source may know besides the bytes of a file, and what depends on the installation's key."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ultravires.errors import ConfigError
from ultravires.reading.origins import Origins
from ultravires.reading.values import canonical

DEFAULT_SECRETS = frozenset(
    {
        "access_token",
        "accesstoken",
        "api-key",
        "api_key",
        "apikey",
        "auth_token",
        "authorization",
        "authtoken",
        "aws_secret_access_key",
        "aws_session_token",
        "bearer",
        "bearertoken",
        "client_secret",
        "client_token",
        "clientsecret",
        "connection_string",
        "connectionstring",
        "cookie",
        "id_token",
        "idtoken",
        "masteruserpassword",
        "mfacode",
        "newpassword",
        "oldpassword",
        "otp",
        "passphrase",
        "passwd",
        "password",
        "private_key",
        "privatekey",
        "proxy-authorization",
        "refresh_token",
        "refreshtoken",
        "samlassertion",
        "secret",
        "secret_access_key",
        "secret_id",
        "secret_key",
        "secretaccesskey",
        "secretbinary",
        "secretkey",
        "secretstring",
        "session_token",
        "sessiontoken",
        "set-cookie",
        "token",
        "tokencode",
        "webidentitytoken",
        "x-amz-security-token",
        "x-amz-signature",
        "x-api-key",
    }
)

DEFAULT_OPA_INPUTS: Mapping[str, Mapping[str, str]] = {
    "*": {
        "subject": "input.agent.id|input.subject.id|input.subject|input.principal.id|input.principal"
        "|input.user.id|input.user|input.identity|input.agent",
        "action": "input.action.name|input.action|input.operation|input.method",
        "resource": "input.resource.arn|input.resource.id|input.resource|input.resources",
        "approval": "input.approval_id|input.approval.id|input.approval",
        "ticket": "input.ticket.id|input.ticket|input.ticket_id",
        "tool": "input.tool.name|input.tool_name|input.tool",
        "tool_call": "input.tool_call_id|input.tool_call.id|input.call_id",
        "trace": "input.trace_id|input.trace.id|input.conversation_id",
        "arguments": "input.arguments|input.args|input.tool.arguments|input.parameters",
    }
}
"""Policy path glob -> meaning -> dotted path in the decision record; `|` separates alternatives."""


@dataclass(frozen=True)
class Options:
    """Everything that a source may know besides the bytes. Can be sent to another process."""

    hash_key: bytes
    max_file_bytes: int = 4 << 30
    max_record_bytes: int = 128 << 20
    max_depth: int = 200
    max_ratio: int = 1000
    redact: frozenset[str] = DEFAULT_SECRETS
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Source, or `*` for all -> names and paths of fields that it must not see (`ultravires.reading.named_fields`)."""
    opa_inputs: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: DEFAULT_OPA_INPUTS)
    approval_scopes: Mapping[str, Mapping[str, Mapping[str, tuple[str, ...]]]] = field(default_factory=dict)
    """Source -> glob of the system's own words -> actions, resources, roles, tools -> what they mean."""

    origins: Origins = field(default_factory=Origins)
    """Which places are bound to which sources."""
    path: str = ""
    """The file that is read, as the manifest knows it; told only where a source is `dated_by_file`."""
    captured: str | None = None
    """What the file beside it says of when it was taken (`ultravires.reading.captures`); likewise."""

    def __post_init__(self) -> None:
        if not 1 <= len(self.hash_key) <= hashlib.blake2b.MAX_KEY_SIZE:
            raise ConfigError("the hash key must be 1 to 64 bytes long")


def keyed_hash(data: bytes, options: Options, *, size: int = 16) -> str:
    """blake2b of the bytes under the installation's key, in hex; `size` is in bytes."""
    return hashlib.blake2b(data, key=options.hash_key, digest_size=size).hexdigest()


def hash_arguments(arguments: Any, options: Options) -> str | None:
    """`args_hash` of decoded arguments, before redaction; None where there are none."""
    return None if arguments is None else keyed_hash(canonical(arguments), options)
