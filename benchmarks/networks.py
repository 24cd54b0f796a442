"""What each network of the zoo costs here: images/s of training and of prediction, parameters, MACs, peak memory.

Each network is measured in a process of its own, channels last, native head, random weights, images in memory; the
peak is that process's, with PyTorch's own share of some 300 MiB. Prints one markdown table.

    python benchmarks/networks.py [NAME …] [--image-size PX] [--batch N] [--seconds S] [--head native|multi_layer]
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable

N_CLASSES = 8


def main() -> None:
    from coverslip.models import list_models

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="networks; default: all registered ones")
    parser.add_argument("--image-size", type=int, help="side in pixels; default: each network's own")
    parser.add_argument("--batch", type=int, default=16, help="images at once")
    parser.add_argument("--seconds", type=float, default=10, help="of training, and of prediction, per network")
    parser.add_argument("--head", choices=["native", "multi_layer"], default="native")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(measure(asked.names[0], asked.image_size, asked.batch, asked.seconds, asked.head)))
        return
    names = asked.names or [record.name for record in sorted(list_models(), key=lambda record: record.macs or 0)]
    print(f"batch {asked.batch}, {N_CLASSES} classes, {asked.head} head, {asked.seconds:g} s each\n")
    print("| network | px | parameters | GMACs | training, images/s | prediction, images/s | peak, MiB |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name in names:
        command = [sys.executable, __file__, name, "--one", "--batch", str(asked.batch), "--head", asked.head]
        command += ["--seconds", str(asked.seconds)]
        command += ["--image-size", str(asked.image_size)] if asked.image_size else []
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]
            print(f"| `{name}` | not measured: {reason} |", flush=True)
            continue
        found = json.loads(done.stdout.splitlines()[-1])
        print(
            f"| `{name}` | {found['px']} | {found['parameters']:,} | {found['macs'] / 1e9:.2f} "
            f"| {found['training']:.1f} | {found['prediction']:.1f} | {found['peak_mib']:.0f} |",
            flush=True,
        )


def measure(name: str, image_size: int | None, n_images: int, seconds: float, head: str) -> dict[str, float]:
    """Images/s of both, on the accelerator if there is one, and what the network is made of."""
    import torch

    from coverslip.models import model_info
    from coverslip.models.complexity import cost_of
    from coverslip.models.networks import create_network
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
    """Images/s of a step over so many seconds, after one that does not count."""
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
    """This process's largest resident size (Linux counts it in KiB, macOS in bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 1024


if __name__ == "__main__":
    main()
