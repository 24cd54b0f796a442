"""The clients of a server, as far as their addresses tell them apart."""

import ipaddress

_V6_PREFIX = 64  # bits; the smallest network that a provider assigns, in which one computer can use every address


def client_of(address: str) -> str:
    """Return the client that an address counts for: the address itself, or the network of an IPv6 address."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:  # a client without an address, or a name
        return address
    if parsed.version == 4:
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed), _V6_PREFIX), strict=False))
