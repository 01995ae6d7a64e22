"""SQL tables on Spark: a file's SELECT translated by sqlglot, and the rows it makes of a case's given rows there."""

import re
from functools import cache
from typing import Any

import duckdb
import pyarrow as pa
import sqlglot
from spark_session import session, show
from sql_cases import Case, compare, empty_columns, give, tables
from sqlglot import exp
from ultravires.build.by_key import TOUCHED_IDS
from ultravires.build.sql_tables import TOUCHED_HOURS, SqlTable

SPARK: dict[str, Any] = {"dialect": "spark", "unsupported_level": sqlglot.ErrorLevel.RAISE}

SPARK_NAMES = {"EPOCH_US": "UNIX_MICROS"}
"""Functions that sqlglot leaves as they are, and what Spark calls them."""

MOST_ROWS = 1_000_000
"""More than a case has. Spark guesses how large a join is by multiplying, and without a bound such numbers grow to
a million digits where tables are made of tables.
"""

SPARK_MACROS = """
create macro list_has_all(whole, part) as array_size(array_except(part, whole)) = 0;
create macro moment_text(moment) as moment::varchar || '+00';
"""
"""What Spark has not, or says otherwise, in functions that it has."""


def unequal_on_spark(case: Case) -> list[str]:
    """What the case expects and Spark does not give (-), and the other way round (+); empty when they agree."""
    table = tables()[case.table]
    with duckdb.connect(config={"threads": 1}) as con:
        con.execute("set timezone = 'UTC'")
        con.execute(table.macros)
        give(con, table, case.given)
        touched = {"by_hour": {TOUCHED_HOURS}, "by_key": {TOUCHED_IDS}}.get(table.mode, set())
        for name in sorted(table.inputs | touched):
            show(name, for_spark(con.table(name).to_arrow_table()))
        con.register("from_spark", made_on_spark(table.name))
        columns = empty_columns()[table.name]
        selected = ", ".join(f'cast("{column}" as {kind}) as "{column}"' for column, kind in columns.items())
        con.execute(f'create table "{table.name}" as select {selected} from from_spark')
        return compare(con, table.name, case.expect)


def made_on_spark(name: str) -> pa.Table:
    """The rows of a table, each of its CTEs made once and by itself. Spark makes a CTE anew wherever it is read, and
    plans without end where many read each other.
    """
    *ctes, (_, last) = spark_statements(name)
    for cte, select in ctes:
        session().sql(select).limit(MOST_ROWS).localCheckpoint().createOrReplaceTempView(cte)
    return session().sql(last).toArrow()


@cache
def spark_statements(name: str) -> list[tuple[str, str]]:
    """Name -> SELECT of each CTE of a table, and last its own; sqlglot's error where it knows no translation."""
    tree = in_spark_words(tables()[name])
    with_ctes = tree.args.get("with_")
    tree.set("with_", None)
    ctes = [(cte.alias, alone(cte)) for cte in with_ctes.expressions] if with_ctes else []
    return [(cte, select.sql(**SPARK)) for cte, select in [*ctes, (name, tree)]]


def alone(cte: exp.CTE) -> exp.Query:
    """A CTE as a SELECT of its own."""
    reads_itself = cte.alias in {read.name for read in cte.find_all(exp.Table)}
    return exp.select("*").from_(cte.alias).with_(cte.alias, as_=cte.this, recursive=True) if reads_itself else cte.this


def in_spark_words(table: SqlTable) -> exp.Expression:
    """The table's SELECT with its macros written out, and in other words what Spark says otherwise."""
    tree = sqlglot.parse_one(table.sql, read="duckdb")
    macros = parse_macros(table.macros) | parse_macros(SPARK_MACROS)
    # What a macro is written out as may call another. The innermost first, so that an argument is written out before
    # what it is given to.
    while calls := [call for call in tree.find_all(exp.Anonymous) if call.name in macros]:
        for call in reversed(calls):
            call.replace(written_out(macros[call.name], call.expressions))
    for call in tree.find_all(exp.Anonymous):
        call.set("this", SPARK_NAMES.get(call.name.upper(), call.name))
    for other_words in (json_as_text, element_as_counted, groups_by_dollar, asof_as_lateral, list_in_order):
        tree = tree.transform(other_words)
    return tree


def json_as_text(node: exp.Expression) -> exp.Expression:
    """JSON is text on Spark, and a list of it is read where DuckDB casts to one."""
    if not isinstance(node, exp.Cast) or "JSON" not in node.to.sql().upper():
        return node
    if not node.to.is_type("array"):
        return node.this
    return exp.func("from_json", node.this, exp.Literal.string("array<string>"))


def element_as_counted(node: exp.Expression) -> exp.Expression:
    """An element of a list by its number from one, or from the end, and null where the list is shorter."""
    if not isinstance(node, exp.Bracket) or isinstance(node.expressions[0], exp.Slice):
        return node
    # sqlglot counts from zero where it sees the number, and leaves what it cannot see.
    number = node.expressions[0]
    seen = isinstance(number, (exp.Literal, exp.Neg))
    counted = exp.Literal.number(int(number.sql()) + 1) if seen else exp.cast(number, "int")
    return exp.func("try_element_at", node.this, counted)


def groups_by_dollar(node: exp.Expression) -> exp.Expression:
    """What a replacement takes over of what was found: its groups are named by a dollar on Spark."""
    if isinstance(node, exp.RegexpReplace) and isinstance(node.args["replacement"], exp.Literal):
        node.args["replacement"].set("this", re.sub(r"\\(\d)", r"$\1", node.args["replacement"].name))
    return node


def asof_as_lateral(node: exp.Expression) -> exp.Expression:
    """The row next to a moment, of those that the other conditions let through: Spark has no ASOF JOIN."""
    if not isinstance(node, exp.Join) or node.method != "ASOF":
        return node
    conditions = node.args["on"]
    nearest = conditions.find(exp.LT, exp.LTE, exp.GT, exp.GTE)
    order = exp.Ordered(this=nearest.this.copy(), desc=isinstance(nearest, (exp.LT, exp.LTE)))
    rows = exp.select("*").from_(node.this).where(conditions).order_by(order).limit(1)
    lateral = exp.Lateral(this=rows.subquery(), alias=exp.TableAlias(this=node.this.alias_or_name))
    return exp.Join(this=lateral, side=node.side)


def list_in_order(node: exp.Expression) -> exp.Expression:
    """A list ordered by something else than its values: Spark sorts lists and gathers them in no order."""
    gathered = node.this if isinstance(node, exp.Filter) else node
    if not isinstance(gathered, exp.ArrayAgg) or not isinstance(gathered.this, exp.Order):
        return node
    value, order = gathered.this.this, [by.this for by in gathered.this.expressions]
    if isinstance(value, exp.Distinct):
        gathered.set("this", value)
        return exp.func("array_sort", node.copy())
    named = [part for nth, field in enumerate([*order, value]) for part in (exp.Literal.string(f"_{nth}"), field)]
    gathered.set("this", exp.func("named_struct", *named))
    its_value = exp.Lambda(this=exp.column(f"_{len(order)}", table="one"), expressions=[exp.to_identifier("one")])
    return exp.func("transform", exp.func("array_sort", node.copy()), its_value)


def parse_macros(text: str) -> dict[str, exp.Create]:
    """Name -> the statement that creates the macro."""
    return {statement.this.this.name: statement for statement in sqlglot.parse(text, read="duckdb") if statement}


def written_out(macro: exp.Create, arguments: list[exp.Expression]) -> exp.Expression:
    """The macro's expression with the arguments in the places of its parameters."""
    given = dict(zip((parameter.name for parameter in macro.this.expressions), arguments, strict=True))

    def put(node: exp.Expression) -> exp.Expression:
        return exp.paren(given[node.name].copy()) if isinstance(node, exp.Column) and node.name in given else node

    return exp.paren(macro.expression.copy().transform(put))


def for_spark(rows: pa.Table) -> pa.Table:
    """The rows with intervals as durations, as Spark takes them, and in one chunk even where there is no row."""
    arrays = [duration(column) if is_interval(column.type) else column.combine_chunks() for column in rows.columns]
    return pa.table(dict(zip(rows.column_names, arrays, strict=True)))


def is_interval(kind: pa.DataType) -> bool:
    return kind == pa.month_day_nano_interval()


def duration(column: pa.ChunkedArray) -> pa.Array:
    values: list[Any] = column.to_pylist()
    microseconds = [None if v is None else v.days * 86_400_000_000 + v.nanoseconds // 1000 for v in values]
    return pa.array(microseconds, pa.duration("us"))
