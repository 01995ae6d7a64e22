"""What is in quarantine, for people: by log and reason, with places to look and the beginning of the bytes.

Reads the published tables only. The bytes, the paths and the reasons come from whoever wrote the log, so all are
made visible before they are shown.
"""

from dataclasses import asdict, dataclass
from typing import Any

import duckdb
from rich.console import Console
from rich.text import Text

from ultravires.tracing.terminal import print_lines
from ultravires.tracing.visible import visible

SHOWN_BYTES = 120

_GROUPS = """
select log, reason, count(*) from quarantine group by all order by count(*) desc, log, reason
"""
_RECORDS = f"""
select quarantine.log, quarantine.reason, files.path, quarantine.record_no, quarantine.byte_offset,
    octet_length(quarantine.raw), quarantine.raw[1:{SHOWN_BYTES}]
from quarantine left join files on files.file_id = quarantine.file_id
qualify row_number() over (
    partition by quarantine.log, quarantine.reason
    order by files.path, quarantine.file_id, quarantine.record_no) <= ?
order by files.path, quarantine.file_id, quarantine.record_no
"""


@dataclass(frozen=True)
class Kept:
    """One record in quarantine. byte_offset counts decompressed bytes, n_bytes those that were kept.

    byte_offset is None of a record that was an event until a newer reader refused it.
    """

    path: str
    record_no: int
    byte_offset: int | None
    n_bytes: int
    beginning: str


@dataclass(frozen=True)
class Group:
    """The records of one log that were refused for one reason; `records` are the first of them."""

    log: str
    reason: str
    n_records: int
    records: tuple[Kept, ...]


@dataclass(frozen=True)
class Quarantine:
    """Everything in quarantine, the largest group first."""

    groups: tuple[Group, ...]

    def as_dict(self) -> dict[str, Any]:
        return {"n_records": sum(group.n_records for group in self.groups), **asdict(self)}


def look(con: duckdb.DuckDBPyConnection, *, examples: int) -> Quarantine:
    """The quarantine of the published tables behind `con`, with up to `examples` records of each group."""
    kept: dict[tuple[str, str], list[Kept]] = {}
    for log, reason, path, record_no, offset, n_bytes, raw in con.execute(_RECORDS, [examples]).fetchall():
        record = Kept(visible(path, 1000), record_no, offset, n_bytes, safe_beginning(raw))
        kept.setdefault((log, reason), []).append(record)
    groups = con.execute(_GROUPS).fetchall()
    return Quarantine(
        tuple(
            Group(visible(log), visible(reason), n_records, tuple(kept.get((log, reason), ())))
            for log, reason, n_records in groups
        )
    )


def safe_beginning(raw: bytes) -> str:
    """Up to SHOWN_BYTES of a record as one line that can do nothing to a terminal; other bytes as `\\xNN`."""
    return visible(raw[:SHOWN_BYTES].decode("utf-8", "backslashreplace"), limit=4 * SHOWN_BYTES)


def draw(quarantine: Quarantine, console: Console) -> None:
    """Print the groups, each followed by its records."""
    if not quarantine.groups:
        print_lines([Text("quarantine is empty: every record was read")], console)
    for group in quarantine.groups:
        print_lines(_lines(group), console)


def _lines(group: Group) -> list[Text]:
    lines = [Text(f"{group.log}: {group.n_records:,} x {group.reason}", style="bold")]
    for record in group.records:
        at = "" if record.byte_offset is None else f" at byte {record.byte_offset:,}"
        lines.append(Text(f"  {record.path} record {record.record_no}{at}"))
        more = "…" if record.n_bytes > SHOWN_BYTES else ""
        lines.append(Text(f"    {record.beginning}{more}", style="dim"))
    if group.n_records > len(group.records):
        lines.append(Text(f"  … and {group.n_records - len(group.records):,} more"))
    return lines
