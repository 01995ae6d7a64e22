"""What a log source is: a pure function from one file's bytes to events. No clock, no network, no database.

A new source is one file in `ultravires.sources` that defines SOURCE. It says how to recognise the log by its
content, how the file falls into records (`ultravires.reading.framing`), and what one decoded record means (`events`).
Everything else (decompression, limits, redaction, quarantine, ids, columns) is done once for all sources in
`ultravires.reading.files`.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec
import pyarrow as pa

from ultravires.errors import ConfigError
from ultravires.reading.values import canonical, iso
from ultravires.schema import EVENTS

if TYPE_CHECKING:
    from ultravires.reading.head import Head
    from ultravires.reading.plain_records import Record

SOURCE_COLUMNS = pa.schema([column for column in EVENTS if column.name not in ("ingested_at", "file_id")])
"""EVENTS without what only the loader knows."""

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

    def __post_init__(self) -> None:
        if not 1 <= len(self.hash_key) <= hashlib.blake2b.MAX_KEY_SIZE:
            raise ConfigError("the hash key must be 1 to 64 bytes long")


class NotParsed(Exception):
    """Raised by a source for a record it cannot read; the message is the reason given in quarantine."""


class Frame(NamedTuple):
    """One record as it lay in the file: where, its bytes, and either what they decoded to or why they did
    not. `written` is the record as it is kept, where that is known already.
    """

    offset: int
    data: bytes
    value: Any
    reason: str | None = None
    written: bytes | None = None


class Event(msgspec.Struct, kw_only=True, gc=False):
    """One row of EVENTS without provenance. Times are microseconds since 1970 UTC; keys are (kind, value,
    role).
    """

    native_id: str | None
    event_at: int
    kind: str
    class_uid: int
    activity_id: int
    actor_uid: str | None = None
    actor_kind: str | None = None
    actor_name: str | None = None
    on_behalf_of_uid: str | None = None
    via_service: str | None = None
    account_uid: str | None = None
    workload_uid: str | None = None
    action: str | None = None
    resource_uids: list[str] = []
    outcome: str | None = None
    error_code: str | None = None
    src_ip: str | None = None
    user_agent: str | None = None
    credential_uid: str | None = None
    issued_credential_uid: str | None = None
    issued_expires_at: int | None = None
    revoked_credential_uid: str | None = None
    approval_uid: str | None = None
    decision_uid: str | None = None
    tool_call_uid: str | None = None
    task: str | None = None
    args_hash: str | None = None
    keys: list[tuple[str, str, str]] = []
    detail: dict[str, Any] = {}
    log: str | None = None
    """The log that made the record, where the reader reads copies of several; None for the source's own log."""


@dataclass(frozen=True)
class Source:
    """A log source.

    `reads` says in one line which files it takes, `recognised_by` by what it knows them. `grade` is `verified` where it
    was read against real records, else `documentation`, and then `documented_at` is the day (ISO) on which its page was
    read. `evidence_kinds` are the kinds whose absence from this log means something; `join_keys` the kinds of keys that
    its events may hold.
    """

    name: str
    log: str
    version: int
    title: str
    reads: str
    recognised_by: str
    grade: Literal["verified", "documentation"]
    documentation: str
    documented_at: str
    evidence_kinds: tuple[str, ...]
    join_keys: tuple[str, ...]
    recognise: Callable[["Head"], bool]
    records: Callable[[Iterator[bytes], Options], Iterator[Frame]]
    events: Callable[[Any, Options], Iterable[Event]]
    """What one record means; it takes a `record`, or a dictionary where the source has none."""
    claim: Callable[[dict[str, Any]], dict[str, Any] | None] | None = None
    """For a log that is delivered in one file with others: a record as `events` takes it, without the secrets that only
    this source knows of; None where it is not this log's. No record is claimed by two sources, and a claimed record is
    claimed again as it is. None for a log that has its files to itself."""
    record: "type[Record] | None" = None
    """The fields that `events` looks at (`ultravires.reading.plain_records`); None where it takes dictionaries."""

    def read(self, value: Any, options: Options) -> Iterable[Event]:
        """The events of a record, which is a Record already or a decoded object. Raises NotParsed."""
        if self.record is None or type(value) is self.record:
            return self.events(value, options)
        return self.events(self.record.of(value), options)


def event_id(log: str, native_id: str, event_at: int, action: str | None, outcome: str | None) -> str:
    """The id of an event (docs/tables.md): first 32 hex of sha256; `event_at` in microseconds since 1970."""
    parts = "\x1f".join((log, native_id, iso(event_at), action or "", outcome or ""))
    return hashlib.sha256(parts.encode()).hexdigest()[:32]


def keyed_hash(data: bytes, options: Options, *, size: int = 16) -> str:
    """blake2b of the bytes under the installation's key, in hex; `size` is in bytes."""
    return hashlib.blake2b(data, key=options.hash_key, digest_size=size).hexdigest()


def hash_arguments(arguments: Any, options: Options) -> str | None:
    """`args_hash` of decoded arguments, before redaction; None where there are none."""
    return None if arguments is None else keyed_hash(canonical(arguments), options)


def present(**members: Any) -> dict[str, Any]:
    """The given members without those that are None: in `detail`, missing means unknown."""
    return {name: value for name, value in members.items() if value is not None}
