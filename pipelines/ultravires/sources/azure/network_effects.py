"""Whom a rule of one of Azure's firewalls lets in.

https://learn.microsoft.com/en-us/azure/virtual-network/network-security-groups-overview
https://learn.microsoft.com/en-us/azure/azure-sql/database/firewall-configure
"""

import ipaddress
from itertools import islice
from typing import Any, Literal

from ultravires.reading.values import sequence, text
from ultravires.sources.azure.bodies import Json

_ADMIN_PORTS = (22, 23, 135, 445, 1433, 1521, 2375, 3306, 3389, 5432, 5985, 5986, 6379, 9200, 11211, 27017)
"""Ports of shells, remote desktops and databases: on these the whole internet has no business."""
_EVERYBODY = frozenset({"*", "internet", "any", "0.0.0.0/0", "::/0"})
_MOST_ITEMS = 500
_HALF_OF_ALL = 2**31
"""A range with more addresses than this is one for everybody."""


def is_open_rule(rule: Json) -> bool:
    """A security rule, its members by names in lower case, that lets everybody in to a port of administration."""
    is_inbound = (text(rule.get("direction")) or "").lower() == "inbound"
    is_allowed = (text(rule.get("access")) or "").lower() == "allow"
    sources = [rule.get("sourceaddressprefix"), *_listed(rule.get("sourceaddressprefixes"))]
    ports = [rule.get("destinationportrange"), *_listed(rule.get("destinationportranges"))]
    return is_inbound and is_allowed and ranges_of_everybody(sources) and any(map(_has_admin_port, ports))


def ranges_of_everybody(ranges: list[Any]) -> bool:
    """Whether one of these networks is that of everybody."""
    return any(type(each) is str and each.strip().lower() in _EVERYBODY for each in islice(ranges, _MOST_ITEMS))


def firewall_range(first: str | None, last: str | None) -> Literal["public", "outside"] | None:
    """Whom the rule of a database's firewall lets in, where that is not somebody in particular. From 0.0.0.0 to 0.0.0.0
    is everything that runs in Azure, whoever's it is.
    """
    if first is None or last is None:
        return None
    try:
        start, end = int(ipaddress.ip_address(first)), int(ipaddress.ip_address(last))
    except ValueError:
        return None
    if start == end == 0:
        return "outside"
    return "public" if end - start >= _HALF_OF_ALL else None


def _listed(value: Any) -> list[Any]:
    return sequence(value)[:_MOST_ITEMS]


def _has_admin_port(written: Any) -> bool:
    """`*`, `22` or `20-30`."""
    ports = str(written).strip() if type(written) in (str, int) else ""
    if ports == "*":
        return True
    first, _, last = ports.partition("-")
    if not (first.isascii() and first.isdigit() and len(first) <= 5):
        return False
    end = int(last) if last.isascii() and last.isdigit() and len(last) <= 5 else int(first)
    return any(int(first) <= port <= end for port in _ADMIN_PORTS)
