"""Clients of the app: the roles of their users, what their requests change, and the addresses that tell them apart."""

import ipaddress
from dataclasses import dataclass
from typing import Literal, get_args

Role = Literal["viewer", "annotator", "editor"]
ROLES: tuple[Role, ...] = get_args(Role)  # each may do what those before it may


@dataclass(slots=True)
class Change:
    """What a request has changed, as far as it is recorded."""

    object: str = ""
    before: str = ""
    after: str = ""


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
