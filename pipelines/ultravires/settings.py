"""Configuration: `ultravires.yaml` and the environment. This is the only file that reads either.

Unknown keys are refused with the list of the known ones, so that a typing error cannot switch a control off.
"""

import ipaddress
import os
import re
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from ultravires.errors import ConfigError, UsageError
from ultravires.identity_register import IdentityRegister, read_register
from ultravires.reading.lifecycle import last_moment_of, moment_of

DEFAULT_HOME = Path(".ultravires")
CONFIG_NAME = "ultravires.yaml"
STARTED_IN = "ULTRAVIRES_STARTED_IN"
"""The variable that tells Dagster's processes, which stand in the home, where `ultravires dev` was started."""
_MAIL_ADDRESS = re.compile(r"[^@/:\s]+@[^@/:\s]+")
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


def load_settings(path: Path | None) -> Settings:
    """Settings of `path`, or the defaults where it is None; ConfigError with one line otherwise."""
    if path is None:
        return Settings()
    try:
        # The same as safe_load, by the C library: a run reads the configuration several times.
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader) or {}
    except OSError as error:
        raise UsageError(f"{path}: cannot read the configuration ({error.strerror}); check --config") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where = " ".join(str(error).split())
        raise ConfigError(f"{path}: not valid YAML: {where}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: expected a mapping of settings, found {type(data).__name__}")
    data = _with_register(data, path)
    try:
        settings = Settings.model_validate(data)
    except ValidationError as error:
        raise ConfigError(f"{path}: {_first_problem(error)}") from error
    _refuse_double_aliases(settings, path)
    _refuse_bad_networks(settings, path)
    _refuse_suppressions_of_nobody(settings, path)
    return settings


def _with_register(data: dict[str, Any], path: Path) -> dict[str, Any]:
    """The settings with what stands in the register in place of its name, which is seen from the configuration."""
    named = data.get("identity_register")
    if named is None:
        return {name: value for name, value in data.items() if name != "identity_register"}
    if not isinstance(named, str) or not named:
        raise ConfigError(f"{path}: identity_register: expected the name of a CSV file")
    return {**data, "identity_register": read_register(path.parent / named)}


def refuse_register_in_logs(settings: Settings, logs: Path) -> None:
    """Who can write a log must not be able to write who answers for whom."""
    register = settings.identity_register
    if register is not None and lies_in(register.path, logs.resolve()):
        raise ConfigError(f"{register.path}: the register of identities lies in the logs at {logs}; keep it elsewhere")


def find_config(explicit: Path | None, home: Path, inputs: Iterable[Path] = ()) -> Path | None:
    """The configuration to use: --config, else ./ultravires.yaml, else the home's own.

    Never one that lies in the logs at `inputs`, wherever one stands: who can write a log must not be able to write a
    suppression.
    """
    if explicit is not None:
        return explicit
    roots = [root.resolve() for root in inputs]
    for path in (Path(CONFIG_NAME), home / CONFIG_NAME):
        # Path.is_file raises in a folder that is closed to us; whether a home may be there is not asked here.
        if os.path.isfile(path) and not any(lies_in(path, root) for root in roots):  # noqa: PTH113
            return path
    return None


def lies_in(path: Path, root: Path) -> bool:
    """By its name or by where a link leads."""
    found = path.parent.resolve() / path.name
    return found.is_relative_to(root) or found.resolve().is_relative_to(root)


def hash_key(home: Path) -> bytes:
    """Key of the hashes that replace arguments and secrets: ULTRAVIRES_HASH_KEY, else one made for this home."""
    if from_environment := os.environ.get("ULTRAVIRES_HASH_KEY"):
        return from_environment.encode()[:64]
    path = home / "hash.key"
    if not path.exists():
        fresh = path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        fresh.touch(mode=0o600)
        fresh.write_bytes(secrets.token_bytes(32))
        fresh.replace(path)
    return path.read_bytes()


def environment() -> Mapping[str, str]:
    """The environment, for sinks that take a secret from the variable that their settings name."""
    return os.environ


def s3_endpoint() -> str | None:
    """A server of S3's protocol other than Amazon's, as AWS's own tools take it from the environment."""
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None


def has_s3_region() -> bool:
    """Whether the environment names a region for S3, so that none has to be looked up."""
    return any(os.environ.get(name) for name in ("AWS_REGION", "AWS_DEFAULT_REGION"))


def azure_storage() -> dict[str, str] | None:
    """The storage account that the environment names, as Azure's own tools have it; None where it names none.

    Without a key or a signature of its own the SDK looks for an identity.
    """
    account = os.environ.get("AZURE_STORAGE_ACCOUNT")
    if not account:
        return None
    given = {
        "account_name": account,
        "account_key": os.environ.get("AZURE_STORAGE_KEY"),
        "sas_token": os.environ.get("AZURE_STORAGE_SAS_TOKEN"),
    }
    return {name: value for name, value in given.items() if value}


def configured_run() -> tuple[str, Path, Path | None]:
    """(input, home, config) for Dagster's own processes, as `ultravires dev` leaves them in the environment."""
    config = os.environ.get("ULTRAVIRES_CONFIG")
    return (
        os.environ.get("ULTRAVIRES_INPUT", "data/samples"),
        Path(os.environ.get("ULTRAVIRES_HOME", str(DEFAULT_HOME))),
        Path(config) if config else None,
    )


def _first_problem(error: ValidationError) -> str:
    problem = error.errors()[0]
    where = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"unknown key '{where}'; known keys there: {', '.join(_known_keys(problem['loc']))}"
    return f"{where}: {problem['msg']}"


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    model: type[Strict] = Settings
    inner: dict[str, type[Strict]] = {
        "sources": Expectation,
        "origins": OriginPlace,
        "governs": Governs,
        "identities": Identity,
        "secrets": SecretContent,
        "risk_tiers": RiskTier,
        "suppressions": Suppression,
        "approval_scopes": Scope,
        "tasks": Task,
        "limits": Limits,
    }
    if len(location) > 1:
        model = Alias if "aliases" in location else inner.get(str(location[0]), Settings)
    return sorted(model.model_fields)


def _refuse_double_aliases(settings: Settings, path: Path) -> None:
    claims: dict[str, list[tuple[str, Alias]]] = {}
    for identity in settings.identities:
        for alias in (Alias(uid=identity.id), *identity.all_aliases()):
            claims.setdefault(_compared(alias.uid), []).append((identity.id, alias))
    for uid, owners in claims.items():
        for i, (first, a) in enumerate(owners):
            for second, b in owners[i + 1 :]:
                if first != second and _overlap(a, b):
                    raise ConfigError(
                        f"{path}: alias '{uid}' is claimed by identities '{first}' and '{second}' at one time; "
                        "give it to one, or set valid_from and valid_until"
                    )


def _compared(uid: str) -> str:
    """An alias as its system compares it, as far as its form tells: mail addresses in any case are one."""
    return uid.lower() if _MAIL_ADDRESS.fullmatch(uid) else uid


def _overlap(a: Alias, b: Alias) -> bool:
    a_ends_first = a.valid_until is not None and b.valid_from is not None and a.valid_until <= b.valid_from
    b_ends_first = b.valid_until is not None and a.valid_from is not None and b.valid_until <= a.valid_from
    return not (a_ends_first or b_ends_first)


def _refuse_suppressions_of_nobody(settings: Settings, path: Path) -> None:
    """Its subject is a declared identity, or everybody: names in a log are chosen by whoever writes it."""
    declared = [identity.id.lower() for identity in settings.identities]
    for suppression in settings.suppressions:
        pattern = suppression.subject.lower().replace("[", "[[]")
        if suppression.subject != "*" and not any(fnmatchcase(name, pattern) for name in declared):
            raise ConfigError(
                f"{path}: suppressions: '{suppression.subject}' fits the id of no identity that is declared here; "
                "declare it under identities, with the names of the logs as its aliases"
            )


def _refuse_bad_networks(settings: Settings, path: Path) -> None:
    for zone, cidrs in settings.networks.items():
        for cidr in cidrs:
            try:
                ipaddress.ip_network(cidr)
            except ValueError as error:
                raise ConfigError(f"{path}: networks.{zone}: {error}") from error
