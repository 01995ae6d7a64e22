"""What a rule may name in `logsource`: every published table that is made before the rules, and raw CloudTrail."""

from dataclasses import replace
from functools import cache

import msgspec
from ultravires_models.relation import Relation, table_relation
from ultravires_models.sigma.sqltext import literal

from ultravires.build.reference import providers_own_names
from ultravires.build.table_schemas import RUNS, TableSchema, table_schemas


@cache
def rule_relations() -> tuple[Relation, ...]:
    """All of them; what a run writes of findings and of itself comes after the rules and is none."""
    tables = [table for table in table_schemas().values() if table.is_published and table.layer != RUNS]
    return (*map(_relation, tables), _raw_cloudtrail(table_schemas()["events"]))


def _relation(table: TableSchema) -> Relation:
    said = msgspec.structs.asdict(table.rules)
    return table_relation(table.name, table.types(), key=table.key, is_by_hour=table.is_by_hour, **said)


def _raw_cloudtrail(events: TableSchema) -> Relation:
    """CloudTrail's records by their own fields, as the rules of the Sigma community read them; without what AWS's own
    services did in their own name, for who asked them to is another record.
    """
    providers = "|".join(providers_own_names("aws_cloudtrail"))
    is_providers = f"voice IS DISTINCT FROM 'reported' AND regexp_matches(actor_uid, {literal(providers)})"
    return replace(
        _relation(events),
        product="aws",
        service="cloudtrail",
        identity_sql="actor_uid",
        where_sql=f"log = 'aws_cloudtrail' AND NOT coalesce({is_providers}, false)",
        raw_column="raw",
        read_fields={"ultravires.session_name": "json_extract_string(detail, '$.session_name')"},
    )
