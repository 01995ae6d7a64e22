"""What `ultravires.yaml` may say. Unknown keys are refused, so that a typing error cannot switch a control off."""

import re
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    model_validator,
)

from ultravires.identity_register import IdentityRegister
from ultravires.reading.lifecycle import last_moment_of, moment_of

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_duration(text: object) -> object:
    """`90s`, `15m`, `1h`, `7d` to a timedelta; anything else is left to pydantic, which names what is wrong."""
    if isinstance(text, str) and (match := re.fullmatch(r"(\d+)\s*([smhd])", text.strip())):
        return timedelta(**{_UNITS[match[2]]: int(match[1])})
    return text


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]


def begins(written: object) -> object:
    """A day is the moment at which it begins; anything else is left to pydantic."""
    return _moment(written, moment_of)


def ends(written: object) -> object:
    """What ends on a day lasts until that day is over everywhere, as in the register of identities."""
    return _moment(written, last_moment_of)


def _moment(written: object, read: Callable[[str], int | None]) -> object:
    text = written.isoformat() if isinstance(written, date) else written
    moment = read(text) if isinstance(text, str) else None
    return written if moment is None else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=moment)


Begin = Annotated[datetime, BeforeValidator(begins)]
End = Annotated[datetime, BeforeValidator(ends)]


def with_binary_unit(text: object) -> object:
    """`64KB` is 64 KiB, as is usual for memory; pydantic takes it for 64,000 bytes."""
    return re.sub(r"(?i)(?<=[kmg])b\s*$", "iB", text) if isinstance(text, str) else text


Size = Annotated[ByteSize, BeforeValidator(with_binary_unit)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Expectation(Strict):
    """How late a log may be, and how long it may say nothing, before its silence means something."""

    expected_delay: Duration = timedelta(hours=1)
    max_silence: Duration = timedelta(days=2)


class Alias(Strict):
    uid: str
    valid_from: datetime | None = None
    valid_until: datetime | None = None


class Identity(Strict):
    id: str
    kind: Literal["human", "agent", "role", "service", "workload"]
    name: str | None = None
    owner: str | None = None
    purpose: str | None = None
    reviewed_at: Begin | None = None
    expires_at: End | None = None
    risk_tier: str = "medium"
    aliases: tuple[str | Alias, ...] = ()

    def all_aliases(self) -> tuple[Alias, ...]:
        return tuple(a if isinstance(a, Alias) else Alias(uid=a) for a in self.aliases)


class RiskTier(Strict):
    """What a tier demands: an approval by a human, and time enough to have read the request."""

    human_approval: bool = False
    least_answer: Duration = timedelta(0)


class Suppression(Strict):
    """`subject` is a pattern of ids of declared identities; a star alone is everything that the detector finds."""

    detector: str
    subject: str = "*"
    owner: str
    reason: str
    expires: datetime


DEFAULT_TIERS = {
    "low": RiskTier(),
    "medium": RiskTier(),
    "high": RiskTier(human_approval=True, least_answer=timedelta(seconds=60)),
    "critical": RiskTier(human_approval=True, least_answer=timedelta(seconds=60)),
}
# Approvals are rare by nature: a quiet week of a log that holds nothing else is not an outage.
OF_APPROVALS_ALONE = Expectation(max_silence=timedelta(days=7))
# Snapshots are taken by hand or once a month, and nothing is proved by one that was not.
OF_SNAPSHOTS = Expectation(expected_delay=timedelta(days=35), max_silence=timedelta(days=35))
_EXPECTED_OF = {frozenset({"approval"}): OF_APPROVALS_ALONE, frozenset({"inventory"}): OF_SNAPSHOTS}
# PassRole hands a role's power to a service; the IAM reference lists it as a plain write.
DEFAULT_PRIVILEGED = ("iam:PassRole",)


def with_default_tiers(tiers: dict[str, RiskTier]) -> dict[str, RiskTier]:
    """Naming one tier changes that tier; it does not switch the demands of the others off."""
    return {**DEFAULT_TIERS, **tiers}


def with_default_privileged(actions: tuple[str, ...]) -> tuple[str, ...]:
    """What the configuration names comes on top of what is privileged anyway."""
    return tuple(dict.fromkeys((*DEFAULT_PRIVILEGED, *actions)))


def of_every_source(fields: object) -> object:
    """A plain list of fields is that of every source."""
    return {"*": fields} if isinstance(fields, list | tuple) else fields


class Scope(Strict):
    """What the words of an approval system mean in the words of the logs where the work is done."""

    actions: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()


class Task(Strict):
    """What a task of this kind needs, whoever it is approved for."""

    actions: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _needs_something(self) -> "Task":
        if not (self.actions or self.tools):
            raise ValueError("name the actions or tools that the task needs")
        return self


class Limits(Strict):
    """What one input file may make us do; sizes are of decompressed bytes and may have a unit (`128MB`).

    A file beyond max_file_bytes, or that expands more than max_ratio times (judged from 64 MB on), is read up to there
    and the rest is one row in quarantine. A record beyond max_record_bytes, or nested deeper than max_depth, is one row
    in quarantine and the file goes on. One record is held in memory several times over while it is read.
    """

    max_file_bytes: Annotated[Size, Field(ge=1 << 20, le=1 << 50)] = ByteSize(4 << 30)
    max_record_bytes: Annotated[Size, Field(ge=1 << 10, le=1 << 30)] = ByteSize(128 << 20)
    max_depth: Annotated[int, Field(ge=10, le=500)] = 200
    max_ratio: Annotated[int, Field(ge=10, le=1_000_000)] = 1000


Globs = tuple[Annotated[str, Field(min_length=1)], ...]


class SecretContent(Strict):
    """The credential that lies in a secret: no log tells what a secret holds. `id` is the secret's name in its log."""

    id: Annotated[str, Field(min_length=1)]
    credential: Annotated[str, Field(min_length=1)]


class Governs(Strict):
    """Whose acts a log could have approved or decided, as globs: of any account, project or subscription, of any
    identity (its id or a name that a log uses), or in any log that is named here.
    """

    accounts: Globs = ()
    projects: Globs = ()
    identities: Globs = ()
    logs: Globs = ()

    @model_validator(mode="after")
    def _governs_something(self) -> "Governs":
        if not (self.accounts or self.projects or self.identities or self.logs):
            raise ValueError("name accounts, projects, identities or logs; to govern everything say logs: ['*']")
        return self

    def scopes(self) -> Iterator[tuple[str, str]]:
        """(what it is that a glob is of, the glob). Accounts, projects and subscriptions are one column of the logs."""
        of_kinds = {"account": (*self.accounts, *self.projects), "identity": self.identities, "log": self.logs}
        return ((kind, glob) for kind, globs in of_kinds.items() for glob in dict.fromkeys(globs))


class OriginPlace(Strict):
    """A place that belongs to one source: everything that is named here has to fit.

    `path` is a glob below the input (`approvals/**`), or of a whole URL (`s3://bucket/trail/**`); an archive's member
    is behind a `!`. The others are globs of what a delivery states: CloudWatch's log group, Cloud Logging's log name,
    the category of a diagnostic setting of Azure.
    """

    path: str | None = None
    log_group: str | None = None
    google_log: str | None = None
    azure_category: str | None = None
    captured_at: datetime | None = None
    """When the snapshots at this path were taken, where neither their names nor files beside them say it."""

    @model_validator(mode="after")
    def _is_somewhere(self) -> "OriginPlace":
        inside = [name for name in (self.log_group, self.google_log, self.azure_category) if name is not None]
        given = [name for name in (self.path, *inside) if name is not None]
        if not given or not all(given):
            raise ValueError("name a path, log_group, google_log or azure_category, none of them empty")
        if len(inside) > 1:
            raise ValueError(
                "a record lies in one of log_group, google_log and azure_category; give each its own place"
            )
        if self.captured_at is not None and (self.path is None or inside):
            raise ValueError("captured_at is of the files at a path; name a path and nothing else beside it")
        if self.path is not None and (self.path.startswith("/") or ".." in self.path.split("/")):
            raise ValueError("a path is seen from the input; it begins without a slash and has no '..'")
        return self


def as_places(value: object) -> object:
    """One place is a list of one, and a text is a path."""
    values = value if isinstance(value, list | tuple) else [value]
    return [{"path": each} if isinstance(each, str) else each for each in values]


class Settings(Strict):
    sources: dict[str, Expectation] = Field(default_factory=dict)
    origins: dict[str, Annotated[tuple[OriginPlace, ...], BeforeValidator(as_places)]] = Field(default_factory=dict)
    governs: dict[str, Governs] = Field(default_factory=dict)
    identities: tuple[Identity, ...] = ()
    identity_register: IdentityRegister | None = None
    demand_short_lived: Globs = ()
    break_glass: Globs = ()
    secrets: tuple[SecretContent, ...] = ()
    risk_tiers: Annotated[dict[str, RiskTier], AfterValidator(with_default_tiers)] = Field(
        default_factory=lambda: dict(DEFAULT_TIERS)
    )
    networks: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    crown_jewels: tuple[str, ...] = ()
    privileged_actions: Annotated[tuple[str, ...], AfterValidator(with_default_privileged)] = DEFAULT_PRIVILEGED
    opa_inputs: dict[str, dict[str, str]] = Field(default_factory=dict)
    approval_scopes: dict[str, dict[str, Scope]] = Field(default_factory=dict)
    tasks: dict[str, Task] = Field(default_factory=dict)
    redact: Annotated[dict[str, tuple[str, ...]], BeforeValidator(of_every_source)] = Field(default_factory=dict)
    clock_tolerance: Duration = timedelta(minutes=2)
    limits: Limits = Limits()
    sinks: dict[str, dict[str, Any]] = Field(default_factory=dict)
    suppressions: tuple[Suppression, ...] = ()
    rules: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Packs of Sigma rules beside ours: folders or zips; a path begins where this file lies."""
    placeholders: dict[str, tuple[Annotated[str, Field(min_length=1)], ...]] = Field(default_factory=dict)
    """The values of each `%name%` that rules with the modifier `expand` mean."""

    def expectation(self, log: str, evidence_kinds: Collection[str] = ()) -> Expectation:
        """What is expected of a log with these kinds of evidence: as configured, else by what it holds."""
        usual = _EXPECTED_OF.get(frozenset(evidence_kinds), Expectation())
        return self.sources.get(log, usual)
