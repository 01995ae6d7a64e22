"""What changed in a table from one of its versions to the next, for as long as this home is open: the rows that went
and the rows that came, in a temporary table `delta_<table>` with its columns and `is_new`.

Nothing of it is kept: where a run ends before all who read a table have taken up its changes, they are made whole.
"""

from collections.abc import Sequence

import duckdb

from ultravires.store.queries import fetch_row


class Deltas:
    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self._con = con
        self._spans: dict[str, tuple[int, int]] = {}

    def compare(self, table: str, before: str, after: str) -> bool:
        """Make `delta_<table>` of two relations; False where their columns, in their order, are not the same."""
        self._spans.pop(table, None)
        columns = self.columns(before)
        if columns != self.columns(after):
            return False
        self.compare_rows(table, columns, f'"{before}"', f'"{after}"')
        return True

    def compare_rows(self, table: str, columns: Sequence[str], before: str, after: str) -> None:
        """Make `delta_<table>` of two sets of rows with these columns, of which each stands once."""
        self._spans.pop(table, None)
        names = listed(columns)
        # By one grouping, which takes half as long as two differences.
        self._con.execute(
            f'create or replace temp table "delta_{table}" as select {names}, bool_and(is_new) as is_new from ('
            f"select {names}, false as is_new from {before} union all select {names}, true from {after}"
            f") group by {names} having bool_and(is_new) = bool_or(is_new)"
        )

    def columns(self, relation: str) -> list[str]:
        return [str(row[0]) for row in self._con.execute(f'describe "{relation}"').fetchall()]

    def note(self, table: str, since: int, until: int) -> None:
        """From now on `delta_<table>` stands for the way from one version to the other."""
        self._spans[table] = (since, until)

    def spans(self, table: str, since: int, until: int) -> bool:
        """Whether what changed from this version to that one is known."""
        return self._spans.get(table) == (since, until)

    def differs_in(self, table: str, columns: Sequence[str], where: str = "") -> bool:
        """Whether any row changed in one of these columns, or such a row as the condition asks for came or went."""
        names = listed(columns)
        rows = f'select {names}, is_new from "delta_{table}"' + (f" where {where}" if where else "")
        changed = (
            f"select 1 from ({rows}) group by {names} having count(*) filter (is_new) <> count(*) filter (not is_new)"
        )
        return fetch_row(self._con, f"{changed} limit 1") is not None

    def is_known(self, table: str, until: int) -> bool:
        """Whether `delta_<table>` leads to this version of it."""
        return table in self._spans and self._spans[table][1] == until

    def forget(self) -> None:
        self._spans.clear()

    def counted(self, table: str, columns: Sequence[str]) -> tuple[int, int]:
        """(rows more, the sum of the hashes that came less that of those that went): what it adds to a fingerprint."""
        names = listed(columns)

        def of(which: str) -> str:
            rows = f'(select {names} from "delta_{table}" where {which}) as t'
            return f"select count(*) as n, coalesce(sum(hash(t)::hugeint), 0)::varchar as hashes from {rows}"

        together = "select came.n, came.hashes, went.n, went.hashes from "
        row = fetch_row(self._con, f"{together} ({of('is_new')}) as came, ({of('not is_new')}) as went")
        assert row is not None
        return int(row[0]) - int(row[2]), int(row[1]) - int(row[3])


def listed(columns: Sequence[str]) -> str:
    return ", ".join(f'"{column}"' for column in columns)
