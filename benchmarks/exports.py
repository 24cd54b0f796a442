"""Differences between exports of a run and its classifier, and the cost of an augmented copy in an engine.

python benchmarks/exports.py RUN
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import coverslip as cs
from coverslip.engines import as_onnx, run_tta
from coverslip.engines.running import Engine, openvino_engine
from coverslip.inference.export import EXPORT_FORMATS, export_to
from coverslip.models.networks import FeatureNetwork, create_network

N_PAIRS = 9


def show_exports(run: cs.Run) -> None:
    """Print a row of a table for each format."""
    for to in EXPORT_FORMATS:
        with tempfile.TemporaryDirectory() as folder:
            verification = export_to(run, to, Path(folder, "out"))
            megabytes = sum(file.stat().st_size for file in Path(folder, "out").iterdir()) / 1e6
        differences = (
            verification.max_logit_difference_sd,
            verification.max_feature_difference_sd,
            verification.max_ood_score_difference_sd,
        )
        shown = " | ".join(f"{each:.1e}" for each in differences)
        print(
            f"| {to} | {verification.n} | {verification.n_files} | {shown} "
            f"| {verification.label_agreement:.3f} | {megabytes:.0f} |"
        )


def show_cost_of_copies() -> None:
    """Print the ratios of processor time of two copies in one batch to two copies one by one."""
    network = create_network("efficientnet_lite0", n_classes=2, pretrained=False).eval()
    pixels = np.random.default_rng(0).integers(0, 256, (24, 224, 224, 3), dtype=np.uint8)
    in_batch = openvino_engine(as_onnx(FeatureNetwork(network, tta=2).eval(), pixels))
    single = Engine("openvino", "cpu", openvino_engine(as_onnx(FeatureNetwork(network).eval(), pixels)), 0.0)
    ratios = []
    for _ in range(N_PAIRS + 1):  # the first pair warms up
        began = time.process_time()
        run_tta(single, pixels, 2)
        middle = time.process_time()
        in_batch(pixels)
        ratios.append((time.process_time() - middle) / (middle - began))
    ratios = sorted(ratios[1:])
    print(f"two copies in a batch / one by one: {ratios[0]:.2f} to {ratios[-1]:.2f}, median {ratios[N_PAIRS // 2]:.2f}")


if __name__ == "__main__":
    show_exports(cs.open_run(sys.argv[1]))
    show_cost_of_copies()
