"""Requests wait only a short while for the database; what goes on without them may wait longer."""

from starlette.types import ASGIApp, Receive, Scope, Send

from coverslip.workspace.store.database import waiting_briefly


class BriefWaits:
    """Answer requests while another transaction writes, by 503 if need be, so that it never holds all threads."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # the lifespan begins what works in the background
            await self.app(scope, receive, send)
            return
        with waiting_briefly():
            await self.app(scope, receive, send)
