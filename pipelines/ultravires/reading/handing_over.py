"""How a process that reads hands what it read to the one that stores it: by files, of which the pipe carries the name.

Through a pipe, each row was copied six times, which cost as much as reading it. And a process that is killed in the
midst of a long message leaves the others waiting for its end; a name goes through in one piece or not at all.
"""

import pickle
import tempfile
from pathlib import Path

import pyarrow as pa

from ultravires.reading.parts import Part

_ARROW = ".arrow"
WORTH_A_BATCH = 2_000
"""Rows of a batch on average from which on it costs less to hand over as it is than to copy them into one."""


def hand_over(part: Part, folder: Path) -> str:
    """Write `part` to new files in `folder`, readable by their owner only; returns what `take` needs."""
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
        path = Path(file.name)
        if part.events:
            _write_events(part.events, path.with_suffix(_ARROW))
        part.events = []
        pickle.dump(part, file, protocol=pickle.HIGHEST_PROTOCOL)
    return path.name


def take(name: str, folder: Path) -> Part:
    """The part, whose files are gone from the folder; the memory of its events stays while they are in use."""
    path = folder / name
    part: Part = pickle.loads(path.read_bytes())  # noqa: S301 - our own process wrote it into our own folder
    path.unlink()
    events = path.with_suffix(_ARROW)
    if events.exists():
        with pa.memory_map(str(events)) as source:
            part.events = pa.ipc.open_file(source).read_all().to_batches()
        events.unlink()
    return part


def _write_events(batches: list[pa.RecordBatch], path: Path) -> None:
    whole = pa.Table.from_batches(batches)
    if whole.num_rows < len(batches) * WORTH_A_BATCH:
        whole = whole.combine_chunks()
    path.touch(mode=0o600)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, whole.schema) as writer:
        writer.write_table(whole)
