"""A process with a loaded classifier that classifies one image at a time.

Run as `python -m coverslip.workspace.predictions.classify_worker RUN`.

Requests arrive on stdin, and answers go to stdout, as messages of `coverslip.processes`. It ends when stdin is closed.
"""

import math
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from coverslip.datasets import open_image_file
from coverslip.errors import CoverslipError
from coverslip.processes import Json, read_message, write_message


def answer(classifier: Any, file: str) -> Json:  # Any: a Classifier, whose module imports much
    """Return the prediction of one image, or the error."""
    try:
        row = next(iter(classifier.predict(open_image_file(Path(file)))))
    except CoverslipError as error:
        return fault(error)
    numbers = row.probabilities or (math.nan,) * len(classifier.classes)
    return {
        "predicted": row.predicted,
        "probability": row.probability,
        "decision": row.decision,
        "probabilities": {
            name: None if math.isnan(p) else p for name, p in zip(classifier.classes, numbers, strict=True)
        },
        "reason": row.reason,
    }


def fault(error: CoverslipError) -> Json:
    """Return an error as a message."""
    return {"error": asdict(error.failure)}


def main(run: Path) -> int:
    """Answer requests until stdin is closed; return the exit code."""
    questions, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # output of libraries must not mix with answers
    from coverslip.inference import load_classifier

    try:
        classifier = load_classifier(run, "cpu")  # fast enough for single images; the GPU stays free for trainings
    except CoverslipError as error:
        write_message(answers, fault(error))
        return 1
    write_message(answers, {"ready": True})
    while (question := read_message(questions)) is not None:
        write_message(answers, answer(classifier, str(question["file"])))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
