"""The process of `submit`: it does one work, and reports progress and result.

The request arrives on stdin, progress and result go to stdout, as messages of `coverslip.processes`. The process ends
when nothing reads them any more.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import asdict

from coverslip.errors import CoverslipError
from coverslip.events import Emit, Event, Progressed
from coverslip.processes import Json, read_message, write_message


def answer(work: Callable[[Json, Emit], Json]) -> int:
    """Do the work; return exit code 0 if it gave a result. Otherwise the last message contains the error.

    Args:
        work: gets the request and a receiver of progress, and returns the result.
    """
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # output of libraries must not mix with messages

    def report(event: Event) -> None:
        if isinstance(event, Progressed):
            left = event.seconds_left
            progress = {"stage": event.stage, "done": event.done, "total": event.total, "seconds_left": left}
            write_message(answers, {"progress": progress})

    question = read_message(sys.stdin.buffer)
    if question is None:  # the server has ended
        return 1
    try:
        write_message(answers, {"result": work(question, report)})
    except BrokenPipeError:
        return 1
    except CoverslipError as error:
        write_message(answers, {"error": asdict(error.failure)})
        return 1
    return 0
