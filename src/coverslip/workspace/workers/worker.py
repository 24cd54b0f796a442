"""The other side of `asking`: a process that does one work, tells how far it is, and gives the result.

The question comes by stdin, progress and result go to stdout, as messages of `coverslip.pipes`. It ends when nobody
reads them any more.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import asdict

from coverslip.errors import CoverslipError
from coverslip.events import Emit, Event, Progressed
from coverslip.pipes import Json, read_message, write_message


def answer(work: Callable[[Json, Emit], Json]) -> int:
    """Exit code 0 where the work gave a result; else the last message says why not.

    Args:
        work: question and whom to tell about progress -> result.
    """
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not stand among messages

    def tell(event: Event) -> None:
        if isinstance(event, Progressed):
            left = event.seconds_left
            progress = {"stage": event.stage, "done": event.done, "total": event.total, "seconds_left": left}
            write_message(answers, {"progress": progress})

    question = read_message(sys.stdin.buffer)
    if question is None:  # the server has ended
        return 1
    try:
        write_message(answers, {"result": work(question, tell)})
    except BrokenPipeError:
        return 1
    except CoverslipError as error:
        write_message(answers, {"error": asdict(error.failure)})
        return 1
    return 0
