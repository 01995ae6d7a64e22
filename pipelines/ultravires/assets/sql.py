"""Groups staging to marts, rules and findings: one asset for every table that one SELECT makes."""

import dagster as dg

from ultravires.assets.schemas import Materialized, column_schema, key_checks, materialized
from ultravires.build.pipeline import sql_tables
from ultravires.build.sql_tables import SqlTable
from ultravires.build.table_schemas import table_schemas
from ultravires.runs import steps
from ultravires.runs.home import OpenHome


def sql_assets() -> list[dg.AssetsDefinition]:
    return [_asset(table) for table in sql_tables().values()]


def _asset(table: SqlTable) -> dg.AssetsDefinition:
    deps = sorted(table.inputs)
    is_described = table.name in table_schemas()  # hits have the columns that all rules and models share
    if table.mode == "by_hour":
        deps.append("requeued_days")

    @dg.asset(
        name=table.name,
        group_name=table.layer,
        deps=[_dependency(name) for name in deps],
        description=f"{table.why[0].upper()}{table.why[1:]}.\n\nGrain: {table.grain}. Built {table.mode}.",
        metadata=column_schema(table.name) if is_described else {},
        check_specs=key_checks(table.name) if is_described else [],
        code_version=table.code_hash[:16],
        kinds={"duckdb", "sql"},
    )
    def build(home: dg.ResourceParam[OpenHome]) -> Materialized:
        (made,) = steps.build_table(table, home)
        return materialized(home, made)

    return build


def _dependency(name: str) -> dg.AssetDep:
    if name != "requeued_days":
        return dg.AssetDep(name)
    return dg.AssetDep(name, partition_mapping=dg.AllPartitionMapping())
