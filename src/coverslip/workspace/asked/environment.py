"""The environment of processes that the server begins."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from coverslip.images import WITHIN_VARIABLE
from coverslip.machine import n_cores
from coverslip.process_limits import APART_VARIABLE

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def child_environment(readable: Sequence[Path]) -> dict[str, str]:
    """The server's own environment, but with all cores to work on: the server may have been told to keep to few.

    Images are decoded by processes that can be killed, as in the server, and none outside the same folders.

    Args:
        readable: real paths of the folders below which images may be read.
    """
    within = json.dumps([str(folder) for folder in readable])
    return {**os.environ, **dict.fromkeys(_THREADS, str(n_cores())), APART_VARIABLE: "1", WITHIN_VARIABLE: within}
