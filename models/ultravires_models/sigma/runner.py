"""All rules of one relation as one SELECT that reads it once and gives HITS rows."""

from collections.abc import Callable, Sequence

from sigma.exceptions import SigmaError

from ultravires_models.errors import RuleError, one_line
from ultravires_models.hits import HITS
from ultravires_models.relation import NO_LIST, Relation
from ultravires_models.rule import PLACEHOLDER, Rule
from ultravires_models.sigma.backend import DuckDbBackend
from ultravires_models.sigma.dispatch import find_dispatch
from ultravires_models.sigma.fields import Field, FieldReader, field_projections, parse_projections
from ultravires_models.sigma.necessary import necessary_condition
from ultravires_models.sigma.sqltext import identifier, literal

# a log value in a message is bounded, and cannot break the line it is shown on
_SHOWN_CHARACTERS = 200
_IN_ONE_STEP = 24
_LONGEST_STATEMENT = 2_000_000
_STANDING_SUBJECTS = ("credential", "approval")
"""Subjects that have to be looked at themselves, whatever the act is that shows what is wrong with them."""
_LONGEST_CONDITION = 4_000
_DEEPEST_CONDITION = 8


def compile_rules(rules: Sequence[Rule], relation: Relation) -> str:
    """One SELECT with the columns of HITS, one row per rule and matching row of the relation.

    The statement reads `relation.table` once, and where the relation is built by hour only the hours in the
    relation `touched_hours(event_hour)`. It is a pure function of its arguments: the caller runs it, in a
    session whose time zone is UTC. RuleError, naming the rule, for what cannot be expressed, for no rules,
    and for rules of another relation.
    """
    if not rules:
        raise RuleError(f"no rules for {relation.name}")
    reader = FieldReader(relation)
    conditions = [compile_condition(rule, reader) for rule in rules]
    columns = _hit_columns(rules, reader)
    ctes = [*row_ctes(relation), *_judging_ctes(rules, reader, conditions)]
    with_clause = ",\n".join(f"{name} AS ({body})" for name, body in ctes)
    select = ",\n  ".join(f"{columns[name]} AS {identifier(name)}" for name in HITS.names)
    # By its own name, so that the relation's SQL can tell its columns from those of a table that it looks up.
    return f"WITH {with_clause}\nSELECT\n  {select}\nFROM fired AS {identifier(relation.table)}"


def compile_probe(rules: Sequence[Rule], relation: Relation) -> str:
    """A SELECT that gives one row where any rule may match any row of the relation, else none.

    It reads what `compile_rules` reads, with a condition that is true of every row that a rule matches, and is a small
    part of it: over few rows the long statement costs its planning, which this one says whether to do.
    """
    reader = FieldReader(relation)
    conditions = [necessary_condition(rule, reader) for rule in rules]
    known = [condition for condition in conditions if condition is not None]
    where = " OR ".join(known) if len(known) == len(conditions) else "true"
    return f"{_of_fields(reader, '1')} WHERE {where} LIMIT 1"


def compile_candidates(rules: Sequence[Rule], relation: Relation) -> str:
    """A SELECT of the detector ids of the rules that may match any row of the relation, and of nulls: only with these
    need the statement over few rows be planned. It asks of every row what `compile_probe` asks.
    """
    reader = FieldReader(relation)
    asked = [(rule.detector_id, necessary_condition(rule, reader)) for rule in rules]
    names = ", ".join(f"CASE WHEN {condition or 'true'} THEN {literal(name)} END" for name, condition in asked)
    return _of_fields(reader, f"DISTINCT unnest([{names}]) AS detector_id")


def _of_fields(reader: FieldReader, chosen: str) -> str:
    """A SELECT over the rows with the fields that `reader` was asked for."""
    ctes = [*row_ctes(reader.relation), *field_ctes(reader)]
    with_clause = ",\n".join(f"{name} AS ({body})" for name, body in ctes)
    return f"WITH {with_clause}\nSELECT {chosen} FROM fields AS {identifier(reader.relation.table)}"


def compile_condition(rule: Rule, reader: FieldReader) -> str:
    """The rule's detection as one boolean SQL expression. RuleError, naming the rule, where it has none."""
    if rule.relation is not reader.relation:
        raise RuleError(f"{rule.detector_id}: is not a rule of {reader.relation.name}")
    try:
        queries = DuckDbBackend(reader).convert_rule(rule.sigma)
    except (RuleError, SigmaError, NotImplementedError, TypeError, ValueError) as error:
        raise RuleError(f"{rule.detector_id}: {one_line(error)}") from error
    if not queries:
        raise RuleError(f"{rule.detector_id}: the detection is empty")
    return " OR ".join(f"({query})" for query in queries)


def check_rule(rule: Rule) -> None:
    """RuleError, one line, where the rule cannot be part of a statement; else it breaks none that it is a part of."""
    _refuse_long_conditions(rule)
    statement = compile_rules([rule], rule.relation)
    if len(statement) > _LONGEST_STATEMENT:
        raise RuleError(f"{rule.detector_id}: asks for too much at once; split it into several rules")


def _refuse_long_conditions(rule: Rule) -> None:
    """Nested parentheses cost their reader time that grows with a power of their depth."""
    for condition in map(str, rule.sigma.detection.condition):
        depth = deepest = 0
        for character in condition:
            depth += (character == "(") - (character == ")")
            deepest = max(deepest, depth)
        if deepest > _DEEPEST_CONDITION or len(condition) > _LONGEST_CONDITION:
            raise RuleError(
                f"{rule.detector_id}: a condition has at most {_LONGEST_CONDITION:,} characters and "
                f"{_DEEPEST_CONDITION} parentheses in each other; name selections so that '1 of' covers them"
            )


def row_ctes(relation: Relation) -> list[tuple[str, str]]:
    table = identifier(relation.table)
    if not relation.is_by_hour:
        return [("picked", f"SELECT * FROM {table} WHERE {relation.where_sql}")]
    return [
        ("hours", "SELECT event_hour FROM touched_hours"),
        ("picked", f"SELECT * FROM {table} JOIN hours USING (event_hour) WHERE {relation.where_sql}"),
    ]


def _judging_ctes(rules: Sequence[Rule], reader: FieldReader, conditions: Sequence[str]) -> list[tuple[str, str]]:
    """From `picked` to `fired`: each rule asked of each row, or of those that one field leaves to it."""
    dispatch = find_dispatch(rules, reader)
    raw = reader.relation.raw_column
    if dispatch is None or raw is None:
        return [*field_ctes(reader), *rule_ctes(conditions)]
    numbered = list(enumerate(zip(conditions, dispatch.conditions, strict=True)))
    of_any = ", ".join(f"CASE WHEN {asked} THEN {number} END" for number, (asked, told) in numbered if told is None)
    of_some = _by_number([asked if told is not None else "true" for _, (asked, told) in numbered])
    judged = f"list_concat(list_filter([{of_any}]::INTEGER[], lambda n: n IS NOT NULL), candidates)"
    return [
        *dispatch.ctes(raw),
        *field_ctes(reader, "left_over"),
        ("judged", f"SELECT *, unnest({judged}) AS rule_no FROM fields"),
        ("fired", f"SELECT * FROM judged WHERE {of_some}"),
    ]


def field_ctes(reader: FieldReader, rows: str = "picked") -> list[tuple[str, str]]:
    """Each field that the rules name as a column `field_<n>` beside the rows."""
    raw = reader.relation.raw_column
    if raw is None or not reader.paths:
        return [("fields", f"SELECT * FROM {rows}")]
    parse, fields = parse_projections(reader.paths, raw), field_projections(reader.paths, raw)
    return [
        ("parsed", f"SELECT *, {', '.join(parse)} FROM {rows}"),
        ("fields", f"SELECT *, {', '.join(fields)} FROM parsed"),
    ]


def rule_ctes(conditions: Sequence[str]) -> list[tuple[str, str]]:
    cases = ",\n    ".join(f"CASE WHEN {condition} THEN {number} END" for number, condition in enumerate(conditions))
    return [
        (
            "judged",
            f"SELECT *, list_filter([\n    {cases}], lambda n: n IS NOT NULL) AS rule_nos FROM fields",
        ),
        ("fired", "SELECT *, unnest(rule_nos) AS rule_no FROM judged"),
    ]


def _hit_columns(rules: Sequence[Rule], reader: FieldReader) -> dict[str, str]:
    relation = reader.relation

    def per_rule(expression: Callable[[Rule], str]) -> str:
        return _by_number([of_rule(rule, expression) for rule in rules])

    return {
        "detector_id": f"[{', '.join(literal(rule.detector_id) for rule in rules)}][rule_no + 1]",
        "subject_kind": per_rule(lambda rule: _subject_kind(rule, reader)),
        "subject_uid": per_rule(lambda rule: _subject_uid(rule, reader)),
        "slot": per_rule(lambda rule: f"strftime({relation.hit_at_sql}, '%Y-%m-%d')" if rule.slot else "''"),
        "identity_id": relation.identity_sql,
        "actor_uid": relation.actor_sql,
        "chain_id": relation.chain_sql,
        "hit_at": relation.hit_at_sql,
        "event_hour": relation.event_hour_sql,
        "evidence_event_ids": per_rule(lambda rule: _evidence(rule, reader)),
        "message": per_rule(lambda rule: _message(rule, reader)),
        "gaps": relation.gaps_sql,
        "score": "1.0::DOUBLE",
        "severity": per_rule(lambda rule: _severity(rule, reader)),
        "outcome": relation.outcome_sql,
        "act_event_ids": per_rule(lambda rule: _acts(rule, reader)),
    }


def _by_number(expressions: Sequence[str]) -> str:
    """The expression of the rule `rule_no`: one for all where they agree, and found in two steps among many others."""
    if len(set(expressions)) == 1:
        return expressions[0]
    steps = []
    for first in range(0, len(expressions), _IN_ONE_STEP):
        numbered = enumerate(expressions[first : first + _IN_ONE_STEP], start=first)
        cases = " ".join(f"WHEN {number} THEN {expression}" for number, expression in numbered)
        steps.append((first + _IN_ONE_STEP, f"CASE rule_no {cases} END"))
    if len(steps) == 1:
        return steps[0][1]
    return f"CASE {' '.join(f'WHEN rule_no < {end} THEN {step}' for end, step in steps)} END"


def _subject(rule: Rule, reader: FieldReader) -> str:
    """The subject's columns joined by a space; null where one of them is, as || has it."""
    return " || ' ' || ".join(text_of(reader.resolve_column(column)) for column in rule.subject_columns)


def _subject_kind(rule: Rule, reader: FieldReader) -> str:
    if not rule.subject_columns:
        return literal(reader.relation.row_kind)
    row_kind = literal(reader.relation.row_kind)
    return f"CASE WHEN {_subject(rule, reader)} IS NULL THEN {row_kind} ELSE {literal(rule.subject_kind)} END"


def _subject_uid(rule: Rule, reader: FieldReader) -> str:
    row_uid = reader.relation.row_uid_sql
    return f"coalesce({_subject(rule, reader)}, {row_uid})" if rule.subject_columns else row_uid


def _severity(rule: Rule, reader: FieldReader) -> str:
    return "NULL::VARCHAR" if rule.severity_column is None else text_of(reader.resolve_column(rule.severity_column))


def of_rule(rule: Rule, expression: Callable[[Rule], str]) -> str:
    try:
        return expression(rule)
    except RuleError as error:
        raise RuleError(f"{rule.detector_id}: {error}") from error


def _evidence(rule: Rule, reader: FieldReader) -> str:
    values = reader.relation.evidence_sql
    if rule.evidence is not None:
        field = reader.resolve_column(rule.evidence)
        values = field.sql if field.kind == "list" else f"[{field.sql}]"
    return f"coalesce(list_filter({values}, lambda e: e IS NOT NULL), []::VARCHAR[])"


def _acts(rule: Rule, reader: FieldReader) -> str:
    """The acts that a matching row tells of; none where the rule speaks of a thing that one of them only shows."""
    if rule.subject_kind in _STANDING_SUBJECTS:
        return NO_LIST
    return f"coalesce(list_filter({reader.relation.acts_sql}, lambda e: e IS NOT NULL), {NO_LIST})"


def _message(rule: Rule, reader: FieldReader) -> str:
    """The template as a concatenation: placeholders become bounded, printable text."""
    parts = PLACEHOLDER.split(rule.message)
    pieces = [
        shown(reader.resolve_any(part)) if number % 2 else literal(part) for number, part in enumerate(parts) if part
    ]
    return " || ".join(pieces) or "''"


def shown(field: Field) -> str:
    """SQL of a field's value as a message shows it."""
    return shown_text(text_of(field))


def shown_text(sql: str) -> str:
    """SQL of a text as a message shows it: bounded, on one line."""
    bounded = f"left(regexp_replace({sql}, '[[:cntrl:]]+', ' ', 'g'), {_SHOWN_CHARACTERS})"
    return f"coalesce(nullif({bounded}, ''), 'unknown')"


def text_of(field: Field) -> str:
    """SQL of a field's value as one text."""
    if field.kind == "list":
        return f"array_to_string({field.sql}, ', ')"
    if field.kind == "time":
        return f"strftime({field.sql}, '%Y-%m-%dT%H:%M:%SZ')"
    return field.sql if field.kind == "text" else f"CAST({field.sql} AS VARCHAR)"
