"""Joining a Ray cluster, what its computers have, and work for them.

Ray places tasks and begins those again whose computer is lost; there is no scheduler of ours.
"""

import logging
import os
from collections.abc import Callable
from typing import Any

from coverslip.errors import CoverslipError, require_extra
from coverslip.machine import n_cores

_TRIES = 3  # of a task whose computer is lost


def joined_cluster(address: str) -> Any:  # Any: Ray's own module, which may not be there
    """Ray, as part of a cluster.

    Args:
        address: `ray` for the one that this computer belongs to, or a new one of it alone; else `ray://HOST:PORT`.

    Raises:
        CoverslipError: there is no cluster at the address.
        ExtraNotInstalled: Ray is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
    require_extra("cluster", "Work on a Ray cluster")
    import ray

    options: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}  # Any: each its own
    try:
        if address != "ray":
            ray.init(address=address, **options)
        else:
            try:
                ray.init(address="auto", **options)
            except ConnectionError:  # there is none yet
                ray.init(num_cpus=n_cores(), include_dashboard=False, **options)
    except Exception as error:  # Ray raises plain ones too
        what = f"Ray could not be reached or begun ({address}): {str(error).strip().splitlines()[0]}"
        raise CoverslipError(what, do="Start a cluster, or give the address of one that is there.") from error
    return ray


def computers_of(ray: Any) -> list[dict[str, float]]:  # Any: Ray's own module
    """What Ray may use of each computer that is there: `CPU`, `GPU` where it has some, and more."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def task_of(ray: Any, work: Callable[..., object], *, cores: int, gpus: int) -> Any:  # Any: Ray's
    """Work to be done on any computer with so much free; begun again where that computer is lost."""
    spread = {"max_retries": _TRIES, "scheduling_strategy": "SPREAD"}
    return ray.remote(work).options(num_cpus=cores, num_gpus=gpus, **spread)


def last_words(error: Exception) -> str:
    """What Ray says of an error, without the traces above it."""
    return str(error).strip().splitlines()[-1]
