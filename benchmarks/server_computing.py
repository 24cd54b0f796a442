"""Other requests while suggested groups and the inspection of a dataset are computed, in a thread and in a process.

After each label, both are computed again. Meanwhile, another thread reads the state of the dataset, as requests of
other users do.

    python benchmarks/server_computing.py [--images 5000] [--rounds 2]
"""

import argparse
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from many_images import draw
from sqlalchemy import select

from coverslip.workspace import group_suggestions
from coverslip.workspace.datasets import labels, reading_images, sources
from coverslip.workspace.datasets.state import dataset_state
from coverslip.workspace.store.tables import images
from coverslip.workspace.store.workspace import Workspace, open_workspace
from coverslip.workspace.viewing.filters import ImageSelection
from coverslip.workspace.workers import Computing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        draw(folder / "cells", options.images)
        workspace = open_workspace(folder / "workspace", (folder,))
        dataset_id = sources.open_sources(workspace, [sources.Source(str(folder / "cells"))]).id
        workspace.background.wait_all()
        workspace.works.wait_all()
        computing = Computing(fewest_images=0)
        ways = {
            "thread": replace(workspace, computing=Computing(fewest_images=2 * options.images)),
            "process": replace(workspace, computing=computing),
        }
        group_suggestions.list_suggestions(ways["process"], dataset_id)  # starts the process
        print("| computed in | s until both are computed | state of the dataset, ms: median | 95th percentile | n |")
        print("|---|---:|---:|---:|---:|")
        for _ in range(options.rounds):
            for name, way in ways.items():
                label_one(workspace, dataset_id)
                seconds, states = compute(way, dataset_id)
                p50, p95 = np.percentile(states, (50, 95)) * 1e3
                print(f"| {name} | {seconds:.1f} | {p50:.1f} | {p95:.1f} | {len(states)} |", flush=True)
        computing.close()


def label_one(workspace: Workspace, dataset_id: str) -> None:
    """Label an image, so that what was computed is outdated."""
    with workspace.engine.connect() as connection:
        row = connection.execute(select(images.c.row_id, images.c.label).order_by(images.c.row_id)).first()
    assert row is not None
    label = next(each.name for each in dataset_state(workspace, dataset_id).classes if each.name != row.label)
    labels.set_labels(workspace, dataset_id, ImageSelection(rows=[row.row_id]), label)


def compute(workspace: Workspace, dataset_id: str) -> tuple[float, list[float]]:
    """Return the seconds until groups and inspection are computed, and those of each state that was read meanwhile."""
    states: list[float] = []
    is_over = threading.Event()

    def read() -> None:
        while not is_over.wait(0.05):
            start = time.perf_counter()
            dataset_state(workspace, dataset_id)
            states.append(time.perf_counter() - start)

    reader = threading.Thread(target=read)
    reader.start()
    start = time.perf_counter()
    group_suggestions.list_suggestions(workspace, dataset_id)
    reading_images.inspection(workspace, dataset_id)
    seconds = time.perf_counter() - start
    is_over.set()
    reader.join()
    return seconds, states


if __name__ == "__main__":
    main()
