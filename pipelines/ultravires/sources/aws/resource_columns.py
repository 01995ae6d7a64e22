"""The column `resource_uids` of CloudTrail events: `resource_arns` (`aws_arns`) said of many records at once.

What a string of a request names follows from its way, from where the call was made and from how the string begins.
There are few different ones of these together, and only they are looked at one by one: no object is made for a record.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ultravires.reading.column_values import dense, not_empty, starting
from ultravires.reading.columns import Codes, Fields, Leaves, Way
from ultravires.sources.aws.arns import (
    BEGINNINGS,
    IS_ARN,
    LISTED,
    bucket_opening,
    may_name,
    opening_of,
    opening_of_listed,
    queue_arn,
)

_TEXT = pa.string()
_ARN: Way = (None, "ARN")
_BUCKET: Way = ("bucketName",)
_KEY: Way = ("key",)
_QUEUE: Way = ("queueUrl",)
_MOST_STEPS = max(len(listed.way) for listed in LISTED)


class _Place(NamedTuple):
    """Where a call was made."""

    service: str
    region: str | None
    account: str | None


class _Found(NamedTuple):
    """ARNs (null where there is none after all), and the row of each; by rows, in the order in which they count."""

    rows: Codes
    arns: pa.StringArray


def resource_columns(fields: Fields, calls: Codes, services: Sequence[str], account: pa.StringArray) -> pa.ListArray:
    """What each record lists, then what its request names, each once. `calls` has for each record the place of its
    service among `services`.
    """
    codes, places = _places(calls, services, fields.text("awsRegion"), account)
    request = fields.leaves("requestParameters", _MOST_STEPS)
    found = [
        _lying(fields.leaves("resources", len(_ARN)), _ARN),
        _named(request, codes, places),
        _objects(request, len(fields), codes, places),
        _queues(request, codes, places),
        *_listed(request, codes, places),
    ]
    return _each_once(len(fields), found)


def _places(
    calls: Codes, services: Sequence[str], region: pa.StringArray, account: pa.StringArray
) -> tuple[Codes, list[_Place]]:
    """The different places, and for each record which it is."""
    regions, known_regions = _encoded(region)
    accounts, known_accounts = _encoded(account)
    codes, of_calls = dense(calls, regions)
    codes, of_places = dense(codes, accounts)
    known = []
    for code, of_account in of_places.tolist():
        of_call, of_region = of_calls[code]
        known.append(_Place(services[of_call], known_regions[of_region], known_accounts[of_account]))
    return codes, known


def _encoded(texts: pa.StringArray) -> tuple[Codes, list[str | None]]:
    encoded = texts.dictionary_encode("encode")
    return encoded.indices.to_numpy(), encoded.dictionary.to_pylist()


def _lying(leaves: Leaves, wanted: Way) -> _Found:
    """The strings that lie so; null where there is nothing in them."""
    is_wanted = leaves.are([way == wanted for way in leaves.ways])
    return _Found(leaves.places[is_wanted], not_empty(leaves.texts(is_wanted)))


def _named(request: Leaves, codes: Codes, places: list[_Place]) -> _Found:
    """What single parameters name."""
    is_wanted = request.are([len(way) == 1 and may_name(way[0] or "") for way in request.ways])
    rows, texts = request.places[is_wanted], not_empty(request.texts(is_wanted))
    at_places, pairs = dense(request.codes[is_wanted], codes[rows])
    which, cases = dense(at_places, starting(texts, BEGINNINGS))
    openings = []
    for pair, beginning in cases.tolist():
        way, place = request.ways[pairs[pair][0]], places[pairs[pair][1]]
        openings.append(
            opening_of(place.service, way[0] or "", ("", *BEGINNINGS)[beginning], place.region, place.account)
        )
    is_path = np.array([opening is not None and opening.endswith("/") for opening in openings], np.bool_)[which]
    is_path &= pc.starts_with(texts, "/").fill_null(False).to_numpy(zero_copy_only=False)
    if is_path.any():
        texts = pc.replace_with_mask(texts, pa.array(is_path), pc.ascii_ltrim(texts.filter(pa.array(is_path)), "/"))
    return _Found(rows, _joined(pa.array(openings, _TEXT).take(pa.array(which)), texts))


def _objects(request: Leaves, n_rows: int, codes: Codes, places: list[_Place]) -> _Found:
    """The object in a bucket, or the bucket where no key is given."""
    rows, buckets = _lying(request, _BUCKET)
    rows_of_keys, keys = _lying(request, _KEY)
    of_rows = np.full(n_rows, -1, np.int32)
    of_rows[rows_of_keys] = np.arange(len(rows_of_keys))
    at = of_rows[rows]
    key = keys.take(pa.array(at, mask=at < 0))
    openings = [bucket_opening(place.region) for place in places]
    start = _joined(pa.array(openings, _TEXT).take(pa.array(codes[rows])), buckets)
    arns = pc.coalesce(_joined(start, key, "/"), start)
    return _Found(rows, pc.if_else(pc.starts_with(buckets, IS_ARN), None, arns))


def _queues(request: Leaves, codes: Codes, places: list[_Place]) -> _Found:
    rows, urls = _lying(request, _QUEUE)
    is_sqs = [places[code].service == "sqs" for code in codes[rows].tolist()]
    arns = [queue_arn(url) if of_sqs else None for url, of_sqs in zip(urls.to_pylist(), is_sqs, strict=True)]
    return _Found(rows, pa.array(arns, _TEXT))


def _listed(request: Leaves, codes: Codes, places: list[_Place]) -> Iterator[_Found]:
    """What lists of EC2's things name, one kind after the other."""
    for listed in LISTED:
        if listed.way not in request.ways:
            continue
        rows, ids = _lying(request, listed.way)
        if listed.beginning:
            ids = pc.if_else(pc.starts_with(ids, listed.beginning), ids, None)
        openings = [opening_of_listed(listed, place.region, place.account) for place in places]
        yield _Found(rows, _joined(pa.array(openings, _TEXT).take(pa.array(codes[rows])), ids))


def _joined(one: pa.StringArray, other: pa.StringArray, between: str = "") -> pa.StringArray:
    return pc.binary_join_element_wise(one, other, between)


def _each_once(n_rows: int, found: Sequence[_Found]) -> pa.ListArray:
    """A list for each row, of what was found in this order."""
    rows = np.concatenate([one.rows for one in found])
    arns = pa.concat_arrays([one.arns for one in found])
    is_there = arns.is_valid().to_numpy(zero_copy_only=False)
    order = np.flatnonzero(is_there)
    order = order[np.argsort(rows[order], kind="stable")]
    rows, arns = rows[order], arns.take(pa.array(order))
    of_one = rows.astype(np.int64) << 32 | arns.dictionary_encode().indices.to_numpy()
    _, firsts = np.unique(of_one, return_index=True)
    if len(firsts) < len(rows):
        firsts.sort()
        rows, arns = rows[firsts], arns.take(pa.array(firsts))
    ends = np.zeros(n_rows + 1, np.int32)
    np.cumsum(np.bincount(rows, minlength=n_rows), out=ends[1:])
    return pa.ListArray.from_arrays(pa.array(ends), arns)
