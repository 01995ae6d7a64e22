"""Logs that came through another system: every source's sample in every export gives the same events."""

import json
from pathlib import Path
from typing import Any

import pytest
from export_wrapping import WRAPPINGS, Wrap, columns
from source_samples import OPTIONS, SAMPLES, rows
from ultravires import registry
from ultravires.formats.decompressing import FileBytes
from ultravires.reading.files import Batch, read_bytes, read_wrapped
from ultravires.reading.head import HEAD_BYTES
from ultravires.reading.input_file import recognise_log
from ultravires.reading.unwrapping import find_wrapping

NAMES = sorted(registry.sources())
SOURCES = list(registry.sources().values())
OF_THE_SOURCE = {
    ("kubernetes_audit", "cloudwatch"): "the source reads it, and knows the cluster by the log group",
    (
        "servicenow_approvals",
        "columns",
    ): "the source reads tables, which hold no objects",
}


def read(data: bytes, folder: Path) -> tuple[str | None, list[Batch]]:
    """The wrapper of a file with these bytes, and what it holds; None where a source recognises it as it is."""
    path = folder / "a-file"
    path.write_bytes(data)
    file = FileBytes(path, OPTIONS)
    head = file.head(HEAD_BYTES)
    if source := recognise_log(head, SOURCES):
        return None, list(read_bytes(file, source, OPTIONS))
    wrapping = find_wrapping(head, SOURCES)
    assert wrapping is not None, "no source recognises anything in it"
    return wrapping.wrapper, list(read_wrapped(file, wrapping, SOURCES, OPTIONS))


def events(batches: list[Batch]) -> list[dict[str, Any]]:
    found = [{**row, "detail": json.loads(row["detail"])} for batch in batches for row in batch.events.to_pylist()]
    return comparable(found)


def comparable(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Events without what says where and how their record was written."""
    left_out = ("record_no", "raw_hash", "raw")
    kept = [{name: value for name, value in row.items() if name not in left_out} for row in found]
    return sorted(kept, key=lambda row: str(row["event_id"]))


def records(name: str, folder: Path) -> tuple[list[bytes], list[dict[str, Any]]]:
    """The records of a source's sample, each as it is kept, and their events."""
    found = rows(name, SAMPLES[name], folder)
    return list({row["record_no"]: row["raw"].encode() for row in found}.values()), comparable(found)


PAIRS = [(name, wrap) for name in NAMES for wrap in [*WRAPPINGS, "columns"] if (name, wrap) not in OF_THE_SOURCE]


@pytest.mark.parametrize(("name", "wrap"), PAIRS)
def test_a_wrapped_record_is_the_same_event(name: str, wrap: str, tmp_path: Path) -> None:
    """Whatever the export: same ids, same columns, nothing refused."""
    inner, expected = records(name, tmp_path)
    wrapping: Wrap = columns if wrap == "columns" else WRAPPINGS[wrap]
    _, batches = read(wrapping(inner), tmp_path)
    assert events(batches) == expected
    assert [refused.reason for batch in batches for refused in batch.quarantined] == []
