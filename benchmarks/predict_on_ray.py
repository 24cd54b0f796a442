"""Images predicted on a Ray cluster beside the same ones here: equal tables, also where a computer is lost.

    python benchmarks/predict_on_ray.py RUN IMAGES [--raylets 3] [--kill]

Needs the extra `cluster`. Ray's nodes are all on this computer; one is killed when some images are done.
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
    parser.add_argument("--kill", action="store_true", help="one of them, when the first part is done")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, cluster_of(asked.raylets) as (cluster, nodes):
        here, there = (Path(folder, name) for name in ("here.csv", "there.csv"))
        began = time.monotonic()
        pipeline.predict(asked.run, asked.images, out=here)
        print(f"here: {time.monotonic() - began:.0f} s", flush=True)
        is_begun = threading.Event()

        def hear(event: Event) -> None:
            if isinstance(event, Progressed):
                print(f"{event.done} of {event.total}, {event.seconds_left or 0:.0f} s left", flush=True)
                if event.done and asked.kill and not is_begun.is_set():
                    is_begun.set()
                    cluster.remove_node(nodes[-1], allow_graceful=False)
                    print("one of Ray's nodes was killed", flush=True)

        began = time.monotonic()
        pipeline.predict(asked.run, asked.images, out=there, on=cluster.address, trust_cluster=True, emit=hear)
        print(f"{asked.raylets} of Ray's nodes: {time.monotonic() - began:.0f} s", flush=True)
        rows = here.read_text(encoding="utf-8").splitlines()
        n_other = sum(a != b for a, b in zip(rows, there.read_text(encoding="utf-8").splitlines(), strict=True))
        print(f"{len(rows) - 1} rows, {n_other} of them differ")


if __name__ == "__main__":
    main()
