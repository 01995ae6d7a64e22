"""Network addresses as logs write them: with a port, or in a field that may also hold a name (`gce-internal-ip`)."""

import ipaddress
from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_pton
from typing import Any

_NARROWEST_OF_ALL = 8
"""Ranges that are wider than this are a good part of the internet."""


def address_of(value: Any) -> str | None:
    """The value where it is an IPv4 or IPv6 address, else None."""
    return value if type(value) is str and is_address(value) else None


def is_address(value: str) -> bool:
    """Whether this is an IPv4 or IPv6 address and nothing more; the latter may name its zone (`fe80::1%eth0`)."""
    try:
        if ":" not in value:
            inet_pton(AF_INET, value)
            return True
        address, percent, zone = value.partition("%")
        inet_pton(AF_INET6, address)
    except (OSError, ValueError):
        return False
    return not percent or bool(zone and "%" not in zone and "/" not in zone)


@lru_cache(maxsize=65536)
def host_of(value: str) -> str | None:
    """The host of `192.0.2.7:51234`, `[2001:db8::7]:51234` or a bare address or name."""
    if value.startswith("["):
        return value[1:].partition("]")[0] or None
    return (value.partition(":")[0] if value.count(":") == 1 else value) or None


def is_for_everybody(address: str) -> bool:
    """Whether a range of addresses is so wide that it keeps nobody out; some write that as `0.0.0.0` alone."""
    try:
        network = ipaddress.ip_network(address.strip(), strict=False)
    except ValueError:
        return False
    is_written_so = int(network.network_address) == 0 and network.prefixlen == network.max_prefixlen
    return is_written_so or network.prefixlen < _NARROWEST_OF_ALL
