"""Clients of the app: the roles of their users, what their requests change, their addresses and languages."""

import ipaddress
from dataclasses import dataclass
from typing import Literal, get_args

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from coverslip.messages import ENGLISH, LANGUAGES, in_language

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


# The language of a request: that of a cookie, which pages set. Requests of scripts have none and get English.

COOKIE = "coverslip-language"  # the pages set it too: web/src/texts/language.ts


class Languages:
    """Answer each request in its language."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with in_language(language_of_cookie(Request(scope)) or ENGLISH):
            await self._app(scope, receive, send)


def language_of_cookie(request: Request) -> str | None:
    """Return the language that the cookie of a request names; None if it names none."""
    language = request.cookies.get(COOKIE)
    return language if language in LANGUAGES else None


def preferred_language(request: Request) -> str:
    """Return the language of `Accept-Language` that has messages and the highest weight."""
    weight_of = {ENGLISH: 0.0}
    for item in request.headers.get("accept-language", "").lower().split(",")[:20]:
        tag, _, weight = item.partition(";q=")
        language = tag.strip().partition("-")[0]
        if language in LANGUAGES:
            weight_of[language] = max(weight_of.get(language, 0.0), _weight(weight))
    return max(weight_of, key=lambda language: weight_of[language])


def _weight(text: str) -> float:
    try:
        return float(text or 1)
    except ValueError:
        return 0.0
