"""How a process that reads hands over what it read: by files, of which the pipe carries the name.

Events are handed over as a segment, as they are stored (`reading.segment_files`); all else is pickled beside it. A
process that is killed in the midst of a long message would leave the others waiting for its end; a name goes through
in one piece or not at all.
"""

import pickle
import tempfile
from datetime import datetime
from pathlib import Path

from ultravires.reading.parts import Part
from ultravires.store.segment_files import SUFFIX, reporting_write_errors, with_provenance, write_segment


def write_part(part: Part, folder: Path, ingested_at: datetime) -> str:
    """Write `part` to new files in `folder`, readable by their owner only; returns what `read_part` needs."""
    with reporting_write_errors(folder), tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
        path = Path(file.name)
        if part.events:
            part.written.append(write_segment(path.with_suffix(SUFFIX), [with_provenance(part.events, ingested_at)]))
            part.events = []
        pickle.dump(part, file, protocol=pickle.HIGHEST_PROTOCOL)
    return path.name


def read_part(name: str, folder: Path) -> Part:
    """The part; its segment stays in the folder."""
    path = folder / name
    part: Part = pickle.loads(path.read_bytes())  # noqa: S301 - our own process wrote it into our own folder
    path.unlink()
    return part
