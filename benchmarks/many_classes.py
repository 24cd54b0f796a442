"""30,336 synthetic images in 121 classes of very different sizes: times and longest silences of commands.

The script draws outlines on noise, 40 pixels per side. A class is defined by the number and depth of lobes, the length
and the brightness of the body, so that neighboring classes are confused. Class sizes decrease from 1,979 images to 9,
as in the plankton dataset of the National Data Science Bowl. Then `inspect`, an instant `train`, `report`, `evaluate`
and `predict` run, each as a child process, with one common cache.

Silence is the longest time without a line of output, start and end included, in processor seconds of the command (which
depend little on other work on the machine) and in elapsed seconds; for `train` also the longest time without an event
in `events.jsonl`, which the app shows. The lines before and after it are printed.

    python benchmarks/many_classes.py [--images N] [--classes K] [--folder FOLDER] [--only COMMAND…] [--set key=value…]
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image

SIDE = 40
LARGEST, SMALLEST = 1979, 9
SETTINGS = ("stage=instant", "image_size=64", "tta=1")
COMMANDS = ("inspect", "train", "report", "evaluate", "predict")


@dataclass(frozen=True)
class Watched:
    """A command with the times of its lines."""

    wall_s: float
    processor_s: float
    lines: list[tuple[float, float, str]]  # seconds and processor seconds since the start

    def silence(self) -> tuple[float, float, str, str]:
        """Return the longest processor and elapsed seconds without a line, and the lines around the first of them."""
        moments = [(0.0, 0.0, "start"), *self.lines, (self.wall_s, self.processor_s, "end")]
        wall = max(after[0] - before[0] for before, after in pairwise(moments))
        before, after = max(pairwise(moments), key=lambda pair: pair[1][1] - pair[0][1])
        return after[1] - before[1], wall, before[2], after[2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=30336)
    parser.add_argument("--classes", type=int, default=121)
    parser.add_argument(
        "--folder", type=Path, help="folder that keeps images and run, and reuses them; default: deleted"
    )
    parser.add_argument("--only", nargs="+", choices=COMMANDS, default=COMMANDS)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="further settings of training")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch)
        images = folder / "images"
        if not images.exists():
            draw(images, class_sizes(options.images, options.classes))
        print("| command | s | processor s | lines | longest silence (processor s) | longest silence (s) | between |")
        print("|---|---|---|---|---|---|---|")
        for name in options.only:
            watched = watch(arguments_of(name, folder, [*SETTINGS, *options.set]), folder / "cache")
            processor, wall, line, following = watched.silence()
            print(
                f"| {name} | {watched.wall_s:.1f} | {watched.processor_s:.1f} | {len(watched.lines)} "
                f"| {processor:.1f} | {wall:.1f} | {line[:50]} … {following[:50]} |",
                flush=True,
            )
        if "train" in options.only:
            print(f"\nLongest time without an event in training: {silence_of_events(folder / 'run'):.1f} s")


def arguments_of(name: str, folder: Path, settings: list[str]) -> list[str]:
    """Return the arguments of a command."""
    images, run = str(folder / "images"), folder / "run"
    choices = [part for setting in settings for part in ("--set", setting)]
    if name == "train":
        run = folder / "run"
        shutil.rmtree(run, ignore_errors=True)
    return {
        "inspect": ["inspect", images],
        "train": ["train", images, *choices, "--out", str(run)],
        "report": ["report", str(run)],
        "evaluate": ["evaluate", str(run), images, "--name", f"again{int(time.time())}"],
        "predict": ["predict", str(run), images, "--out", str(folder / "p.csv")],
    }[name]


def watch(arguments: list[str], cache: Path) -> Watched:
    """Run a command and record the time of each line."""
    environment = {**os.environ, "COVERSLIP_CACHE": str(cache), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "coverslip", *arguments]
    lines: list[tuple[float, float, str]] = []
    started = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True) as child:

        def note(stream: IO[str] | None) -> None:
            for line in stream or ():
                lines.append((time.monotonic() - started, processor_seconds(child.pid), line.strip()))

        readers = [threading.Thread(target=note, args=(stream,)) for stream in (child.stdout, child.stderr)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - started
    if child.returncode:
        raise SystemExit("\n".join([f"coverslip {' '.join(arguments)} failed:", *(line for *_, line in lines[-20:])]))
    return Watched(wall, used.ru_utime + used.ru_stime, sorted(lines))


def processor_seconds(pid: int) -> float:
    """Return the processor seconds of a process that may have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def silence_of_events(run: Path) -> float:
    """Return the longest time between two events of a training."""
    events = [json.loads(line) for line in (run / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    moments = [event["time"] for event in events if "time" in event]
    return max(after - before for before, after in pairwise(moments))


def class_sizes(n_images: int, n_classes: int) -> list[int]:
    """Return class sizes that decrease geometrically, scaled to `n` images."""
    sizes = np.geomspace(LARGEST, SMALLEST, n_classes)
    counts = np.maximum(np.round(sizes * n_images / sizes.sum()), SMALLEST).astype(int)
    counts[0] += n_images - counts.sum()
    return counts.tolist()


def draw(folder: Path, sizes: list[int]) -> None:
    """Write PNG images, with a folder for each class."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    for k, count in enumerate(sizes):
        in_class = folder / f"{k:03d} {_kind_name(k)}"
        in_class.mkdir(parents=True)
        for i in range(count):
            Image.fromarray(_drawn(k, rows, columns, rng)).save(in_class / f"{i:05d}.png", compress_level=1)


def _kind_name(k: int) -> str:
    return f"{('copepod', 'diatom', 'medusa', 'larva', 'chaetognath')[k % 5]}_{('small', 'long', 'lobed')[k % 3]}"


def _drawn(k: int, rows: np.ndarray, columns: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(SIDE, SIDE) uint8: one image of class k."""
    lobes, depth, stretch, shade = k % 7, 0.1 + 0.1 * (k // 7 % 3), 1 + 0.35 * (k // 21 % 3), k // 63 % 2
    turn, radius = rng.uniform(0, 2 * np.pi), rng.normal(11, 1)
    y, x = rows - rng.normal(19.5, 1.5), columns - rng.normal(19.5, 1.5)
    along, across = (x * np.cos(turn) + y * np.sin(turn)) / stretch, (y * np.cos(turn) - x * np.sin(turn)) * stretch
    edge = radius * (1 + rng.normal(depth, 0.04) * np.cos(lobes * np.arctan2(across, along)))
    inside = np.clip(edge - np.hypot(along, across), 0, 1)
    texture = 30 * np.cos(along * (0.4 + 0.25 * (k % 4)))
    body = rng.normal(90 + 60 * shade, 12) + texture
    noise = rng.normal(0, 10, (SIDE, SIDE))
    return np.clip(225 - inside * (225 - body) + noise, 0, 255).astype(np.uint8)


if __name__ == "__main__":
    main()
