"""One contender over one folder, in a process of its own: contend.py NAME WORKLOAD FOLDER SCRATCH.

Prints one JSON object: CPU seconds of all its processes, events (null where it stores none), rss_mb (the most memory it
held, its workers included) and, of ours, again_seconds (the same folder once more, with nothing new).
"""

import json
import resource
import sys
from pathlib import Path
from typing import Any

Result = dict[str, Any]


def main(name: str, workload: str, folder: Path, scratch: Path) -> Result:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    result = _run(name, workload, files, folder, scratch)
    own, workers = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    # The kernel tells the largest child only; that both were as large is an upper bound.
    return result | {"rss_mb": round((own.ru_maxrss + 2 * workers.ru_maxrss) / 1024)}


def _run(name: str, workload: str, files: list[Path], folder: Path, scratch: Path) -> Result:
    if name == "ours":
        import ours

        seconds, events = ours.load(folder, scratch / "home")
        again, _ = ours.load(folder, scratch / "home")
        return {"seconds": seconds, "events": events, "again_seconds": again}
    if name == "floor":
        import floor

        return {"seconds": floor.run(files), "events": None}
    import duckdb_alone

    if name == "split":
        seconds, events = duckdb_alone.run_split(workload, files, scratch)
        return {"seconds": seconds, "events": events}
    statements = {"same": duckdb_alone.SAME, "fastest": duckdb_alone.FASTEST}[name]
    seconds, events = duckdb_alone.run(statements[workload], files, scratch / "alone.duckdb")
    return {"seconds": seconds, "events": events}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))) + "\n")
