"""What the schema of a table gives its asset: a description, the columns for Dagster's page, the unique-key check."""

from typing import TYPE_CHECKING, Any

import dagster as dg

from ultravires.build.table_keys import checked_key, repeated_keys
from ultravires.build.table_schemas import table_schemas
from ultravires.runs.home import OpenHome
from ultravires.runs.steps import Made

if TYPE_CHECKING:
    Materialized = dg.MaterializeResult[None]
else:
    Materialized = dg.MaterializeResult  # Dagster knows an asset with checks by the bare class


def description(table: str) -> str:
    """The reason and the grain of a table."""
    schema = table_schemas()[table]
    return f"{schema.why[0].upper()}{schema.why[1:]}.\n\nGrain: {schema.grain}."


def column_schema(table: str) -> dict[str, Any]:
    """The metadata by which Dagster shows names, types and meanings of the columns."""
    columns = [dg.TableColumn(c.name, c.type, c.meaning) for c in table_schemas()[table].columns]
    return {"dagster/column_schema": dg.TableSchema(columns=columns)}


def table_spec(table: str, group: str, deps: list[str] | None = None) -> dg.AssetSpec:
    """The asset of a table that no SQL makes."""
    return dg.AssetSpec(
        table, group_name=group, description=description(table), metadata=column_schema(table), deps=deps or []
    )


def key_checks(*tables: str) -> list[dg.AssetCheckSpec]:
    """One check for every table that has a key."""
    return [
        dg.AssetCheckSpec(f"{table}_unique_key", asset=table, description=f"Each {', '.join(key)} stands once.")
        for table in tables
        if (key := checked_key(table))
    ]


def materialized(home: OpenHome, made: Made) -> Materialized:
    """What a step made as it stands now, with the answers of its `key_checks`."""
    results = [_check(home, made.name, spec.name) for spec in key_checks(made.name)]
    return dg.MaterializeResult(asset_key=made.name, metadata=made.metadata, check_results=results)


def _check(home: OpenHome, table: str, name: str) -> dg.AssetCheckResult:
    repeated = repeated_keys(home.warehouse.con, table)
    return dg.AssetCheckResult(
        passed=repeated == 0, asset_key=table, check_name=name, metadata={"repeated keys": repeated}
    )
