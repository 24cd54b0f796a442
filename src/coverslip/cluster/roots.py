"""Where files lie on each computer of a cluster."""

import os
from pathlib import Path

ROOTS_VARIABLE = "COVERSLIP_ROOTS"  # of a computer: where folders lie that are called otherwise here


def place_here(path: str) -> str:
    """Return where a file or folder lies on this computer.

    `/data=/mnt/data;…` in the variable says that files below /data on other computers are below /mnt/data on this one.
    """
    for pair in filter(None, os.environ.get(ROOTS_VARIABLE, "").split(";")):
        original, _, local = pair.partition("=")
        if Path(path).is_relative_to(original):
            return str(Path(local) / Path(path).relative_to(original))
    return path
