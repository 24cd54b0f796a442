"""Prediction on a Ray cluster and on this computer: equal tables, also if a node is lost.

    python benchmarks/predict_on_ray.py RUN IMAGES [--raylets 3] [--kill]

The script requires the extra `cluster`. All Ray nodes are on this computer; with `--kill`, one is killed during the
prediction.
"""

import argparse
import tempfile
import threading
import time
from pathlib import Path

from studies_on_ray import cluster_of

from coverslip import pipeline
from coverslip.events import Event, Progressed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("--raylets", type=int, default=3)
    parser.add_argument("--kill", action="store_true", help="kill a node after the first part")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, cluster_of(options.raylets) as (cluster, nodes):
        here, there = (Path(folder, name) for name in ("here.csv", "there.csv"))
        began = time.monotonic()
        pipeline.predict(options.run, options.images, out=here)
        print(f"without Ray: {time.monotonic() - began:.0f} s", flush=True)
        is_begun = threading.Event()

        def hear(event: Event) -> None:
            if isinstance(event, Progressed):
                print(f"{event.done} of {event.total}, {event.seconds_left or 0:.0f} s left", flush=True)
                if event.done and options.kill and not is_begun.is_set():
                    is_begun.set()
                    cluster.remove_node(nodes[-1], allow_graceful=False)
                    print("a Ray node was killed", flush=True)

        began = time.monotonic()
        pipeline.predict(options.run, options.images, out=there, on=cluster.address, trust_cluster=True, emit=hear)
        print(f"{options.raylets} Ray nodes: {time.monotonic() - began:.0f} s", flush=True)
        rows = here.read_text(encoding="utf-8").splitlines()
        n_other = sum(a != b for a, b in zip(rows, there.read_text(encoding="utf-8").splitlines(), strict=True))
        print(f"{len(rows) - 1} rows, {n_other} differ")


if __name__ == "__main__":
    main()
