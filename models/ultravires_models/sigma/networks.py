"""CIDR membership as plain SQL, because DuckDB's inet extension cannot be assumed.

An address is brought into a text of fixed width whose order is the order of the numbers, so that a network is
a BETWEEN: four decimal groups of three digits for IPv4, thirty-two hex digits for IPv6.
"""

from ipaddress import IPv4Network, IPv6Network

from ultravires_models.sigma.sqltext import literal

_IPV4 = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3}"
_IPV6 = r"[0-9a-f:]*:[0-9a-f:]*"


def is_in_network(text: str, network: IPv4Network | IPv6Network) -> str:
    """SQL that is true when the SQL text `text` is an address of the network; false or null otherwise."""
    if isinstance(network, IPv4Network):
        return _is_in_ipv4(text, network)
    return _is_in_ipv6(text, network)


def _is_in_ipv4(text: str, network: IPv4Network) -> str:
    # an IPv4 address written as IPv6 (::ffff:192.0.2.1) is still that address
    address = f"regexp_replace({text}, '^::[fF]{{4}}:', '')"
    ordered = f"array_to_string(list_transform(string_split({address}, '.'), lambda g: lpad(g, 3, '0')), '')"
    low, high = (_decimal(str(end)) for end in (network.network_address, network.broadcast_address))
    return f"(regexp_full_match({address}, {literal(_IPV4)}) AND {ordered} BETWEEN {literal(low)} AND {literal(high)})"


def _decimal(address: str) -> str:
    return "".join(group.zfill(3) for group in address.split("."))


def _is_in_ipv6(text: str, network: IPv6Network) -> str:
    address = f"lower({text})"
    head, tail = (
        f"list_filter(string_split(split_part({address}, '::', {n}), ':'), lambda g: g <> '')" for n in (1, 2)
    )
    zeros = f"list_transform(range(8 - len({head}) - len({tail})), lambda n: '0')"
    groups = f"list_concat({head}, list_concat({zeros}, {tail}))"
    ordered = f"array_to_string(list_transform({groups}, lambda g: lpad(g, 4, '0')), '')"
    low, high = (end.exploded.replace(":", "") for end in (network.network_address, network.broadcast_address))
    return (
        f"(regexp_full_match({address}, {literal(_IPV6)}) AND length({ordered}) = 32 "
        f"AND {ordered} BETWEEN {literal(low)} AND {literal(high)})"
    )
