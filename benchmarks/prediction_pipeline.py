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
    python benchmarks/prediction_pipeline.py FOLDER --memory  # peak memory for 10,000 and 100,000 rows

FOLDER keeps the images and the classifiers for the next call.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

SIDE_PX, QUALITY = 360, 92
N_TRAINED = 480
INPUT_PX = 224
N_DECODED, N_RUN, N_TIMM, BATCH = 4_000, 2_000, 768, 64
SHARES = {"decode": "decode alone", "network": "network alone"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="efficientnet_lite0")
    parser.add_argument("--tta", type=int, default=2)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    folder: Path = options.folder.resolve()
    run = folder / f"{options.model.replace('/', '-')}-{options.tta}"
    if options.measure:
        files = sorted(map(str, (folder / f"jpeg-{options.images}").glob("*/*.jpg")))
        print(json.dumps(MEASURES[options.measure](run, files, options)))
        return
    os.environ["COVERSLIP_CACHE"] = str(folder / "cache")
    images = make_images(folder, options.images)
    train(run, options)
    if options.memory:
        measure_memory(folder, run, images)
        return
    rates: dict[str, list[float]] = {name: [] for name in ("predict", "decode", "network", "timm")}
    predict(run, images, folder)  # prepares the engine
    for _ in range(options.rounds):
        load = os.getloadavg()[0]
        rates["predict"].append(options.images / predict(run, images, folder).seconds)
        for name in ("decode", "network", "timm"):
            command = [sys.executable, __file__, str(folder), "--measure", name, "--images", str(options.images)]
            command += ["--model", options.model, "--tta", str(options.tta)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            rates[name].append(json.loads(done.stdout.splitlines()[-1]))
        print(f"load {load:.1f}; " + ", ".join(f"{name} {values[-1]:.1f}/s" for name, values in rates.items()))
    columns = zip(rates["predict"], rates["decode"], rates["network"], rates["timm"], strict=True)
    ratios: dict[str, list[float]] = {
        "the slower of decode and network": [],
        "both one after the other": [],
        "timm": [],
    }
    for whole, decode, network, timm in columns:
        ratios["the slower of decode and network"].append(whole / min(decode, network))
        ratios["both one after the other"].append(whole * (1 / decode + 1 / network))
        ratios["timm"].append(whole / timm)
    print(f"{options.model}, {options.tta} views, {options.images:,} images, {options.rounds} rounds")
    for name, values in rates.items():
        print(f"{name:<10} median {statistics.median(values):7.1f} images/s ({min(values):.1f} to {max(values):.1f})")
    for name, values in ratios.items():
        print(f"predict / {name:<34} minimum {min(values):.3f}, median {statistics.median(values):.3f}")


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
    for setting in ("stage=instant", f"tta={options.tta}", f"image_size={INPUT_PX}"):
        command += ["--set", setting]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


class Used:
    """Seconds and peak memory of a command."""

    def __init__(self, command: list[str]) -> None:
        started = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as child:
            assert child.stderr is not None
            errors = child.stderr.read()
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
        self.seconds, self.peak_mib = time.perf_counter() - started, usage.ru_maxrss / 1024
        if child.returncode:
            raise SystemExit(errors.decode())


def predict(run: Path, images: Path | str, folder: Path) -> Used:
    out = folder / "predictions.csv"
    return Used([sys.executable, "-m", "coverslip", "predict", str(run), str(images), "--out", str(out)])


def measure_memory(folder: Path, run: Path, images: Path) -> None:
    """Print the peak memory of the process for 10,000 and for 100,000 rows: ten boxes in each file."""
    files = sorted(images.glob("*/*.jpg"))[:10_000]
    for n_each in (1, 10):
        table = folder / f"rows-{n_each}.csv"
        rows = (f"{file}#{i},{file},{i},0,350,350" for file in files for i in range(n_each))
        table.write_text("\n".join(["image_id,path,x,y,width,height", *rows]) + "\n", encoding="utf-8")
        used = predict(run, table, folder)
        print(f"{len(files) * n_each:,} rows: peak {used.peak_mib:.0f} MiB, {used.seconds:.0f} s")


def decode(run: Path, files: list[str], options: argparse.Namespace) -> float:
    """Return the images/s of Pillow, one process per core."""
    files, n = files[:N_DECODED], n_cores()
    with ProcessPoolExecutor(n) as pool:
        list(pool.map(decode_and_resize, [files[:8]] * n))
        started = time.perf_counter()
        list(pool.map(decode_and_resize, [files[i::n] for i in range(n)]))
        return len(files) / (time.perf_counter() - started)


def decode_and_resize(files: list[str]) -> int:
    total = 0
    for file in files:
        with Image.open(file) as image:
            total += np.asarray(image.resize((INPUT_PX, INPUT_PX), Image.Resampling.BILINEAR)).shape[0]
    return total


def network(run: Path, files: list[str], options: argparse.Namespace) -> float:
    """Return the images/s of the engine on pixels in memory."""
    from coverslip.engines import run_tta
    from coverslip.inference.classifier import load_classifier

    pixels = np.stack([squared(file) for file in files[: 4 * BATCH]])
    classifier = load_classifier(run, "cpu")
    classifier.predict_pixels(pixels[:BATCH])
    engine = classifier._engine  # noqa: SLF001
    assert engine is not None
    started, done = time.perf_counter(), 0
    while done < N_RUN:
        start = done % len(pixels)
        run_tta(engine, pixels[start : start + BATCH], classifier.card.tta)
        done += BATCH
    return done / (time.perf_counter() - started)


def squared(file: str) -> np.ndarray:
    with Image.open(file) as image:
        return np.asarray(image.resize((INPUT_PX, INPUT_PX), Image.Resampling.BILINEAR))


def timm(run: Path, files: list[str], options: argparse.Namespace) -> float:
    """Return the images/s of what users would run otherwise, its start excluded."""
    import timm
    import torch
    from torchvision.transforms import v2

    transform = v2.Compose(
        [
            v2.ToImage(),
            v2.Resize((INPUT_PX, INPUT_PX), antialias=True),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )

    class Files(torch.utils.data.Dataset):  # type: ignore[type-arg]
        def __len__(self) -> int:
            return N_TIMM

        def __getitem__(self, i: int) -> torch.Tensor:
            with Image.open(files[i]) as image:
                return transform(image.convert("RGB"))  # type: ignore[no-any-return]

    names = {"efficientnet_lite0": "efficientnet_lite0", "mobilenet_v2": "mobilenetv2_100", "resnet50": "resnet50"}
    model = timm.create_model(names[options.model], num_classes=8).eval()
    started, n = 0.0, 0
    with torch.inference_mode():
        for batch in torch.utils.data.DataLoader(Files(), BATCH, num_workers=2):
            if not started:  # the first batch is not counted
                started, n = time.perf_counter(), -len(batch)
            total = model(batch)
            for view in range(1, options.tta):
                total += model(batch.flip(2, 3) if view == 1 else batch.flip(view))
            total.softmax(1)
            n += len(batch)
            if n == 0:
                started = time.perf_counter()
    return n / (time.perf_counter() - started)


def n_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


MEASURES = {"decode": decode, "network": network, "timm": timm}

if __name__ == "__main__":
    main()
