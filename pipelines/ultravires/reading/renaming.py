"""Records that an export wrote in words of its own, as the vendor's record again: plug-ins beside vendors' sources.

A table of Athena has CloudTrail's names in lower case, Elastic keeps them as fields of its common schema, Log Analytics
as columns of its own names. A module in `ultravires.sources` that defines RENAMING says how such a row becomes the
record that the vendor's source reads, so that both are one event.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Renaming:
    """`name` is the export's, as it stands in the manifest; `sources` read what `record_of` makes.

    `record_of` takes a decoded object or the cells of a row, and gives None where it is none of this export.
    """

    name: str
    title: str
    sources: tuple[str, ...]
    documentation: str
    record_of: Callable[[dict[str, Any]], dict[str, Any] | None]
