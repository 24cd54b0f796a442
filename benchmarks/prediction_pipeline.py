"""Prediction of JPEG files from start to end: `coverslip predict` beside what the processor allows.

Compared in the same round, in separate processes that use all cores, with the same network, image size and views
(test-time augmentation):

- `decode`: one process per core opens, decodes and resizes files with Pillow, and does nothing else;
- `network`: the engine of the classifier on pixels in memory;
- `predict`: the command on the folder, its start and the writing of the table included;
- `timm`: timm in eager mode, transforms of torchvision, a DataLoader with two workers.

Decoding and the network both occupy all cores, so no program can be faster than 1 / (1 / decode + 1 / network).

Images: N JPEG files of 360 pixels, rotated and reflected variants of `blood_pbc` of COVERSLIP_DATA.

    python benchmarks/prediction_pipeline.py FOLDER [--model NAME] [--tta N] [--images N] [--rounds N]
    python benchmarks/prediction_pipeline.py FOLDER --memory  # for N and for ten times as many rows

FOLDER keeps the images and the classifiers for the next call.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from _records import Record
from PIL import Image

RECORD = Record(
    "Prediction of folders of JPEG files", [f"src/coverslip/{name}" for name in ("inference", "engines.py", "images")]
)
SPEED = "Median speed: command, Pillow (decode), engine (network), loop with timm"
SIDE_PX, QUALITY = 360, 92
N_TRAINED = 480
N_DECODED, N_RUN, N_TIMM, BATCH = 2_000, 640, 256, 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="efficientnet_lite0")
    parser.add_argument("--tta", type=int, default=2)
    parser.add_argument("--px", type=int, default=224, help="image side of the network's input")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    RECORD.add_option(parser)
    options = parser.parse_args()
    folder: Path = options.folder.resolve()
    run = folder / f"{options.model}-{options.tta}-{options.px}"
    if options.measure:
        files = sorted(map(str, (folder / f"jpeg-{options.images}").glob("*/*.jpg")))
        print(json.dumps(asdict(MEASURES[options.measure](run, files, options))))
        return
    os.environ["COVERSLIP_CACHE"] = str(folder / "cache")
    images = make_images(folder, options.images)
    train(run, options)
    if options.memory:
        measure_memory(folder, run, images)
        RECORD.write(part="memory")
        return
    names = ("predict", *MEASURES)
    rates: dict[str, list[Used]] = {name: [] for name in names}
    predict(run, images, folder)  # prepares the engine
    for _ in range(options.rounds):
        load = os.getloadavg()[0]
        rates["predict"].append(predict(run, images, folder).per_image(options.images))
        for name in MEASURES:
            command = [sys.executable, __file__, str(folder), "--measure", name, "--images", str(options.images)]
            command += ["--model", options.model, "--tta", str(options.tta), "--px", str(options.px)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            rates[name].append(Used(**json.loads(done.stdout.splitlines()[-1])))
        line = ", ".join(f"{name} {1 / used[-1].seconds:.1f}/s" for name, used in rates.items())
        print(f"load {load:.1f}: {line}", flush=True)
    print(f"{options.model}, {options.tta} views, {options.images:,} images, {options.rounds} rounds")
    for name, used in rates.items():
        speeds = sorted(1 / each.seconds for each in used)
        processor = 1e3 * statistics.median(each.processor for each in used)
        n, note = f"{options.images:,} files, {options.rounds} rounds", f"processor time {processor:.1f} ms per image"
        RECORD.add(SPEED, round(statistics.median(speeds), 1), "images/s", of=name, n=n, note=note)
        print(
            f"{name:<8} median {statistics.median(speeds):7.1f} images/s ({speeds[0]:.1f} to {speeds[-1]:.1f}), "
            f"processor {processor:.2f} ms an image"
        )
    rounds = list(zip(*(rates[name] for name in names), strict=True))
    show("the slower of decode and network", [max(d.seconds, n.seconds) / p.seconds for p, d, n, _ in rounds])
    show("1 / (1 / decode + 1 / network)", [(d.seconds + n.seconds) / p.seconds for p, d, n, _ in rounds])
    show("the same in processor time", [(d.processor + n.processor) / p.processor for p, d, n, _ in rounds])
    show("timm", [t.seconds / p.seconds for p, _, _, t in rounds])
    RECORD.write()


def show(name: str, ratios: list[float]) -> None:
    claim = "Speed of predict relative to another, median (target: 0.9 of the slower of decode and network)"
    RECORD.add(claim, round(statistics.median(ratios), 2), of=name)
    print(f"predict / {name:<34} minimum {min(ratios):.3f}, median {statistics.median(ratios):.3f}")


@dataclass(frozen=True)
class Used:
    """Elapsed and processor seconds, and the peak memory of the parent process."""

    seconds: float
    processor: float
    peak_mib: float = 0

    def per_image(self, n: int) -> "Used":
        return Used(self.seconds / n, self.processor / n, self.peak_mib)


class Clock:
    """Elapsed and processor time of this process and its ended children, since its creation."""

    def __init__(self) -> None:
        self._elapsed, self._processor = time.perf_counter(), sum(os.times()[:4])

    def per_image(self, n: int) -> Used:
        return Used((time.perf_counter() - self._elapsed) / n, (sum(os.times()[:4]) - self._processor) / n)


def make_images(folder: Path, n: int) -> Path:
    """Write n JPEG files, 1,000 in a sub-folder, unless they exist."""
    images = folder / f"jpeg-{n}"
    if images.is_dir():
        return images
    source = Path(os.environ.get("COVERSLIP_DATA", "../shared/data")) / "blood_pbc"
    originals = sorted(source.glob("*/*.jpg"))
    jobs = [(i, originals[i % len(originals)], i // len(originals) % 8) for i in range(n)]
    with ProcessPoolExecutor() as pool:
        unfinished = folder / "unfinished"
        list(pool.map(write_variant, *zip(*((*job, unfinished) for job in jobs), strict=True), chunksize=50))
    unfinished.rename(images)
    return images


def write_variant(number: int, original: Path, variant: int, folder: Path) -> None:
    """Write a square JPEG file: one of eight rotations and reflections of an image."""
    with Image.open(original) as opened:
        array = np.asarray(opened.convert("RGB").crop((0, 0, SIDE_PX, SIDE_PX)))
    array = np.rot90(array, variant % 4)
    array = array[:, ::-1] if variant >= 4 else array
    file = folder / f"{number // 1000:03d}" / f"{number:06d}.jpg"
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.ascontiguousarray(array)).save(file, quality=QUALITY)


def train(run: Path, options: argparse.Namespace) -> None:
    """Train an instant classifier, unless it exists."""
    if (run / "classifier").is_dir():
        return
    source = Path(os.environ.get("COVERSLIP_DATA", "../shared/data")).resolve() / "blood_pbc"
    table = run.with_suffix(".csv")
    rows = [f"{file},{file.parent.name}" for c in sorted(source.iterdir()) for file in sorted(c.glob("*.jpg"))[:60]]
    table.write_text("\n".join(["path,label", *rows]) + "\n", encoding="utf-8")
    command = [sys.executable, "-m", "coverslip", "train", str(table), "--out", str(run), "--model", options.model]
    for setting in ("stage=instant", f"tta={options.tta}", f"image_size={options.px}"):
        command += ["--set", setting]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def predict(run: Path, images: Path, folder: Path) -> Used:
    out, started = folder / "predictions.csv", time.perf_counter()
    command = [sys.executable, "-m", "coverslip", "predict", str(run), str(images), "--out", str(out)]
    with tempfile.TemporaryFile() as errors, subprocess.Popen(command, stdout=errors, stderr=errors) as child:
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - started
        if child.returncode:
            errors.seek(0)
            raise SystemExit(errors.read().decode())
    return Used(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def measure_memory(folder: Path, run: Path, images: Path) -> None:
    """Print the peak memory of the process for all files, and for a table that lists each of them ten times."""
    files = sorted(images.glob("*/*.jpg"))
    for n_each in (1, 10):
        table = folder / f"rows-{n_each}.csv"
        rows = (f"{file.name}/{i},{file}" for i in range(n_each) for file in files)
        table.write_text("\n".join(["image_id,path", *rows]) + "\n", encoding="utf-8")
        used = predict(run, table, folder)
        note = f"{used.seconds:.0f} s"
        RECORD.add("Peak memory", round(used.peak_mib), "MiB", of=f"{len(files) * n_each:,} rows", note=note)
        print(f"{len(files) * n_each:,} rows: peak {used.peak_mib:.0f} MiB, {used.seconds:.0f} s", flush=True)


def decode(run: Path, files: list[str], options: argparse.Namespace) -> Used:
    """Return what Pillow uses, one process per core."""
    files, n = files[:N_DECODED], n_cores()
    clock = Clock()
    with ProcessPoolExecutor(n) as pool:  # forked, ready at once
        list(pool.map(decode_and_resize, [files[i::n] for i in range(n)], [options.px] * n))
    return clock.per_image(len(files))


def decode_and_resize(files: list[str], side: int) -> int:
    total = 0
    for file in files:
        with Image.open(file) as image:
            total += len(np.asarray(image.resize((side, side), Image.Resampling.BILINEAR)))
    return total


def network(run: Path, files: list[str], options: argparse.Namespace) -> Used:
    """Return what the engine uses for pixels in memory."""
    from coverslip.engines import run_tta
    from coverslip.inference.classifier import load_classifier

    pixels = np.stack([squared(file, options.px) for file in files[: 2 * BATCH]])
    classifier = load_classifier(run, "cpu")
    classifier.predict_pixels(pixels[:BATCH])
    clock, done = Clock(), 0
    while done < N_RUN:
        start = done % len(pixels)
        run_tta(classifier.engine, pixels[start : start + BATCH], classifier.card.tta)
        done += BATCH
    return clock.per_image(done)


def squared(file: str, side: int) -> np.ndarray:
    with Image.open(file) as image:
        return np.asarray(image.resize((side, side), Image.Resampling.BILINEAR))


def timm(run: Path, files: list[str], options: argparse.Namespace) -> Used:
    """Return what a program uses that users would write otherwise, without its start."""
    import coverslip.models._libraries  # noqa: F401, I001 - first
    import timm
    import torch
    from torchvision.transforms import v2

    transform = v2.Compose(
        [
            v2.ToImage(),
            v2.Resize((options.px, options.px), antialias=True),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )

    class Files(torch.utils.data.Dataset):  # type: ignore[type-arg]
        def __len__(self) -> int:
            return min(N_TIMM, len(files))

        def __getitem__(self, i: int) -> torch.Tensor:
            with Image.open(files[i]) as image:
                return transform(image.convert("RGB"))  # type: ignore[no-any-return]

    names = {"efficientnet_lite0": "efficientnet_lite0", "mobilenet_v2": "mobilenetv2_100", "resnet50": "resnet50"}
    model = timm.create_model(names[options.model], num_classes=8).eval()
    clock, n = Clock(), 0
    with torch.inference_mode():
        for batch in torch.utils.data.DataLoader(Files(), BATCH, num_workers=2):
            total = model(batch)
            for view in range(1, options.tta):
                total += model(batch.flip(2, 3) if view == 1 else batch.flip(view))
            total.softmax(1)
            n += len(batch)
    return clock.per_image(n)


def n_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


MEASURES = {"decode": decode, "network": network, "timm": timm}

if __name__ == "__main__":
    main()
