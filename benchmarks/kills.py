"""A tiny training killed at random moments, resumed, killed again: does it end as if nothing had happened?

Draws samples, trains once without interruption, then again and again: kill -9 at a random moment (by the clock, right
after a random event of the log, or while a file is half-written), go on with `coverslip train --resume` (a new start
where there was no run yet), perhaps kill again. Weights, predictions and split must be the same bytes, metrics and
history the same numbers. Prints what the run was doing when it was killed, and the work that was lost: seconds since
the last thing that a resumed run does not do again. Exit code 1 on any difference.

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

SETTINGS = ("image_size=48", "tta=1", "epochs=3", "batch_size=16")
SAME_BYTES = ("classifier/weights.safetensors", "classifier/classifier.json", "predictions.csv", "split.csv")
KILLS_PER_RUN = 3  # then it may end
SECONDS_TO_END = 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10, help="kills (default: 10)")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        lost, faults = kill_again_and_again(Path(scratch), asked.count, random.Random(asked.seed))
    print("| killed | times | lost work, middle s | at most s |")
    print("|---|---|---|---|")
    for stage, seconds in sorted(lost.items(), key=lambda item: -len(item[1])):
        print(f"| {stage} | {len(seconds)} | {statistics.median(seconds):.1f} | {max(seconds):.1f} |")
    for fault in faults:
        print(f"WRONG: {fault}")
    sys.exit(1 if faults else 0)


def kill_again_and_again(scratch: Path, count: int, rng: random.Random) -> tuple[dict[str, list[float]], list[str]]:
    """Seconds of lost work by what the run was doing, and what was different at the end."""
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
                break  # it was done before its time had come
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
    """The command that resumes a run; None if there is none yet."""
    return ["train", "--resume", str(run)] if (run / "recipe.yaml").exists() else None


def finish(process: subprocess.Popen[str], run: Path) -> None:
    if process.wait(timeout=SECONDS_TO_END):
        raise SystemExit(f"a run that nobody killed ended with {process.returncode}: {read_json(run / 'status.json')}")


def a_moment(rng: random.Random, run: Path, seconds: float, n_events: int) -> Callable[[], bool]:
    """A question to ask again and again; yes means now."""
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

        def is_told() -> bool:
            if not reached and len(events_of(run)) >= nth:
                reached.append(time.monotonic())
            return bool(reached) and time.monotonic() - reached[0] >= delay

        return is_told
    end = time.monotonic() + rng.uniform(0, seconds)
    return lambda: time.monotonic() >= end


def events_of(run: Path) -> list[dict[str, Any]]:
    """The events of a log; a torn last line is no event."""
    file = run / "events.jsonl"
    found = []
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else []:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if "event" in event:
            found.append(event)
    return found


def at_the_kill(run: Path, started: float) -> tuple[str, float]:
    """What the process that started then was doing when it was killed just now, and the seconds of work lost."""
    now = time.time()
    events = [event for event in events_of(run) if event["time"] >= started and event["event"] != "Noted"]
    half = ", a file half-written" if list(run.rglob(".*.part")) else ""
    if not (run / "recipe.yaml").exists():
        return f"before there was a run{half}", 0.0
    if not events:
        return f"before any image was read{half}", 0.0
    kept = [event["time"] for event in events if event["event"] == "CheckpointSaved" or is_complete(event)]
    work = now - (max(kept) if kept else events[0]["time"])
    return doing(events[-1]) + half, work


def is_complete(event: dict[str, Any]) -> bool:
    """Whether a stage ended whose results lie in a cache."""
    return event["event"] == "Progressed" and event["done"] == event["total"] and event["stage"] != "predicting"


def doing(last: dict[str, Any]) -> str:
    """What comes after the last reported event."""
    match last["event"]:
        case "Progressed" if last["done"] < last["total"] or last["stage"] == "predicting":
            return "measuring or writing the report" if last["stage"] == "predicting" else last["stage"]
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
    """What a run that was interrupted does not have in common with one that was not."""
    found = [name for name in SAME_BYTES if (run / name).read_bytes() != (whole / name).read_bytes()]
    if read_json(run / "metrics.json") != read_json(whole / "metrics.json"):
        found.append("metrics.json")
    if history(run) != history(whole):
        found.append("history.csv")
    found += [f"{path.name} left behind" for path in run.rglob(".*.part")]
    return found + ([] if (run / "report.html").exists() else ["no report.html"])


def history(run: Path) -> dict[str, list[dict[str, str]]]:
    """The epochs of a run, or of each of its folds."""
    return {str(file.relative_to(run)): epochs(file) for file in sorted(run.rglob("history.csv"))}


def epochs(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as opened:
        return [{name: cell for name, cell in row.items() if name != "seconds"} for row in csv.DictReader(opened)]


def read_json(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return found


if __name__ == "__main__":
    main()
