"""Server-sent events."""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from fastapi import Request
from fastapi.responses import StreamingResponse

from coverslip.workspace.jobs.watching import Message, Watching

EVENT_STREAM: dict[int | str, dict[str, Any]] = {
    200: {"description": "Server-sent events.", "content": {"text/event-stream": {"schema": {"type": "string"}}}}
}


class EventStream(StreamingResponse):
    media_type = "text/event-stream"


def watched(request: Request, job_id: str, after: int) -> EventStream:
    """Everything that is new about a job that there is, as it happens."""
    watching: Watching = request.app.state.watching
    messages = watching.follow(job_id, after)
    return EventStream(_frames(messages), headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})


async def _frames(messages: AsyncIterator[Message]) -> AsyncIterator[str]:
    async for message in messages:
        if message.kind == "heartbeat":
            yield ": still here\n\n"
            continue
        number = "" if message.number is None else f"id: {message.number}\n"
        yield f"{number}event: {message.kind}\ndata: {message.text}\n\n"


@contextmanager
def ended_by_signals(watching: Watching) -> Iterator[None]:
    """End streams as soon as the server is asked to end: it waits for open answers, and these would never end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def heed(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(watching.close)
        handler = before[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    for number in before:
        signal.signal(number, heed)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
