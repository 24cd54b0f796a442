"""Training speed in images/s: coverslip's pipeline, the same step on a batch in memory, and a naive pipeline.

The variants alternate in separate processes (the allocator's settings cannot be reset), for several rounds. Ratios are
more reliable than absolute values. Images: `blood_pbc` of COVERSLIP_DATA, else synthetic cells.

On a GPU (`--device cuda`), coverslip's steps use the precision of a training.

    python benchmarks/training_pipeline.py [--model NAME] [--rounds N] [--steps N] [--device cuda]
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

BATCH = 32
N_CLASSES = 8
VARIANTS = {
    "in memory": "the same step on one batch in memory",
    "coverslip": "pixel cache, augmentation of whole batches, next batch read in the background",
    "naive": "decode every epoch, per-image transforms, eager fp32, default allocator",
    "naive, 2 workers": "the same with two loader processes",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="efficientnet_lite0")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--variant", help=argparse.SUPPRESS)
    parser.add_argument("--images", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.variant:
        print(json.dumps(measure(options.variant, options.model, Path(options.images), options.steps, options.device)))
        return
    with tempfile.TemporaryDirectory() as folder:
        os.environ["COVERSLIP_CACHE"] = str(Path(folder) / "cache")
        images = find_images(Path(folder))
        rates: dict[str, list[float]] = {name: [] for name in VARIANTS}
        for _ in range(options.rounds):
            for name in VARIANTS:
                command = [sys.executable, __file__, "--variant", name, "--images", str(images)]
                command += ["--model", options.model, "--steps", str(options.steps), "--device", options.device]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                rates[name].append(json.loads(done.stdout.splitlines()[-1]))
    rounds = f"{options.rounds} rounds of {options.steps} steps"
    print(f"{options.model} on {options.device}, batch {BATCH}, images from {images.name}, {rounds}")
    middle = {name: statistics.median(speeds) for name, speeds in rates.items()}
    for name, speeds in rates.items():
        ratio = statistics.median(first / other for first, other in zip(rates["coverslip"], speeds, strict=True))
        spread = ", ".join(f"{speed:.1f}" for speed in speeds)
        print(f"{name:<18} {middle[name]:6.1f} images/s ({spread})   coverslip: {ratio:.2f} times   {VARIANTS[name]}")


def find_images(folder: Path) -> Path:
    real = Path(os.environ.get("COVERSLIP_DATA", "../shared/data")) / "blood_pbc"
    if real.is_dir():
        return real.resolve()
    from coverslip.synthetic_cells import write_sample_images

    samples = write_sample_images(folder / "samples")
    for broken in samples.broken:
        broken.unlink()
    return samples.folder


def measure(variant: str, model: str, images: Path, n_steps: int, device: str) -> float:
    """Return the images/s over n_steps, after three steps that are not counted."""
    import torch

    from coverslip.losses.functions import ImageLoss
    from coverslip.models.networks import create_network, train_mode
    from coverslip.training.finetuning import IMAGES_AT_ONCE
    from coverslip.training.processor import faster_convolutions, keep_freed_memory
    from coverslip.training.step import Precision, Stepper, fastest_dtype

    is_naive = variant.startswith("naive")
    if not is_naive:
        keep_freed_memory()
    torch.manual_seed(0)
    network = create_network(model, n_classes=N_CLASSES, pretrained=False)
    train_mode(network, keep_statistics=not is_naive)
    network = network.to(device) if is_naive else network.to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters())
    mean_loss, sum_of_losses = torch.nn.CrossEntropyLoss(), ImageLoss("cross_entropy")
    at_once = IMAGES_AT_ONCE if device == "cpu" else BATCH
    stepper = Stepper(
        network,
        optimizer,
        at_once,
        is_divisible=True,
        precision=Precision(device, fastest_dtype(device, BATCH)),
        emit=print,
    )
    source: Callable[[], Iterator[tuple[torch.Tensor, torch.Tensor]]] = {
        "in memory": lambda: in_memory(images, n_steps, device),
        "coverslip": lambda: by_coverslip(images, n_steps, device),
        "naive": lambda: by_hand(images, n_workers=0),
        "naive, 2 workers": lambda: by_hand(images, n_workers=2),
    }[variant]
    is_helped = device == "cpu" and not is_naive
    started = 0.0
    with faster_convolutions(network, torch.rand(2, 3, 224, 224)) if is_helped else contextlib.nullcontext():
        for step, (x, label) in enumerate(source()):
            if step == 3:
                float(next(network.parameters()).sum())  # waits for a GPU
                started = time.perf_counter()
            if is_naive:
                optimizer.zero_grad(set_to_none=True)
                mean_loss(network(x.to(device)), label.to(device)).backward()
                optimizer.step()
            else:
                stepper.step(sum_of_losses, x, label, max_gradient_norm=1.0)
            if step == n_steps + 2:
                break
    float(next(network.parameters()).sum())
    return n_steps * BATCH / (time.perf_counter() - started)


def by_coverslip(images: Path, n_steps: int, device: str):  # type: ignore[no-untyped-def]
    from coverslip.datasets import PixelCache, open_dataset, scan_images
    from coverslip.images import Preprocessing
    from coverslip.runs import Augment
    from coverslip.training.batches import epoch_order, training_batches

    data = open_dataset(images)
    n = (n_steps + 4) * BATCH
    positions = np.random.default_rng(0).permutation(len(data.records))[:n]
    data = type(data)(data.root, data.source, tuple(data.records[i] for i in positions), data.notes)
    scan = scan_images(data)
    readable = [i for i, fact in enumerate(scan.facts) if hasattr(fact, "pixel_hash")]
    cache = PixelCache(data, scan, readable, Preprocessing(image_size=224))
    label = np.array([data.classes.index(record.label or "") for record in data.records])[readable]
    for epoch in range(1, 100):
        order = epoch_order(label, sampling="all", seed=0, epoch=epoch)
        yield from training_batches(
            lambda rows: cache([readable[i] for i in rows]),
            order,
            label,
            batch_size=BATCH,
            augment=Augment(),
            seed=0,
            epoch=epoch,
            device=device,
        )


def in_memory(images: Path, n_steps: int, device: str):  # type: ignore[no-untyped-def]
    batch = next(by_coverslip(images, n_steps, device))
    while True:
        yield batch


def by_hand(images: Path, n_workers: int):  # type: ignore[no-untyped-def]
    import coverslip.models._libraries  # noqa: F401, I001 - first
    import torch
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import v2

    changes = v2.Compose(
        [
            v2.Resize((224, 224)),
            v2.RandomHorizontalFlip(),
            v2.RandomVerticalFlip(),
            v2.RandomAffine(180, translate=(0.05, 0.05), scale=(0.9, 1.1), interpolation=v2.InterpolationMode.BILINEAR),
            v2.ColorJitter(brightness=0.1, contrast=0.1),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
        ]
    )
    loader = torch.utils.data.DataLoader(
        ImageFolder(str(images), changes), BATCH, shuffle=True, drop_last=True, num_workers=n_workers
    )
    while True:
        yield from loader


if __name__ == "__main__":
    main()
