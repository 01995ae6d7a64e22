"""Which network an address belongs to: a zone of the configuration, else the /24 or /48 around it."""

import ipaddress
from collections.abc import Callable, Mapping

import pyarrow as pa
import pyarrow.compute as pc

_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_USUAL_IPV4 = rf"^({_OCTET}\.){{3}}{_OCTET}$"
"""Four numbers without zeros before them."""


def network_namer(zones: Mapping[str, tuple[str, ...]]) -> Callable[[str], str | None]:
    """Names the network of an address: its configured zone, else its /24 or /48; None for what is no address."""
    networks = [(ipaddress.ip_network(cidr), zone) for zone, cidrs in sorted(zones.items()) for cidr in cidrs]

    def name(address: str) -> str | None:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return None
        for network, zone in networks:
            if parsed in network:
                return zone
        return str(ipaddress.ip_network((parsed, 24 if parsed.version == 4 else 48), strict=False))

    return name


def network_names(zones: Mapping[str, tuple[str, ...]], addresses: pa.StringArray) -> pa.StringArray:
    """The network of each address, as `network_namer` names it."""
    name = network_namer(zones)
    if zones:
        return pa.array(map(name, addresses.to_pylist()), pa.string())
    # Where no zone is configured most addresses are four numbers, whose /24 Arrow writes a hundred times faster.
    is_other = pc.invert(pc.match_substring_regex(addresses, _USUAL_IPV4)).fill_null(False)
    names = pc.replace_substring_regex(addresses, r"\.\d+$", ".0/24")
    others = pa.array(map(name, addresses.filter(is_other).to_pylist()), pa.string())
    return pc.replace_with_mask(names, is_other, others)
