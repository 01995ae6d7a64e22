"""IP addresses as logs write them."""

import ipaddress
from functools import lru_cache
from typing import Any


def address(value: Any) -> str | None:
    """The value where it is an IPv4 or IPv6 address, else None."""
    return value if type(value) is str and _is_address(value) else None


@lru_cache(maxsize=65536)
def _is_address(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True
