"""A small training killed at random moments and resumed: is the result equal to that without kills?

The script writes synthetic cells and trains once without interruption. Then it repeats: `kill -9` at a random moment
(by time, directly after a random event of the log, or while a file is partly written), resume with `coverslip train
--resume` (a new training if there is no run yet), and possibly kill again. Weights, predictions and split must be
byte-identical, metrics and history equal. The script prints what the run was doing when it was killed, and the lost
work: the seconds since the last step that a resumed run does not repeat. Exit code 1 on any difference.

    python benchmarks/kills.py [--count N] [--seed S]
"""

import argparse
import csv
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _records import Record

RECORD = Record(
    "Trainings killed at random times", [f"src/coverslip/{name}" for name in ("experiments", "runs", "training")]
)
SETTINGS = ("image_size=48", "tta=1", "epochs=3", "batch_size=16")
SAME_BYTES = ("classifier/weights.safetensors", "classifier/classifier.json", "predictions.csv", "split.csv")
KILLS_PER_RUN = 3  # after these, the run may end
SECONDS_TO_END = 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10, help="kills (default: 10)")
    parser.add_argument("--seed", type=int, default=0)
    RECORD.add_option(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        lost, faults = kill_repeatedly(Path(scratch), options.count, random.Random(options.seed))
    print("| killed during | kills | lost work, median (s) | maximum (s) |")
    print("|---|---|---|---|")
    for stage, seconds in sorted(lost.items(), key=lambda item: -len(item[1])):
        print(f"| {stage} | {len(seconds)} | {statistics.median(seconds):.1f} | {max(seconds):.1f} |")
    for fault in faults:
        print(f"WRONG: {fault}")
    n_kills, losses = sum(map(len, lost.values())), {stage: statistics.median(each) for stage, each in lost.items()}
    RECORD.add("Differences between resumed runs and one without interruption", len(faults), n=f"{n_kills} kills")
    worst = max(losses, key=lambda stage: losses[stage])
    RECORD.add("Largest median of lost work in a stage", round(losses[worst], 1), "s", note=worst)
    RECORD.write()
    sys.exit(1 if faults else 0)


def kill_repeatedly(scratch: Path, count: int, rng: random.Random) -> tuple[dict[str, list[float]], list[str]]:
    """Return the seconds of lost work by activity of the run, and the differences at the end."""
    from coverslip.synthetic_cells import write_sample_images

    images = write_sample_images(scratch / "cells", n_images=80).folder
    choices = [part for setting in SETTINGS for part in ("--set", setting)]
    new = ["train", str(images), "--group-pattern", r"slide\d+", *choices, "--out"]
    whole = scratch / "whole"
    began = time.monotonic()
    finish(start([*new, str(whole)], scratch / "cache"), whole)
    seconds = time.monotonic() - began
    n_events = len(events_of(whole))
    print(f"one run takes {seconds:.1f} s and reports {n_events} events", flush=True)

    lost: dict[str, list[float]] = defaultdict(list)
    faults: list[str] = []
    n_kills = n_runs = 0
    while n_kills < count:
        n_runs += 1
        run, cache = scratch / f"run{n_runs}", scratch / f"cache{n_runs}"
        for _ in range(KILLS_PER_RUN):
            if n_kills == count:
                break
            is_time = a_moment(rng, run, seconds, n_events)
            started = time.time()
            process = start(resumed(run) or [*new, str(run)], cache)
            while process.poll() is None and not is_time():
                time.sleep(0.001)
            process.kill()
            if process.wait() == 0:
                break  # the run ended before the chosen moment
            n_kills += 1
            stage, work = at_the_kill(run, started)
            lost[stage].append(work)
            print(f"kill {n_kills}: {stage}", flush=True)
        if read_json(run / "status.json").get("state") != "done":
            finish(start(resumed(run) or [*new, str(run)], cache), run)
        faults += [f"run {n_runs}: {difference}" for difference in differences(run, whole)]
    print(f"{n_kills} kills in {n_runs} runs")
    return lost, faults


def start(arguments: list[str], cache: Path, *, errors: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "coverslip", *arguments],
        env={**os.environ, "COVERSLIP_CACHE": str(cache)},
        stdout=subprocess.DEVNULL,
        stderr=errors,
        text=True,
    )


def resumed(run: Path) -> list[str] | None:
    """Return the command that resumes a run; None if there is no run yet."""
    return ["train", "--resume", str(run)] if (run / "recipe.yaml").exists() else None


def finish(process: subprocess.Popen[str], run: Path) -> None:
    if process.wait(timeout=SECONDS_TO_END):
        raise SystemExit(f"a run without kills ended with {process.returncode}: {read_json(run / 'status.json')}")


def a_moment(rng: random.Random, run: Path, seconds: float, n_events: int) -> Callable[[], bool]:
    """Return a condition to poll; true means now."""
    kind = rng.choice(["clock", "event", "half-written"])
    if kind == "half-written":
        n_used_in_training, nth = 0, rng.randint(1, 12)
        seen: set[str] = set()

        def is_writing() -> bool:
            nonlocal n_used_in_training
            parts = {path.name for path in run.rglob(".*.part")} - seen
            seen.update(parts)
            n_used_in_training += len(parts)
            return n_used_in_training >= nth

        return is_writing
    if kind == "event":
        nth, delay = len(events_of(run)) + rng.randint(1, n_events), rng.uniform(0, 0.3)
        reached: list[float] = []

        def is_written() -> bool:
            if not reached and len(events_of(run)) >= nth:
                reached.append(time.monotonic())
            return bool(reached) and time.monotonic() - reached[0] >= delay

        return is_written
    end = time.monotonic() + rng.uniform(0, seconds)
    return lambda: time.monotonic() >= end


def events_of(run: Path) -> list[dict[str, Any]]:
    """Return the events of a log; an incomplete last line is not an event."""
    file = run / "events.jsonl"
    events = []
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else []:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if "event" in event:
            events.append(event)
    return events


def at_the_kill(run: Path, started: float) -> tuple[str, float]:
    """Return what the process was doing when it was killed, and the seconds of lost work."""
    now = time.time()
    events = [event for event in events_of(run) if event["time"] >= started and event["event"] != "Noted"]
    half = ", a file partly written" if list(run.rglob(".*.part")) else ""
    if not (run / "recipe.yaml").exists():
        return f"before there was a run{half}", 0.0
    if not events:
        return f"before any image was read{half}", 0.0
    times = [event["time"] for event in events if event["event"] == "CheckpointSaved" or is_complete(event)]
    work = now - (max(times) if times else events[0]["time"])
    return doing(events[-1]) + half, work


def is_complete(event: dict[str, Any]) -> bool:
    """Return whether a stage ended whose results are in a cache."""
    return event["event"] == "Progressed" and event["done"] == event["total"] and event["stage"] != "predicting"


def doing(last: dict[str, Any]) -> str:
    """Return what follows the last reported event."""
    match last["event"]:
        case "Progressed" if last["done"] < last["total"] or last["stage"] == "predicting":
            return "evaluation and report" if last["stage"] == "predicting" else last["stage"]
        case "Progressed" if last["stage"] == "reading-images":
            return "splitting"
        case "Progressed" if last["stage"] == "preprocessing-images":
            return "building the network"
        case "Progressed":
            return "fitting the head"
        case "RunStarted":
            return "filling the pixel cache"
        case "StageStarted" if last["stage"] == "instant":
            return "embedding"
        case "StageStarted" | "StepEnded" | "InstantClassifierFitted":
            return f"epoch {last.get('epoch', 1)}"
        case "EpochEnded":
            return "writing a checkpoint"
        case "CheckpointSaved":
            return f"after the checkpoint of epoch {last['epoch']}"
        case "RunEnded":
            return "ending"
    return f"after {last['event']}"


def differences(run: Path, whole: Path) -> list[str]:
    """Return the differences between an interrupted run and one without interruption."""
    differing = [name for name in SAME_BYTES if (run / name).read_bytes() != (whole / name).read_bytes()]
    if read_json(run / "metrics.json") != read_json(whole / "metrics.json"):
        differing.append("metrics.json")
    if history(run) != history(whole):
        differing.append("history.csv")
    differing += [f"{path.name} left behind" for path in run.rglob(".*.part")]
    return differing + ([] if (run / "report.html").exists() else ["no report.html"])


def history(run: Path) -> dict[str, list[dict[str, str]]]:
    """Return the epochs of a run, or of each of its folds."""
    return {str(file.relative_to(run)): epochs(file) for file in sorted(run.rglob("history.csv"))}


def epochs(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as opened:
        return [{name: cell for name, cell in row.items() if name != "seconds"} for row in csv.DictReader(opened)]


def read_json(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return content


if __name__ == "__main__":
    main()
