"""What the events of a batch issued, for reading CloudTrail by the column: of the few that issue, each by itself."""

from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ultravires.reading.columns import Mask
from ultravires.reading.source import Options
from ultravires.vendors.aws_cloudtrail_records import detail_of, session_of
from ultravires.vendors.aws_credentials import NOTHING_ISSUED, issued_by, session_keys
from ultravires.vendors.aws_identities import Actor

KEYS = ("source_identity", "session_name", "federated_subject")
"""Kinds of keys that an issued credential carries, in the order of `session_keys`; tags are not among them."""


@dataclass
class IssuedColumns:
    """Columns of those rows that issue (`is_issuing`), one value for each of them."""

    is_issuing: Mask
    credential_uids: list[str | None] = field(default_factory=list)
    expires_at: list[int | None] = field(default_factory=list)
    details: list[str] = field(default_factory=list)
    keys: dict[str, list[str | None]] = field(default_factory=lambda: {kind: [] for kind in KEYS})

    def add(self, record: dict[str, Any], name: str, event_at: int, actor: Actor, options: Options) -> None:
        """The next row: what one event issued, from those members of its record that tell of it."""
        issued = issued_by(record, name, event_at) if record.get("responseElements") else NOTHING_ISSUED
        self.credential_uids.append(issued.credential_uid)
        self.expires_at.append(issued.expires_at)
        self.details.append(msgspec.json.encode(detail_of(record, actor, issued)).decode())
        carried = session_keys(record, issued, actor, options) if issued.credential_uid else ()
        own = (actor.source_identity, session_of(actor), None)
        of_kind = {kind: value for kind, value, _ in carried}
        for kind, of_actor in zip(KEYS, own, strict=True):
            value = of_kind.get(kind)
            self.keys[kind].append(None if value == of_actor else value)

    def spread(self, values: list[Any], kind: pa.DataType) -> pa.Array:
        """These values in the rows that issue, null in all others."""
        places = np.cumsum(self.is_issuing) - 1
        return pa.array(values, kind).take(pa.array(places, mask=~self.is_issuing))

    def in_details(self, details: pa.StringArray) -> pa.StringArray:
        """The column `detail` of all rows, from what those that issue nothing would say."""
        return pc.replace_with_mask(details, pa.array(self.is_issuing), pa.array(self.details, pa.string()))
