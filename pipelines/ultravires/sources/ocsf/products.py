"""How an OCSF event names the product that reported it, and what a copy of that product's own record is."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from ultravires.reading.values import mapping, text
from ultravires.sources.ocsf.fields import at

_LONGEST = 100


class Product(NamedTuple):
    """All names in lower case, empty where the event has none: few records differ in them, so much is known by them."""

    name: str
    vendor: str
    version: str
    feature: str
    log: str
    provider: str


class Copy(NamedTuple):
    """Of which log, how a copy of its records is known, and the record as far as a mapping kept it.

    `rebuild` gives None where the mapping lost what the record's id, time, action or outcome need: then the event
    cannot be the record's own and stays one of OCSF. A module of `sources/ocsf/copies` that defines COPY adds one.
    """

    log: str
    is_copy: Callable[[Product], bool]
    rebuild: Callable[[dict[str, Any]], dict[str, Any] | None]


def product_of(record: dict[str, Any]) -> Product:
    """What `metadata` says of who reported the event."""
    metadata = mapping(record.get("metadata"))
    product = mapping(metadata.get("product"))
    return _in_lower_case(
        text(product.get("name")),
        text(product.get("vendor_name")),
        text(product.get("version")),
        text(at(product, "feature", "name")),
        text(metadata.get("log_name")),
        text(metadata.get("log_provider")),
    )


@lru_cache(maxsize=4096)
def _in_lower_case(*names: str | None) -> Product:
    return Product(*((name or "")[:_LONGEST].lower() for name in names))
