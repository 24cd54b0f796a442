"""ONNX Runtime beside OpenVINO: time per image of the same exported network, with one thread and with two.

Both engines are those of coverslip. They run the same images in alternating turns, the first engine changing from turn
to turn, so that other work on the computer slows both alike. A figure is the median of the ratios of the turns. The
number of threads is the number of cores that the process may use, as in coverslip.

    python benchmarks/engines.py [NAME …] [--threads N …] [--turns N] [--images N]
"""

import argparse
import json
import multiprocessing
import os
import time
from typing import Any

import numpy as np
from _records import Record

RECORD = Record("ONNX Runtime beside OpenVINO", ["src/coverslip/engines.py"])
NETWORKS = ("efficientnet_lite0", "resnet50", "mobilevit_xxs", "vit_small_patch16_224")  # the last is a transformer
N_CLASSES = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=NETWORKS, help="networks")
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--images", type=int, default=8, help="images per turn")
    RECORD.add_option(parser)
    options = parser.parse_args()
    print("| network | threads | OpenVINO (ms per image) | ONNX Runtime (ms per image) | ratio (quartiles) |")
    print("|---|---:|---:|---:|---|")
    context = multiprocessing.get_context("spawn")
    for name in options.names:
        for n_threads in options.threads:
            receiver, sender = context.Pipe()
            process = context.Process(target=measure, args=(name, n_threads, options.turns, options.images, sender))
            process.start()
            seconds = np.array(json.loads(receiver.recv()))  # (turns, 2): OpenVINO, ONNX Runtime
            process.join()
            openvino, onnxruntime = 1000 * np.median(seconds, 0) / options.images
            low, ratio, high = np.percentile(seconds[:, 1] / seconds[:, 0], [25, 50, 75])
            quartiles = f"{low:.2f} to {high:.2f}"
            print(
                f"| {name} | {n_threads} | {openvino:.1f} | {onnxruntime:.1f} | {ratio:.2f} ({quartiles}) |", flush=True
            )
            RECORD.add(
                "Time of ONNX Runtime, as a multiple of that of OpenVINO",
                round(float(ratio), 2),
                of=f"{name}, {n_threads} {'thread' if n_threads == 1 else 'threads'}",
                n=f"{options.turns} turns of {options.images} images",
                note=f"quartiles {quartiles}",
            )
    RECORD.write()


def measure(name: str, n_threads: int, n_turns: int, n_images: int, result: Any) -> None:  # Any: a pipe
    """Send the seconds of both engines in each turn."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-n_threads:])
    import torch

    from coverslip.engines import as_onnx, difference, onnxruntime_engine, openvino_engine
    from coverslip.models import model_info
    from coverslip.models.networks import FeatureNetwork, create_network

    torch.set_num_threads(n_threads)
    side = model_info(name).input_px
    network = FeatureNetwork(create_network(name, n_classes=N_CLASSES, pretrained=False)).eval()
    images = np.random.default_rng(0).integers(0, 256, (n_images, side, side, 3), np.uint8)
    exported = as_onnx(network, images)
    engines = [build(exported) for build in (openvino_engine, onnxruntime_engine)]
    outputs = [run(images) for run in engines]  # the first run is slower
    assert difference(outputs[0], outputs[1]) < 1e-3
    seconds = np.empty((n_turns, 2))
    for turn in range(n_turns):
        for which in (0, 1) if turn % 2 else (1, 0):
            started = time.perf_counter()
            engines[which](images)
            seconds[turn, which] = time.perf_counter() - started
    result.send(json.dumps(seconds.tolist()))


if __name__ == "__main__":
    main()
