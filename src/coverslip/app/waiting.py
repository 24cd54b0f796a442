"""Work that is only worth doing while somebody waits for it."""

import asyncio
import threading
from collections.abc import Callable

from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool


async def while_wanted(request: Request, answer: Callable[[Callable[[], bool]], Response]) -> Response:
    """What `answer` gives, in a thread; it is handed a function that says whether the client is still there."""
    is_gone = threading.Event()
    watching = asyncio.create_task(_watch(request, is_gone))
    try:
        return await run_in_threadpool(answer, lambda: not is_gone.is_set())
    finally:
        watching.cancel()


async def _watch(request: Request, is_gone: threading.Event) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    is_gone.set()
