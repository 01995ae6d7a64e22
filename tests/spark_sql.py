"""SQL tables on Spark: a file's SELECT translated by sqlglot, and the rows it makes of a case's given rows there."""

from typing import Any

import duckdb
import pyarrow as pa
import sqlglot
from spark_session import session
from sql_cases import Case, compare, empty_columns, give, tables
from sqlglot import exp
from ultravires.build.by_key import TOUCHED_IDS
from ultravires.build.sql_tables import TOUCHED_HOURS, SqlTable

SPARK_NAMES = {"EPOCH_US": "UNIX_MICROS"}
"""Functions that sqlglot leaves as they are, and what Spark calls them."""


def unequal_on_spark(case: Case) -> list[str]:
    """What the case expects and Spark does not give (-), and the other way round (+); empty when they agree."""
    table = tables()[case.table]
    with duckdb.connect(config={"threads": 1}) as con:
        con.execute("set timezone = 'UTC'")
        give(con, table, case.given)
        touched = {"by_hour": {TOUCHED_HOURS}, "by_key": {TOUCHED_IDS}}.get(table.mode, set())
        for name in sorted(table.inputs | touched):
            show_on_spark(name, con.table(name).to_arrow_table())
        con.register("from_spark", session().sql(in_spark_words(table)).toArrow())
        columns = empty_columns()[table.name]
        selected = ", ".join(f'cast("{column}" as {kind}) as "{column}"' for column, kind in columns.items())
        con.execute(f'create table "{table.name}" as select {selected} from from_spark')
        return compare(con, table.name, case.expect)


def in_spark_words(table: SqlTable) -> str:
    """The table's SELECT for Spark, its macros written out; sqlglot's error where it knows no translation."""
    tree = sqlglot.parse_one(table.sql, read="duckdb")
    macros = parse_macros(table.macros)
    # What a macro is written out as may call another. The innermost first, so that an argument is written out before
    # what it is given to.
    while calls := [call for call in tree.find_all(exp.Anonymous) if call.name in macros]:
        for call in reversed(calls):
            call.replace(written_out(macros[call.name], call.expressions))
    for call in tree.find_all(exp.Anonymous):
        call.set("this", SPARK_NAMES.get(call.name.upper(), call.name))
    return tree.sql(dialect="spark", unsupported_level=sqlglot.ErrorLevel.RAISE)


def parse_macros(text: str) -> dict[str, exp.Create]:
    """Name -> the statement that creates the macro."""
    return {statement.this.this.name: statement for statement in sqlglot.parse(text, read="duckdb") if statement}


def written_out(macro: exp.Create, arguments: list[exp.Expression]) -> exp.Expression:
    """The macro's expression with the arguments in the places of its parameters."""
    given = dict(zip((parameter.name for parameter in macro.this.expressions), arguments, strict=True))

    def put(node: exp.Expression) -> exp.Expression:
        return exp.paren(given[node.name].copy()) if isinstance(node, exp.Column) and node.name in given else node

    return exp.paren(macro.expression.copy().transform(put))


_SHOWN: dict[str, pa.Table] = {}


def show_on_spark(name: str, rows: pa.Table) -> None:
    """Make `rows` the view `name` of the session; most cases leave most tables as the case before left them."""
    if name not in _SHOWN or not _SHOWN[name].equals(rows):
        session().createDataFrame(for_spark(rows)).createOrReplaceTempView(name)
        _SHOWN[name] = rows


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
