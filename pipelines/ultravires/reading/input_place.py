"""What `--input` names: a local path, or a URL of an object store."""

from pathlib import Path

from ultravires.errors import UsageError
from ultravires.reading.locations import InputPlace, LocalPlace


def input_place(text: str | Path) -> InputPlace:
    """The place that `text` names: a path, or a URL of an object store. Raises UsageError for other URLs."""
    if isinstance(text, str) and "://" in text:
        from ultravires.reading.object_stores import object_prefix

        return object_prefix(text)
    if not str(text):
        raise UsageError("--input is empty; give a path, or . for this folder")
    return LocalPlace(Path(text))
