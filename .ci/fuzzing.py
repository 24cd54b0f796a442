"""Search for image files on which a reader fails: .ci/fuzzing.py SECONDS IMAGES OUT; .ci/fuzz calls it.

A reader may refuse a file with its error. Any other error, more than 2 GB of memory and more than 20 s are faults. Each
format, named by the suffixes of the files to start from, has a process of its own and a folder of what covers new code.
"""

import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

MOST_BYTES = 200_000
MOST_SEEDS = 40
FORMATS = {
    *(".bmp", ".png", ".jpg", ".tif", ".jp2", ".j2k", ".webp", ".gif"),
    *(".czi", ".dcm", ".lif", ".nd2", ".oib", ".oif", ".svs", ".ndpi", ".scn", ".mrxs"),
}


def search(out: Path, seconds: str) -> None:
    """Let libFuzzer read changed files until the time is over. It ends the process; the exit code tells of a fault."""
    import atheris

    with atheris.instrument_imports(include=["coverslip.images", "tifffile", "czifile", "liffile", "oiffile", "nd2"]):
        from coverslip.errors import UnreadableImage
        from coverslip.images.decoding import describe_image, read_pixels

    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary, "image")

        def read(data: bytes) -> None:
            file.write_bytes(data)
            for reading in (describe_image, read_pixels):
                with suppress(UnreadableImage):
                    reading(file)

        limits = [f"-max_total_time={seconds}", f"-max_len={MOST_BYTES}", "-rss_limit_mb=2048", "-timeout=20"]
        quiet = ["-verbosity=0", "-print_final_stats=1", "-close_fd_mask=1"]
        atheris.Setup([sys.argv[0], *limits, *quiet, f"-artifact_prefix={out}/", str(out / "covering")], read)
        atheris.Fuzz()


def main(seconds: str, images: Path, folder: Path) -> int:
    """Search in each format, and print how many files were read and where what was found lies."""
    seeds = defaultdict(list)
    for file in sorted(images.rglob("*")):
        if file.suffix.lower() in FORMATS and file.is_file() and file.stat().st_size <= MOST_BYTES:
            seeds[file.suffix.lower().lstrip(".")].append(file)
    if not seeds:
        sys.exit(f"fuzz: {images} has no images of at most {MOST_BYTES:,} bytes; set COVERSLIP_DATA")
    n_failed = 0
    for name, files in sorted(seeds.items()):
        out = folder / name
        covering = out / "covering"
        covering.mkdir(parents=True, exist_ok=True)
        for i, file in enumerate(files[:: max(1, len(files) // MOST_SEEDS)][:MOST_SEEDS]):
            shutil.copyfile(file, covering / f"seed{i}")
        command = [sys.executable, __file__, "search", str(out), seconds]
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True, errors="replace", check=False)
        (out / "log.txt").write_text(done.stderr, encoding="utf-8")
        counts = [line.split()[-1] for line in done.stderr.splitlines() if "number_of_executed_units" in line]
        result = f"FAILED: see {out}/log.txt" if done.returncode else "no fault"
        sys.stdout.write(f"fuzz: {name}: {'/'.join(counts) or 'unknown number of'} files read, {result}\n")
        sys.stdout.flush()
        n_failed += bool(done.returncode)
    return bool(n_failed)


if __name__ == "__main__":
    if sys.argv[1] == "search":
        search(Path(sys.argv[2]), sys.argv[3])
    else:
        sys.exit(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])))
