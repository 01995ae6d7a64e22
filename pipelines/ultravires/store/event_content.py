"""Digests of what events say, by which two contents of one id are told apart.

A vendor's id is no proof that a record is the one it names: whoever can write to a log can write it twice, with another
actor or target the second time. Who did what to what, and by which approval, is therefore one number of each event.
What else stands in a record (its bytes, request ids, addresses) is not: deliveries of one record differ in it.
"""

from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Digests = npt.NDArray[np.uint64]

_SCALARS = (
    "actor_uid",
    "on_behalf_of_uid",
    "credential_uid",
    "issued_credential_uid",
    "revoked_credential_uid",
    "approval_uid",
    "decision_uid",
    "tool_call_uid",
    "args_hash",
)
DIGESTED = (*_SCALARS, "resource_uids", "keys", "kind", "detail", "log", "native_id")
"""The columns that the digests are taken of."""
_OF_APPROVALS = pa.array(
    ["approval", "ticket", "source_identity", "transitive_tag", "session_tag", "session_name"], pa.string()
)
"""Kinds of keys by which an event says that an approval stands over it."""
_SAID_IN_DETAIL = pa.array(["approval", "decision"], pa.string())
"""Kinds of events that say in `detail` what they grant, to whom and until when."""
_NATIVE_BITS = np.uint64(24)


def content_digests(table: pa.Table) -> Digests:
    """Of each event (EVENTS) a digest of what it says, besides what its id is made of."""
    parts = [_said(_plain(table[name])) for name in _SCALARS]
    parts.append(_of_lists(_plain(table["resource_uids"])))
    parts.append(_of_approval_keys(_plain(table["keys"])))
    is_said = pc.is_in(_plain(table["kind"]), _SAID_IN_DETAIL)
    parts.append(pc.if_else(is_said, _plain(table["detail"]).fill_null(""), ""))
    texts = pc.binary_join_element_wise(*parts, "")
    encoded = texts.dictionary_encode()
    found: Digests = _digests(encoded.dictionary)[encoded.indices.to_numpy()]
    return found


def native_digests(table: pa.Table) -> Digests:
    """Of each event 40 bits of a digest of log and native_id: enough to say which others may share both."""
    texts = pc.binary_join_element_wise(_plain(table["log"]), _plain(table["native_id"]), "\x1f")
    return _digests(texts) >> _NATIVE_BITS


def _digests(texts: pa.StringArray) -> Digests:
    found = b"".join(blake2b(text, digest_size=8).digest() for text in texts.cast(pa.binary()).to_pylist())
    return np.frombuffer(found, ">u8").astype(np.uint64)


def _plain(column: pa.ChunkedArray) -> pa.Array:
    """The column in one piece."""
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)


def _said(texts: pa.Array) -> pa.Array | str:
    """As `_netstrings`; one text for all where there are none, for most logs fill few of the columns."""
    return "-" if texts.null_count == len(texts) else _netstrings(texts)


def _netstrings(texts: pa.Array) -> pa.Array:
    """Each text behind its length, so that no two lists of texts read the same when joined; `-` where there is none."""
    lengths = pc.binary_length(texts).cast(pa.string())
    return pc.binary_join_element_wise(lengths, texts, ":").fill_null("-")


def _of_lists(lists: pa.Array) -> pa.Array:
    flat = _netstrings(lists.flatten())
    return _joined(_bounds(lists), flat)


def _of_approval_keys(keys: pa.Array) -> pa.Array:
    flat = keys.flatten()
    kinds, values = flat.field("kind"), flat.field("value")
    is_meant = pc.is_in(kinds, _OF_APPROVALS)
    ends = np.concatenate(([0], np.cumsum(is_meant.to_numpy(zero_copy_only=False))))
    pairs = pc.binary_join_element_wise(_netstrings(kinds.filter(is_meant)), _netstrings(values.filter(is_meant)), "")
    return _joined(ends[_bounds(keys)], pairs)


def _bounds(lists: pa.Array) -> npt.NDArray[np.int64]:
    """Where each list begins among all that `flatten` gives, and the last ends; a list that is null has nothing."""
    lengths = pc.list_value_length(lists).fill_null(0).to_numpy()
    return np.concatenate(([0], np.cumsum(lengths)))


def _joined(bounds: npt.NDArray[np.int64], flat: pa.Array) -> pa.Array:
    """One text a list: how many it holds, then all of them."""
    lists = pa.ListArray.from_arrays(pa.array(bounds, pa.int32()), flat)
    counts = pc.list_value_length(lists).cast(pa.string())
    return pc.binary_join_element_wise(counts, pc.binary_join(lists, ""), ";")
