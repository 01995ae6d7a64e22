"""Records that nobody of this project wrote, by the source that recognises each. `data` is their folder, which the
fixture `third_party` gives where it is there.
"""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from source_samples import claimed_by, rows


def detection_tests(data: Path) -> Iterator[dict[str, Any]]:
    """Tests of detections, each with its `event` and whether a rule has to fire."""
    with gzip.open(data / "panther_tests.jsonl.gz", "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def single_calls(data: Path) -> Iterator[dict[str, Any]]:
    """Single CloudTrail records, most of them denied."""
    with gzip.open(data / "traildiscover_cloudtrail.jsonl.gz", "rt", encoding="utf-8") as lines:
        yield from (json.loads(line)["event"] for line in lines)


def attack_records(data: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """CloudTrail records of attacks, each with the name of its technique."""
    for path in sorted((data / "stratus_cloudtrail").glob("*.json")):
        for record in json.loads(path.read_text(encoding="utf-8"))["Records"]:
            yield path.stem, record


def third_party_events(data: Path, folder: Path) -> list[tuple[str, dict[str, Any]]]:
    """(source, event) of every record of all of them that some source reads; `folder` is one to write in."""
    records = [test["event"] for test in detection_tests(data)]
    records += [*single_calls(data), *(record for _, record in attack_records(data))]
    lines: dict[str, list[str]] = {}
    for line in dict.fromkeys(map(json.dumps, records)):
        if claiming := claimed_by(line.encode()):
            lines.setdefault(claiming[0], []).append(line)
    return [(name, row) for name, of in lines.items() for row in rows(name, "\n".join(of).encode(), folder)]
