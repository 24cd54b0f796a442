"""Where files lie on each computer of a cluster."""

import os
from pathlib import Path

ROOTS_VARIABLE = "COVERSLIP_ROOTS"  # of a computer: where folders lie that are called otherwise here


def place_here(place: str) -> str:
    """Where a file or folder lies on this computer.

    `/data=/mnt/data;…` in the variable says that what lies below /data elsewhere is below /mnt/data here.
    """
    for pair in filter(None, os.environ.get(ROOTS_VARIABLE, "").split(";")):
        there, _, here = pair.partition("=")
        if Path(place).is_relative_to(there):
            return str(Path(here) / Path(place).relative_to(there))
    return place
