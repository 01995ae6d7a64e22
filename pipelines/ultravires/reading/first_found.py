"""The first of several fields that holds a value, for many records at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ultravires.reading.columns import ABSENT, NULL, Codes, Fields


@dataclass(frozen=True)
class FirstFound:
    """Of each row the first of several paths whose value is not null.

    `which` is for each row the place of its path among `paths`, -1 where there is no value.
    """

    fields: Fields
    paths: Sequence[str]
    which: Codes

    def gather(self, read: Callable[[Fields, str], pa.Array], kind: pa.DataType) -> pa.Array:
        """For each row what `read` gives for its path; null where there is no value."""
        if not self.paths:
            return pa.nulls(len(self.fields), kind)
        if len(self.paths) == 1 and (self.which == 0).all():
            return read(self.fields, self.paths[0])
        masks = [self.which == place for place in range(len(self.paths))]
        parts = [read(self.fields.where(mask), path) for mask, path in zip(masks, self.paths, strict=True)]
        order = np.full(len(self.fields), -1)
        order[np.concatenate([np.flatnonzero(mask) for mask in masks])] = np.arange(sum(map(len, parts)))
        return pa.concat_arrays(parts).take(pa.array(order, mask=order < 0))


def first_found(fields: Fields, paths: Sequence[str]) -> FirstFound:
    """The first of the same paths in each row."""
    which = np.full(len(fields), -1, np.int32)
    used: list[str] = []
    for path in paths:
        still = which < 0
        if not still.any():
            break
        kinds = fields.kinds(path)
        here = still & (kinds != ABSENT) & (kinds != NULL)
        if here.any():
            which[here] = len(used)
            used.append(path)
    return FirstFound(fields, used, which)
