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
        """Make `delta_<table>` of two relations in which no row stands twice; False where their columns, in their
        order, are not the same.
        """
        self._spans.pop(table, None)
        if self.columns(before) != self.columns(after):
            return False
        self._con.execute(
            f'create or replace temp table "delta_{table}" as '
            f'select *, false as is_new from (from "{before}" except from "{after}") '
            f'union all select *, true from (from "{after}" except from "{before}")'
        )
        return True

    def columns(self, relation: str) -> list[str]:
        return [str(row[0]) for row in self._con.execute(f'describe "{relation}"').fetchall()]

    def note(self, table: str, since: int, until: int) -> None:
        """From now on `delta_<table>` stands for the way from one version to the other."""
        self._spans[table] = (since, until)

    def spans(self, table: str, since: int, until: int) -> bool:
        """Whether what changed from this version to that one is known."""
        return self._spans.get(table) == (since, until)

    def differs_in(self, table: str, columns: Sequence[str]) -> bool:
        """Whether any row changed in one of these columns."""
        names = ", ".join(f'"{column}"' for column in columns)
        changed = (
            f'select {names} from "delta_{table}" group by {names} '
            "having count(*) filter (is_new) <> count(*) filter (not is_new)"
        )
        return fetch_row(self._con, f"select 1 from ({changed}) limit 1") is not None

    def forget(self) -> None:
        self._spans.clear()

    def counted(self, table: str, columns: Sequence[str]) -> tuple[int, int]:
        """(rows more, the sum of the hashes that came less that of those that went): what it adds to a fingerprint."""
        names = ", ".join(f'"{column}"' for column in columns)

        def of(which: str) -> tuple[int, int]:
            rows = f'(select {names} from "delta_{table}" where {which}) as t'
            row = fetch_row(self._con, f"select count(*), coalesce(sum(hash(t)::hugeint), 0)::varchar from {rows}")
            assert row is not None
            return int(row[0]), int(row[1])

        (n_new, new), (n_old, old) = of("is_new"), of("not is_new")
        return n_new - n_old, new - old
