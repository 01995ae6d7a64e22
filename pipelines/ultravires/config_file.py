"""`ultravires.yaml`: where it may lie, and what is wrong with it, in one line. This is the only file that reads it."""

import ipaddress
import os
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from ultravires.errors import ConfigError, UsageError
from ultravires.identity_register import read_register
from ultravires.settings import (
    Alias,
    Expectation,
    Governs,
    Identity,
    Limits,
    OriginPlace,
    RiskTier,
    Scope,
    SecretContent,
    Settings,
    Strict,
    Suppression,
    Task,
)

CONFIG_NAME = "ultravires.yaml"
_MAIL_ADDRESS = re.compile(r"[^@/:\s]+@[^@/:\s]+")


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
