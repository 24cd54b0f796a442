"""Studies on a Ray cluster and on this computer: equal results, also if a node is killed, and the overhead of both.

    python benchmarks/studies_on_ray.py lost --n 6     # three nodes on this computer, one killed during training
    python benchmarks/studies_on_ray.py overhead --n 200

The script requires the extra `cluster`. Trainings are instant classifiers of a tiny network with random weights on
synthetic cells. To measure the overhead, their process is /bin/false.
"""

import argparse
import csv
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coverslip.studies.local_executor import Order
    from coverslip.studies.ray_executor import Sent
    from coverslip.studies.running import Executor

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
os.environ.setdefault("RAY_raylet_start_wait_time_s", "600")  # a busy computer
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
TIMES = ("train_seconds",)
_PYTHON = sys.executable


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("lost", "overhead"))
    parser.add_argument("--n", type=int, default=200, help="trainings")
    parser.add_argument("--raylets", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        _prepare(Path(folder))
        (lost if options.what == "lost" else overhead)(Path(folder), options.n, options.raylets)


def lost(folder: Path, n: int, raylets: int) -> None:
    """Run a study locally, and on several raylets of which one is killed; compare the rows without times."""
    from coverslip import studies

    plan = _plan(folder, list(range(n)))
    with cluster_of(raylets) as (cluster, nodes):
        killed = threading.Thread(target=_kill, args=(cluster, nodes[-1], folder / "ray"), daemon=True)
        killed.start()
        began = time.monotonic()
        studies.run_study(plan, out=folder / "ray", on=cluster.address, trust_cluster=True)
        print(f"{raylets} raylets, one killed: {time.monotonic() - began:.0f} s", flush=True)
    began = time.monotonic()
    studies.run_study(plan, out=folder / "here")
    print(f"without Ray: {time.monotonic() - began:.0f} s", flush=True)
    here, there = (_rows(folder / name / "results.csv") for name in ("here", "ray"))
    print(f"{len(here)} rows without Ray, {len(there)} with Ray; equal except for times: {here == there}")
    for first, other in zip(here, there, strict=True):
        if first != other:
            print({key: (first[key], other[key]) for key in first if first[key] != other[key]})


def overhead(folder: Path, n: int, raylets: int) -> None:
    """Measure the overhead of an executor with trainings whose process ends immediately."""
    from coverslip.runs import Recipe
    from coverslip.studies.local_executor import LocalExecutor, Order
    from coverslip.studies.ray_executor import RayExecutor

    order = Order((str(folder / "cells"),), Recipe(), None, 1)
    _train_nothing()
    here = LocalExecutor(1)
    seconds = _seconds_each(here, order, folder / "here", n)
    print(f"without Ray: {1000 * seconds:.0f} ms per training, {here.n_parallel} in parallel", flush=True)
    sys.executable = _PYTHON  # raylets are started with it
    with cluster_of(raylets) as (cluster, _):
        executor = RayExecutor(cluster.address, 1, folder, trust_cluster=True)
        executor.task = executor.remote_task(_nothing_on_node)
        _seconds_each(executor, order, folder / "warm", 3 * raylets)  # workers are started once
        seconds = _seconds_each(executor, order, folder / "ray", n)
        print(f"with Ray: {1000 * seconds:.0f} ms per training, {executor.n_parallel} in parallel", flush=True)
        executor.close()


def _nothing_on_node(sent: "Sent") -> bytes:
    from coverslip.studies.ray_executor import train_on_node

    _train_nothing()
    return train_on_node(sent)


def _train_nothing() -> None:
    sys.executable = "/bin/false"


def _seconds_each(executor: "Executor", order: "Order", folder: Path, n: int) -> float:
    began = time.monotonic()
    with ThreadPoolExecutor(executor.n_parallel) as pool:
        list(pool.map(lambda i: executor.train(order, folder / f"{folder.name}-{i}", None), range(n)))
    seconds = time.monotonic() - began
    assert len(list(folder.glob("*.failure.json"))) == n, "all end with an error, and nothing else"
    return seconds / n


def _prepare(folder: Path) -> None:
    from drawing import write_cells
    from trained import import_small_network

    write_cells(folder / "cells", 40)
    (folder / "weights").mkdir()
    import_small_network(folder / "weights")


def _plan(folder: Path, seeds: list[int]) -> Path:
    from trained import SMALL_NETWORK

    from coverslip.runs.recipe import as_yaml

    recipe = {"image_size": 32, "tta": 1, "stage": "instant"}
    plan = {
        "datasets": ["cells"],
        "models": [SMALL_NETWORK],
        "folds": 0,
        "seeds": seeds,
        "threads": 1,
        "recipe": recipe,
    }
    (folder / "plan.yaml").write_text(as_yaml(plan))
    return folder / "plan.yaml"


@contextmanager
def cluster_of(n: int) -> Iterator[tuple[Any, list[Any]]]:
    """Start a head without cores, and raylets with one core each."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        nodes = [cluster.add_node(num_cpus=1) for _ in range(n)]
        yield cluster, nodes
    finally:
        cluster.shutdown()


def _kill(cluster: Any, node: Any, study: Path) -> None:
    """Kill a raylet after the first training, while others are running."""
    while not list(study.glob("cells/*/metrics.json")):
        time.sleep(0.1)
    cluster.remove_node(node, allow_graceful=False)
    print(
        f"a raylet was killed when {len(list(study.glob('cells/*/metrics.json')))} trainings were complete", flush=True
    )


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as table:
        return [{key: value for key, value in row.items() if key not in TIMES} for row in csv.DictReader(table)]


if __name__ == "__main__":
    main()
