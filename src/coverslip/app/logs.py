"""The log of the server: internal errors go to a file for developers, not to the terminal.

Logging never blocks: a thread writes the lines. If lines arrive faster than the disk writes, or the same line is
repeated, further lines are dropped.
"""

import logging
import logging.handlers
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Full, Queue

_MOST_WAITING = 1_000
_MOST_ALIKE = 10
_WINDOW_SECONDS = 60.0
_MOST_KINDS = 1_000


@contextmanager
def logged_to(file: Path) -> Iterator[None]:
    """Write the log of this process, with warnings of libraries, to a file that is rotated at 1 MB."""
    file.parent.mkdir(exist_ok=True)
    target = _File(file, maxBytes=2**20, backupCount=3, encoding="utf-8", errors="backslashreplace", delay=True)
    target.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    waiting: Queue[logging.LogRecord | None] = Queue(_MOST_WAITING)
    handler, writer = _NonBlockingHandler(waiting), _Writer(waiting, target)
    handler.addFilter(_RateLimit())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.captureWarnings(capture=True)
    writer.start()
    try:
        yield
    finally:
        logging.captureWarnings(capture=False)
        logging.getLogger().removeHandler(handler)
        writer.stop()
        target.close()


class _File(logging.handlers.RotatingFileHandler):
    def handleError(self, record: logging.LogRecord) -> None:
        """Ignore errors such as a full disk: writing to a terminal that nothing reads could block forever."""


class _NonBlockingHandler(logging.handlers.QueueHandler):
    def enqueue(self, record: logging.LogRecord) -> None:
        with suppress(Full):
            self.queue.put_nowait(record)

    def handleError(self, record: logging.LogRecord) -> None:
        """Drop a call whose values do not match its format, instead of printing it to the terminal."""


class _Writer(logging.handlers.QueueListener):
    queue: Queue[logging.LogRecord | None]

    def enqueue_sentinel(self) -> None:
        self.queue.put(None)  # unlike the library's method, this waits if the queue is full


class _RateLimit(logging.Filter):
    """Let a kind of line pass a few times a minute."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        now, kind = time.monotonic(), (record.name, str(record.msg)[:100])
        since, n = self._seen.get(kind, (now, 0))
        if now - since > _WINDOW_SECONDS:
            since, n = now, 0
        if len(self._seen) >= _MOST_KINDS:
            self._seen.clear()
        self._seen[kind] = since, n + 1
        if n == _MOST_ALIKE - 1:
            record.msg = f"{record.msg} (others like it within {_WINDOW_SECONDS:.0f} s are not logged)"
        return n < _MOST_ALIKE
