"""Speed and memory of all networks: images/s of training and prediction, parameters, MACs, peak memory.

Each network is measured in a separate process: channels last, native head, random weights, images in memory. The peak
memory includes about 300 MiB of PyTorch. The script prints one Markdown table.

    python benchmarks/networks.py [NAME …] [--image-size PX] [--batch N] [--seconds S] [--head native|multi_layer]
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable

from _records import Record

RECORD = Record("Speed and memory of all networks", ["src/coverslip/models"])
DEFAULT = "efficientnet_lite0"
N_CLASSES = 8


def main() -> None:
    from coverslip.models import list_models

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="networks; default: all registered ones")
    parser.add_argument("--image-size", type=int, help="side in pixels; default: that of each network")
    parser.add_argument("--batch", type=int, default=16, help="batch size")
    parser.add_argument("--seconds", type=float, default=10, help="seconds of training, and of prediction, per network")
    parser.add_argument("--head", choices=["native", "multi_layer"], default="native")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    RECORD.add_option(parser)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.names[0], options.image_size, options.batch, options.seconds, options.head)))
        return
    names = options.names or [record.name for record in sorted(list_models(), key=lambda record: record.macs or 0)]
    print(f"batch {options.batch}, {N_CLASSES} classes, {options.head} head, {options.seconds:g} s each\n")
    print("| network | px | parameters | GMACs | training (images/s) | prediction (images/s) | peak memory (MiB) |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    speeds: list[tuple[float, str]] = []  # of training
    for name in names:
        command = [sys.executable, __file__, name, "--one", "--batch", str(options.batch), "--head", options.head]
        command += ["--seconds", str(options.seconds)]
        command += ["--image-size", str(options.image_size)] if options.image_size else []
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]
            print(f"| `{name}` | not measured: {reason} |", flush=True)
            continue
        row = json.loads(done.stdout.splitlines()[-1])
        print(
            f"| `{name}` | {row['px']} | {row['parameters']:,} | {row['macs'] / 1e9:.2f} "
            f"| {row['training']:.1f} | {row['prediction']:.1f} | {row['peak_mib']:.0f} |",
            flush=True,
        )
        speeds.append((row["training"], name))
        if name == DEFAULT:
            note = f"batches of {options.batch}, {row['px']} px"
            RECORD.add(f"Training of the default network, {name}", round(row["training"], 1), "images/s", note=note)
            RECORD.add("Prediction with the default network in PyTorch", round(row["prediction"], 1), "images/s")
            RECORD.add("Peak memory with the default network", round(row["peak_mib"]), "MiB")
    for extreme, which in (("Fastest", max), ("Slowest", min)):
        speed, name = which(speeds)
        RECORD.add(f"{extreme} training", round(speed, 1), "images/s", note=name)
    RECORD.write()


def measure(name: str, image_size: int | None, n_images: int, seconds: float, head: str) -> dict[str, float]:
    """Return the images/s of training and prediction, on the GPU if there is one, and the size of the network."""
    import torch

    from coverslip.models import model_info
    from coverslip.models.networks import cost_of, create_network
    from coverslip.training.processor import keep_freed_memory

    keep_freed_memory()
    torch.manual_seed(0)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    side = image_size or model_info(name).input_px
    with torch.device("meta"):
        sizes = {"n_classes": N_CLASSES, "head": head, "pretrained": False, "image_size": side}
        cost = cost_of(create_network(name, **sizes), torch.zeros(1, 3, side, side))
    network = create_network(name, **sizes).to(device, memory_format=torch.channels_last)
    x = torch.rand(n_images, 3, side, side, device=device).to(memory_format=torch.channels_last)
    label = torch.arange(n_images, device=device) % N_CLASSES
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-5)

    def train() -> None:
        optimizer.zero_grad(set_to_none=True)
        torch.nn.functional.cross_entropy(network(x), label).backward()
        optimizer.step()

    def predict() -> None:
        with torch.inference_mode():
            network(x)

    network.eval()
    prediction = per_second(predict, n_images, seconds, device)
    network.train()
    training = per_second(train, n_images, seconds, device)
    peak = torch.cuda.max_memory_allocated() / 2**20 if device.type == "cuda" else peak_mib()
    return {
        "px": side,
        "parameters": cost.parameters,
        "macs": cost.macs,
        "training": training,
        "prediction": prediction,
        "peak_mib": peak,
    }


def per_second(step: Callable[[], None], n_images: int, seconds: float, device: object) -> float:
    """Return the images/s of a step over the given seconds, after one step that is not counted."""
    import torch

    def wait() -> None:
        if getattr(device, "type", "") == "cuda":
            torch.cuda.synchronize()

    step()
    wait()
    n_steps, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        step()
        wait()
        n_steps += 1
    return n_steps * n_images / (time.perf_counter() - started)


def peak_mib() -> float:
    """Return the peak resident memory of this process (in KiB on Linux, in bytes on macOS)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 1024


if __name__ == "__main__":
    main()
