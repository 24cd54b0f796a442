"""Exports of every registered network, trained for one epoch, compared with the network in PyTorch.

    python benchmarks/exported_networks.py [NAME …]

Each network is trained from random weights on 200 images of blood cells (`blood_pbc` in the folder of `COVERSLIP_DATA`)
at a small image size, packaged, and exported to ONNX. The export is opened again. On 51 other images, its logits
are compared with those of the packaged network in PyTorch; the export gets the images one by one, three at a time, and
17 at a time. Differences are in standard deviations of the logits. Last, 256 other files are read and classified by
`classify.py` of the export in a process without coverslip, and the labels compared. The script prints a Markdown table.
It exits with 1 if a network cannot be exported, or has a difference above 0.001 or another label.
"""

import argparse
import csv
import gc
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from _records import Record
from torch import nn

from coverslip.datasets.index.opening import open_dataset
from coverslip.datasets.pixels import read_preprocessed
from coverslip.engines import LARGEST_DIFFERENCE, as_input, difference
from coverslip.errors import CoverslipError
from coverslip.images.preprocessing import PreprocessedImage, Preprocessing
from coverslip.inference import Classifier
from coverslip.inference.export import EXPORT_FORMATS, Attribution, OpenedExport
from coverslip.inference.export.exporting import ExportContent
from coverslip.inference.loading import load_network
from coverslip.models import list_models, model_info
from coverslip.models.networks import create_network
from coverslip.runs.classifier import ClassifierCard, PackedClassifier, TrainedOn, open_classifier, write_classifier

RECORD = Record("Exports", ["src/coverslip/inference/export", "src/coverslip/models"])
DATA = Path(os.environ.get("COVERSLIP_DATA", "../shared/data")).resolve() / "blood_pbc"
BATCHES = (1, 3, 17)
N_TRAINED, N_COMPARED, N_FILES = 200, 51, 256
BATCH_SIZE = 20
_RUN = "import runpy, sys; sys.modules['coverslip'] = None; del sys.argv[0]; "
_CLASSIFY = _RUN + "runpy.run_path(sys.argv[0], run_name='__main__')"


def main() -> int:
    """Print the table, and return 1 if a network fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="networks; default: all registered ones")
    RECORD.add_option(parser)
    options = parser.parse_args()
    names = options.names or [record.name for record in sorted(list_models(), key=lambda record: record.macs or 0)]
    print("| network | px | 1 at a time | 3 at a time | 17 at a time | equal labels |")
    print("|---|---:|---:|---:|---:|---:|")
    n_bad, n_other_labels, largest = 0, 0, list[tuple[float, str]]()
    for name in names:
        px = smallest_side(name)
        with tempfile.TemporaryDirectory() as folder:
            try:
                differences, n_equal = measure(name, px, Path(folder))
                shown = " | ".join(f"{each:.1e}" for each in differences)
                print(f"| `{name}` | {px} | {shown} | {n_equal} of {N_FILES} |", flush=True)
                largest.append((max(differences), name))
                n_other_labels += n_equal < N_FILES
                n_bad += max(differences) > LARGEST_DIFFERENCE or n_equal < N_FILES
            except (CoverslipError, RuntimeError, ValueError, TypeError) as error:
                reason = str(error).strip().splitlines()[0]
                print(f"| `{name}` | {px} | failed: {reason} | | | |", flush=True)
                n_bad += 1
        gc.collect()
    value, name = max(largest, default=(float("nan"), ""))
    claim, note = "Largest difference of logits to PyTorch", f"{name}; limit: {LARGEST_DIFFERENCE:g}"
    RECORD.add(claim, float(f"{value:.1e}"), "standard deviations", n=f"{len(largest)} exports", note=note)
    RECORD.add("Exports with another label", n_other_labels, n=f"{len(largest)} exports, {N_FILES} files each")
    RECORD.write()
    return int(n_bad > 0)


def smallest_side(name: str) -> int:
    """Return a small side of images with which a network can be trained."""
    if name in ("dinov2_small", "dinobloom_small"):
        return 56  # patches of 14
    return 96 if name in ("inception_v3", "inception_resnet_v2") else 64


def measure(name: str, px: int, folder: Path) -> tuple[list[float], int]:
    """Train and export a network; return its largest differences by batch size, and the number of equal labels."""
    packed = train(name, px, folder / "classifier")
    network = load_network(packed)
    pixels, files = pixels_of(px)[N_TRAINED:], all_files()[N_TRAINED + N_COMPARED :]
    with torch.no_grad():
        x = torch.from_numpy(as_input(pixels))
        copies = [torch.cat([network(part) for part in each.split(8)]) for each in (x, x.flip(2, 3))]
    logits = torch.stack(copies).mean(dim=0).numpy()
    labels = [packed.card.classes[k] for k in logits[N_COMPARED:].argmax(axis=1)]
    out = folder / "export"
    out.mkdir()
    EXPORT_FORMATS["onnx"](ExportContent(Classifier(packed), name, "", Attribution()), out)
    export = OpenedExport(out)
    differences = [difference(_logits(export, pixels[:N_COMPARED], n), logits[:N_COMPARED]) for n in BATCHES]
    return differences, sum(a == b for a, b in zip(_classified(out, files), labels, strict=True))


def train(name: str, px: int, folder: Path) -> PackedClassifier:
    """Train a network for one epoch, and package it."""
    torch.manual_seed(0)
    classes = sorted({file.parent.name for file in all_files()})
    preprocessing = Preprocessing(image_size=px, channels=3)
    size = px if model_info(name).is_sized else None
    network = create_network(name, n_classes=len(classes), pretrained=False, image_size=size).train()
    x = torch.from_numpy(pixels_of(px)[:N_TRAINED]).permute(0, 3, 1, 2).float() / 255
    y = torch.tensor([classes.index(file.parent.name) for file in all_files()[:N_TRAINED]])
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    for part in torch.randperm(N_TRAINED).split(BATCH_SIZE):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(x[part]), y[part]).backward()
        optimizer.step()
    card = ClassifierCard(
        model=name,
        model_options={},
        head="multi_layer",
        tta=2,
        classes=tuple(classes),
        prior=(1 / len(classes),) * len(classes),
        preprocessing=preprocessing,
        temperature=1.0,
        uncertain_below=0.0,
        trained_on=TrainedOn(
            n_images=N_TRAINED,
            n_groups=None,
            width_px=(360, 366),
            height_px=(360, 369),
            usual_area_px=130_000,
            dtypes=("uint8",),
            channels=(3,),
        ),
    )
    write_classifier(folder, card, network.weights())
    return open_classifier(folder)


@cache
def all_files() -> Sequence[Path]:
    """Return the images, of each class in turn: to train on, to compare, and to classify from the file."""
    by_class = [sorted(folder.iterdir()) for folder in sorted(DATA.iterdir()) if folder.is_dir()]
    files = [file for each in zip(*by_class, strict=False) for file in each]
    return files[: N_TRAINED + N_COMPARED + N_FILES]


@cache
def pixels_of(px: int) -> np.ndarray:
    """Return the pixels of all files, as coverslip reads them."""
    records = open_dataset([str(file) for file in all_files()], labeled=False).records
    read = read_preprocessed(records, Preprocessing(image_size=px, channels=3))
    return np.stack([image.pixels for image in read if isinstance(image, PreprocessedImage)])


def _logits(export: OpenedExport, pixels: np.ndarray, n_at_once: int) -> np.ndarray:
    starts = range(0, len(pixels), n_at_once)
    return np.concatenate([export.predict_pixels(pixels[i : i + n_at_once]).logits for i in starts])


def _classified(folder: Path, files: Sequence[Path]) -> list[str]:
    command = [sys.executable, "-I", "-c", _CLASSIFY, str(folder / "classify.py"), str(folder / "model.onnx")]
    done = subprocess.run([*command, *map(str, files)], capture_output=True, text=True, check=True)
    return [row["predicted"] for row in csv.DictReader(done.stdout.splitlines())]


if __name__ == "__main__":
    sys.exit(main())
