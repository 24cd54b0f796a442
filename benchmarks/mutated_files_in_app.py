"""Thousands of damaged files, one by one and in the app: time and memory of the worst file.

The files are those of `mutated_files.py`. Each file is decoded in this process and then predicted by a loaded
classifier, both timed in processor seconds; the peak memory of the process is reset for each file (Linux). Then all
files are opened as one dataset of the app, whose server and decoding processes are sampled ten times per second. Exit
code 1 if a file takes over 10 s, a process takes over 1 GB, or a file has no row.

    python benchmarks/mutated_files_in_app.py [--count N] [--seed S]
"""

import argparse
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from mutated_files import a_classifier, write_mutated

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from browser import RunningApp

MOST_SECONDS, MOST_BYTES = 10, 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000, help="damaged files (default: 1000)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch)
        os.environ["COVERSLIP_CACHE"] = str(folder / "cache")
        paths = write_mutated(folder / "images" / "damaged", options.count, options.seed)
        is_right = all([one_by_one(paths, folder), in_app(folder, len(paths))])
    sys.exit(0 if is_right else 1)


def one_by_one(paths: list[Path], scratch: Path) -> bool:
    """Decode and predict each file separately; return whether all are within the limits."""
    from coverslip.errors import UnreadableImage
    from coverslip.images import image_facts, read_pixels
    from coverslip.inference import load_classifier

    classifier = load_classifier(a_classifier(scratch / "training"))
    classifier.predict(scratch / "training" / "samples")  # its engine is created with the first images

    def is_decoded(path: Path) -> bool:
        try:
            image_facts(read_pixels(path))
        except UnreadableImage:
            return False
        return True

    def is_predicted(path: Path) -> bool:
        (row,) = classifier.predict([path])
        return row.decision != "unreadable"

    return all([worst_of("decoded", paths, is_decoded), worst_of("predicted", paths, is_predicted)])


def worst_of(done: str, paths: list[Path], is_done: Callable[[Path], bool]) -> bool:
    """Print time and memory of the worst file; return whether they are within the limits."""
    slowest, largest, n_done = (0.0, ""), (0, ""), 0
    for path in paths:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # reset the peak memory
        before, began = peak_bytes(), time.process_time()
        n_done += is_done(path)
        slowest = max(slowest, (time.process_time() - began, path.name))
        largest = max(largest, (peak_bytes() - before, path.name))
    print(f"{done} one by one: {n_done:,} of {len(paths):,}; slowest {slowest[0]:.2f} processor s ({slowest[1]})")
    print(f"{done} one by one: at most {largest[0] / 2**20:.0f} MiB more for a file ({largest[1]})", flush=True)
    return slowest[0] <= MOST_SECONDS and largest[0] <= MOST_BYTES


def peak_bytes() -> int:
    """Return the peak memory of this process since the last reset."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


def in_app(folder: Path, n: int) -> bool:
    """Open all files as a dataset; return whether each has a row and all processes are within the limits."""
    (folder / "app").mkdir()
    app = RunningApp(folder / "app" / "workspace", folder).start()
    assert app.process is not None
    peaks: dict[str, int] = {}
    has_ended = threading.Event()

    def look() -> None:
        server = psutil.Process(app.process.pid)  # type: ignore[union-attr]  # it runs
        while not has_ended.wait(0.1):
            for process in (server, *server.children(recursive=True)):
                try:
                    rss, command = process.memory_info().rss, " ".join(process.cmdline())
                except psutil.Error:
                    continue
                kind = "decoding" if "decoding.worker" in command else "server" if process == server else "other"
                peaks[kind] = max(peaks.get(kind, 0), rss)

    looking = threading.Thread(target=look)
    looking.start()
    began = time.monotonic()
    dataset = app.send("datasets", {"sources": [{"path": str(folder / "images")}]})
    dataset = app.until(f"datasets/{dataset['id']}", lambda state: state["state"] != "reading", 3_000)
    seconds = time.monotonic() - began
    has_ended.set()
    looking.join()
    code = app.end()
    print(
        f"app: {dataset['n_images']:,} rows after {seconds:.0f} s, {dataset['n_unreadable']:,} unreadable; "
        f"exit code {code}"
    )
    print("app: peaks " + ", ".join(f"{kind} {peak / 2**20:.0f} MiB" for kind, peak in sorted(peaks.items())))
    return dataset["n_images"] == n and dataset["state"] == "ready" and max(peaks.values()) <= MOST_BYTES


if __name__ == "__main__":
    main()
