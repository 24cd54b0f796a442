"""What this computer has to offer."""

import os


def n_cores() -> int:
    """Processor cores that this process may use: fewer than there are in a container or a cluster's job."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1
