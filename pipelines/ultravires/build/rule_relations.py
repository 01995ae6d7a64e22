"""What a rule may name in `logsource`: every published table that is made before the rules, and the raw records of
every log, by the names that public repositories of rules use.
"""

import csv
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import msgspec
from ultravires_models.relation import Relation, table_relation
from ultravires_models.sigma.sqltext import json_path, literal

from ultravires import registry
from ultravires.build.reference import providers_own_names
from ultravires.build.table_schemas import RUNS, TableSchema, table_schemas

_LOG_SOURCES = Path(__file__).with_name("sigma_log_sources.csv")
"""By which product and service rules name a log; `only` says which of its records that is, `page` what they hold."""
_FIELD_NAMES = Path(__file__).with_name("sigma_field_names.csv")
"""Names that rules use of a field and of all within it, where these are those of a collector or of an export, with the
path at which the vendor's record has it."""
_READ_COLUMNS = (
    "actor_uid",
    "actor_name",
    "action",
    "account_uid",
    "credential_uid",
    "outcome",
    "src_ip",
    "user_agent",
)
"""What the reader made of a record, for rules over any log, as `ultravires.<column>`: no record has such a field."""


@cache
def rule_relations() -> tuple[Relation, ...]:
    """All of them; what a run writes of findings and of itself comes after the rules and is none."""
    tables = [table for table in table_schemas().values() if table.is_published and table.layer != RUNS]
    return (*map(_relation, tables), *_raw_records(table_schemas()["events"]))


def _relation(table: TableSchema) -> Relation:
    said = msgspec.structs.asdict(table.rules)
    return table_relation(table.name, table.types(), key=table.key, is_by_hour=table.is_by_hour, **said)


def _raw_records(events: TableSchema) -> Iterator[Relation]:
    """A log under each name that it is known by; others under theirs, `vault_audit` as `vault/audit`."""
    known = _rows(_LOG_SOURCES)
    logs = sorted({source.log for source in registry.sources().values()})
    named = {row["log"] for row in known}
    rest = [
        {"product": log.partition("_")[0], "service": _service(log), "log": log} for log in logs if log not in named
    ]
    for row in (*known, *rest):
        yield _raw_log(_relation(events), row["product"], row["service"], row["log"], only=row.get("only", ""))


def _service(log: str) -> str:
    return log.partition("_")[2] or log


def _raw_log(events: Relation, product: str, service: str, log: str, *, only: str) -> Relation:
    """Records by their own fields, as the rules of the Sigma community read them; without what a provider's own
    services did in their own name, for who asked them to is another record.
    """
    where = f"log = {literal(log)}"
    if providers := "|".join(providers_own_names(log)):
        is_providers = f"voice IS DISTINCT FROM 'reported' AND regexp_matches(actor_uid, {literal(providers)})"
        where += f" AND NOT coalesce({is_providers}, false)"
    if only:
        path, _, value = only.partition("=")
        where += f" AND json_extract_string(raw, {literal(json_path(tuple(path.split('.'))))}) = {literal(value)}"
    return replace(
        events,
        product=product,
        service=service,
        log=log,
        identity_sql="actor_uid",
        where_sql=where,
        raw_column="raw",
        read_fields={
            "ultravires.session_name": "json_extract_string(detail, '$.session_name')",
            **{f"ultravires.{column}": column for column in _READ_COLUMNS},
        },
        field_paths={row["name"]: row["path"] for row in _rows(_FIELD_NAMES) if row["log"] == log},
    )


@cache
def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
