"""Compression of responses to other computers.

The length of a response reveals no secret (BREACH): the token is in headers only, which are not compressed. `Guard`,
which reflects an address with a token, is outside this layer.
"""

from starlette.middleware.gzip import GZipMiddleware
from starlette.types import Receive, Scope, Send

from coverslip.app.guard import is_loopback

LEVEL = 6  # 9 takes longer and saves at most 2% more


class Compression(GZipMiddleware):
    """Compress responses to other computers with gzip, except event streams, images and archives.

    On the same computer, compression takes longer than it saves.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        host, _ = scope.get("client") or ("localhost", 0)  # a socket without address is on this computer
        if scope["type"] == "http" and not is_loopback(host):
            await super().__call__(scope, receive, send)
        else:
            await self.app(scope, receive, send)
