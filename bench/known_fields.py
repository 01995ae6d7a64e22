"""Of how many events each log says who acted, of what kind that is, and on what: what no reader should lose.

`python bench/known_fields.py [--unknown] [PATH ...]`

PATH is a file or a folder of logs, else data/sources, data/samples and data/investigation. A line that holds a record
as its member `event`, as collections of test events do, counts as that record. With --unknown the actions are listed
whose target or actor is unknown, most frequent first.
"""

import argparse
import gzip
import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from ultravires import registry
from ultravires.reading.files import read, recognise
from ultravires.reading.options import Options

DATA = Path(__file__).parent.parent / "data"
FOLDERS = (DATA / "sources", DATA / "samples", DATA / "investigation")
OPTIONS = Options(hash_key=b"known fields")
NOT_A_LOG = frozenset({".md", ".txt", ".yml", ".yaml"})


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("paths", nargs="*", type=Path, default=list(FOLDERS))
    arguments.add_argument("--unknown", action="store_true", help="list the actions whose target or actor is unknown")
    asked = arguments.parse_args()
    counts: dict[str, Counter[str]] = {}
    unknown: Counter[tuple[str, str, str]] = Counter()
    for row in events(asked.paths):
        if row["kind"] != "activity":
            continue
        of_log = counts.setdefault(row["log"], Counter())
        said = {
            "actor": bool(row["actor_uid"]),
            "kind": row["actor_kind"] not in (None, "unknown"),
            "target": bool(row["resource_uids"]),
        }
        of_log.update(["events", *(name for name, is_said in said.items() if is_said)])
        unknown.update((row["log"], name, str(row["action"])) for name, is_said in said.items() if not is_said)
    console = Console()
    console.print(as_table(counts))
    if asked.unknown:
        for (log, name, action), n in sorted(unknown.items(), key=lambda item: (item[0][0], item[0][1], -item[1])):
            console.print(f"{log}: no {name}: {action} ({n})", highlight=False, markup=False)


def as_table(counts: dict[str, Counter[str]]) -> Table:
    """One row a log: its activities, and the share of them that say so much."""
    table = Table("log", "activities", "actor", "kind of actor", "target")
    for log, found in sorted(counts.items()):
        shares = [f"{found[name] / found['events']:.1%}" for name in ("actor", "kind", "target")]
        table.add_row(log, f"{found['events']:,}", *shares)
    return table


def events(paths: list[Path]) -> Iterator[dict[str, Any]]:
    """Every event of these files, each read by the source that recognises it."""
    sources = list(registry.sources().values())
    with tempfile.TemporaryDirectory() as folder:
        for path in paths:
            for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
                if file.suffix in NOT_A_LOG or file.name == "expected.jsonl" or not file.is_file():
                    continue
                for unwrapped in unwrapped_events(file, Path(folder)) or [file]:
                    source = recognise(unwrapped, sources)
                    for batch in read(unwrapped, source, OPTIONS) if source else ():
                        yield from batch.events.to_pylist()


def unwrapped_events(file: Path, folder: Path) -> list[Path]:
    """A file for each type of log whose records stand in the member `event` of the lines; none for any other file."""
    if not file.name.endswith((".jsonl", ".jsonl.gz")):
        return []
    data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    by_type: dict[str, list[str]] = {}
    for line in data.splitlines():
        record = json.loads(line)
        if not isinstance(record, dict) or not isinstance(record.get("event"), dict):
            return []
        by_type.setdefault(str(record.get("log_type")), []).append(json.dumps(record["event"]))
    files = []
    for number, records in enumerate(by_type.values()):
        files.append(folder / f"{number}.jsonl")
        files[-1].write_text("\n".join(records), encoding="utf-8")
    return files


if __name__ == "__main__":
    main()
