"""The network address in a field that may also hold a name: `gce-internal-ip`, a host, an address with its port."""

import ipaddress
from functools import lru_cache
from typing import Any


def address_of(value: Any) -> str | None:
    """The value where it is an IPv4 or IPv6 address, else None."""
    return value if type(value) is str and _is_address(value) else None


@lru_cache(maxsize=65536)
def _is_address(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True
