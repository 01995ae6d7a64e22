"""Everything that is built, by name: the SQL files, and one table of hits for each relation that rules read."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache, lru_cache, partial
from typing import Any

from ultravires_models.correlation import Correlation
from ultravires_models.packs import Pack, read_pack
from ultravires_models.rule import Rule
from ultravires_models.rulebook import OURS, RuleBook, read_book
from ultravires_models.sigma.matches import compile_matches
from ultravires_models.sigma.runner import compile_candidates, compile_probe, compile_rules
from ultravires_models.sigma.windows import compile_correlations

from ultravires import registry
from ultravires.build.duckdb_engine import MATCHES_OF
from ultravires.build.rule_relations import rule_relations
from ultravires.build.sql_tables import OfRules, SqlTable, in_build_order, load_tables, parse_table
from ultravires.build.table_schemas import table_schemas
from ultravires.errors import ConfigError
from ultravires.store.publish import EVENT_COLUMNS_APART

Placeholders = tuple[tuple[str, tuple[str, ...]], ...]
FINDING_INPUTS = "int_findings__grouped"


_MOST_SELECTS = 64
"""How many choices of rules are kept that a process has made of one table."""
_chosen: list[tuple[tuple[Pack, ...], Placeholders]] = [((), ())]
"""The user's packs and the values of placeholders that this process builds with."""


def choose_rules(packs: Iterable[Pack], placeholders: Mapping[str, Iterable[str]]) -> None:
    """From now on the rules are ours and those of `packs`; what was made of other rules is forgotten."""
    chosen = tuple(packs), tuple(sorted((name, tuple(values)) for name, values in placeholders.items()))
    if chosen != _chosen[0]:
        _chosen[0] = chosen
        for made in (rule_book, sql_tables, rule_tables, rules_hash):
            made.cache_clear()


@cache
def rule_book() -> RuleBook:
    """Our pack and the user's, with what was refused of them."""
    packs, placeholders = _chosen[0]
    ours = read_pack(registry.rules_root(), OURS)
    return read_book([ours, *packs], rule_relations(), dict(placeholders))


@cache
def sql_tables() -> dict[str, SqlTable]:
    """Every table that one SELECT makes, in build order as far as they read each other."""
    tables = load_tables(registry.sql_root())
    for table in tables.values():
        if table.name not in table_schemas():
            raise ConfigError(f"sql/{table.layer}/{table.name}.yml is missing; say key and columns of the table there")
    tables |= rule_tables()
    tables["hits"] = _all_hits(tables)
    return {name: tables[name] for name in in_build_order({name: table.inputs for name, table in tables.items()})}


@cache
def rule_tables() -> dict[str, SqlTable]:
    """One table of hits per relation, all of its rules in one pass; and what correlations find in matches of theirs."""
    book = rule_book()
    tables = {}
    for relation_name, members in _by_relation(book.speaking()).items():
        relation = members[0].relation
        why = f"what the {len(members)} rules over {relation_name} say, in one pass"
        name = f"hits_{relation_name}"
        tables[name] = _over_relation(name, why, members, partial(compile_rules, relation=relation))
    return tables | _correlation_tables(book)


def _correlation_tables(book: RuleBook) -> dict[str, SqlTable]:
    fields = book.wanted_fields()
    named = [rule for rule in book.rules if rule.detector_id in fields]
    tables = {}
    for relation_name, members in _by_relation(named).items():
        relation = members[0].relation
        why = f"what correlations are made of: matches of {len(members)} rules over {relation_name}"
        name = f"{MATCHES_OF}{relation_name}"
        compiled = partial(compile_matches, relation=relation, fields=fields)
        tables[name] = _over_relation(name, why, members, compiled)
    if tables:
        header = (
            "-- grain: one row per correlation, group and UTC day\n"
            "-- build: full\n"
            "-- why: what is found only in several events together\n"
        )
        compiled = partial(compile_correlations, silent=book.silent, matches=sorted(tables), known=fields)
        table = parse_table("hits_correlations", "rules", header + compiled(book.correlations))
        tables[table.name] = replace(table, of_rules=_of_correlations(book, tables, compiled))
    return tables


def _by_relation(rules: Iterable[Rule]) -> dict[str, list[Rule]]:
    """The rules of each relation, by the names that tables have."""
    members: dict[str, list[Rule]] = {}
    for rule in rules:
        members.setdefault(rule.relation.table_name, []).append(rule)
    return dict(sorted(members.items()))


def _over_relation(name: str, why: str, rules: Sequence[Rule], compiled: Callable[[Sequence[Rule]], str]) -> SqlTable:
    """The table that `compiled` makes of the rules, which are of one relation."""
    relation = rules[0].relation
    header = (
        f"-- grain: one row per rule and matching row of {relation.table}\n"
        f"-- build: {'by_hour' if relation.is_by_hour else 'full'}\n"
        f"-- why: {why}\n"
    )

    @lru_cache(_MOST_SELECTS)
    def select(names: frozenset[str]) -> str:
        return compiled([rule for rule in rules if rule.detector_id in names])

    return replace(
        parse_table(name, "rules", header + compiled(rules)),
        probe=compile_probe(rules, relation),
        of_rules=OfRules(compile_candidates(rules, relation), select),
    )


def _of_correlations(
    book: RuleBook, matches: Iterable[str], compiled: Callable[[Sequence[Correlation]], str]
) -> OfRules:
    @lru_cache(_MOST_SELECTS)
    def select(names: frozenset[str]) -> str:
        chosen = book.correlations_over(names)
        return compiled(chosen) if chosen else ""

    return OfRules(" UNION ".join(f'SELECT detector_id FROM "{name}"' for name in sorted(matches)), select)


def hourly_tables() -> dict[str, SqlTable]:
    return {name: table for name, table in sql_tables().items() if table.mode == "by_hour"}


def score_names() -> dict[str, Any]:
    """Table of hits -> detector, for every anomaly model."""
    return {f"hits_{name}": detector for name, detector in registry.detectors().items()}


def build_order() -> list[str]:
    """The names of all tables that SQL or a model makes, each after those that it reads."""
    by_sql = {name: table.inputs for name, table in sql_tables().items()}
    return in_build_order({**by_sql, **{name: detector.inputs for name, detector in score_names().items()}})


def published_names() -> list[str]:
    """The tables that readers get as they stand; the events are published in two parts beside them."""
    published = {name for name, table in table_schemas().items() if table.is_published}
    return sorted(published - EVENT_COLUMNS_APART.keys())


@cache
def rules_hash() -> str:
    """Changes with any SQL file, rule or model: what a run's judgement depends on besides the logs."""
    parts = [table.code_hash for table in sql_tables().values()]
    parts += [f"{name} {detector.version}" for name, detector in sorted(registry.detectors().items())]
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()[:16]


def check_inputs() -> list[str]:
    """Names that some SQL reads and nothing makes; empty when the pipeline is whole."""
    made = {*sql_tables(), *table_schemas(), *score_names()}
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
