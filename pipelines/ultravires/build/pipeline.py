"""Everything that is built, by name: the SQL files, and one table of hits for each relation that rules read."""

import hashlib
from functools import cache
from typing import Any

from ultravires_models.rule import Rule, load_rules
from ultravires_models.sigma.runner import compile_rules

from ultravires import registry
from ultravires.build.reference import REFERENCE_NAMES
from ultravires.build.sql_tables import LAYERS, SqlTable, in_build_order, load_tables, parse_table

LOADED_NAMES = ("events", "files", "quarantine", "address_networks", "tombstones", "pruned_hours", "pruned_reach")
RUN_NAMES = ("run_context", "detectors", "findings", "alerts", "runs", "chain_aliases")
FINDING_INPUTS = "int_findings__grouped"
PUBLISHED_EXTRAS = (
    "findings",
    "alerts",
    "runs",
    "chain_aliases",
    "files",
    "quarantine",
    "tombstones",
    "detectors",
    "frameworks",
)
"""Published beside what SQL makes and the events."""


@cache
def rules() -> tuple[Rule, ...]:
    return tuple(load_rules(registry.rules_root()))


@cache
def sql_tables() -> dict[str, SqlTable]:
    """Every table that one SELECT makes, in build order."""
    tables = load_tables(registry.sql_root())
    tables |= rule_tables()
    tables["hits"] = _all_hits(tables)
    return {table.name: table for table in in_build_order(tables)}


@cache
def rule_tables() -> dict[str, SqlTable]:
    """One table of hits per relation: all of its rules in one pass."""
    by_relation: dict[str, list[Rule]] = {}
    for rule in rules():
        by_relation.setdefault(f"{rule.relation.product}_{rule.relation.service}", []).append(rule)
    tables = {}
    for relation_name, members in sorted(by_relation.items()):
        relation = members[0].relation
        header = (
            f"-- grain: one row per rule and matching row of {relation.table}\n"
            f"-- build: {'by_hour' if relation.is_by_hour else 'full'}\n"
            f"-- why: what the {len(members)} rules over {relation_name} say, in one pass\n"
        )
        name = f"hits_{relation_name}"
        tables[name] = parse_table(name, "rules", header + compile_rules(members, relation))
    return tables


def hourly_tables() -> dict[str, SqlTable]:
    return {name: table for name, table in sql_tables().items() if table.mode == "by_hour"}


def score_names() -> dict[str, Any]:
    """Table of hits -> detector, for every anomaly model."""
    return {f"hits_{name}": detector for name, detector in registry.detectors().items()}


def published_names() -> list[str]:
    """A table whose name has no prefix is published, in whichever layer it stands."""
    names = [name for name, table in sql_tables().items() if table.layer in LAYERS]
    return sorted({*PUBLISHED_EXTRAS, *(name for name in names if not name.startswith(("stg_", "int_")))})


def rules_hash() -> str:
    """Changes with any SQL file, rule or model: what a run's judgement depends on besides the logs."""
    parts = [table.code_hash for table in sql_tables().values()]
    parts += [f"{name} {detector.version}" for name, detector in sorted(registry.detectors().items())]
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()[:16]


def check_inputs() -> list[str]:
    """Names that some SQL reads and nothing makes; empty when the pipeline is whole."""
    made = {*sql_tables(), *REFERENCE_NAMES, *LOADED_NAMES, *RUN_NAMES, *score_names()}
    return sorted({name for table in sql_tables().values() for name in table.inputs} - made)


def _all_hits(tables: dict[str, SqlTable]) -> SqlTable:
    names = [*(name for name in tables if name.startswith("hits_")), *score_names()]
    header = (
        "-- grain: one row per rule or model and matching row\n"
        "-- build: full\n"
        "-- why: rules and models speak alike, so that findings need not know which spoke\n"
    )
    return parse_table(
        "hits", "rules", header + " union all by name ".join(f'select * from "{n}"' for n in sorted(names))
    )
