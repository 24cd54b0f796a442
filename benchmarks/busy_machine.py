"""Training beside other programs: effect of the time for which waiting threads spin before they sleep.

The script measures images/s of a training step (EfficientNet-Lite0, 96 px, batches of 32, one batch in memory), on an
otherwise idle machine and with all cores but one used by other programs, for several numbers of spin iterations
(`GOMP_SPINCOUNT`): the default of GNU OpenMP, that of coverslip, and others. Each value has a separate process.

    python benchmarks/busy_machine.py [--rounds 2]

Other work on the machine affects all numbers.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from coverslip.machine import n_cores

GNU, OURS = 300_000, 3_000
TURNS = (GNU, 30_000, 10_000, OURS, 1_000)
BATCH, SIDE, SECONDS = 32, 96, 5
ENDLESS = [sys.executable, "-c", "while True: pass"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(images_per_second())
        return
    print(f"{n_cores()} cores; images/s of training\n")
    print(
        "| cores used by other programs | " + " | ".join(f"{turns:,} iterations" for turns in TURNS) + " | one thread |"
    )
    print("|---|" + "---:|" * (len(TURNS) + 1), flush=True)
    for n_taken in (0, n_cores() - 1):
        for _ in range(options.rounds):
            with busy(n_taken):
                seconds = [measured(GOMP_SPINCOUNT=str(turns)) for turns in TURNS]
                seconds.append(measured(OMP_NUM_THREADS="1"))
            print(f"| {n_taken} | " + " | ".join(f"{rate:.0f}" for rate in seconds) + " |", flush=True)


def measured(**environment: str) -> float:
    """Return images/s in a process with these environment variables."""
    others = {k: v for k, v in os.environ.items() if k not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OMP_NUM_THREADS")}
    command = [sys.executable, __file__, "--one"]
    return float(
        subprocess.run(command, env=others | environment, stdout=subprocess.PIPE, text=True, check=True).stdout
    )


def images_per_second() -> float:
    import torch
    from torch.nn.functional import cross_entropy

    from coverslip.models.networks import create_network

    network = create_network("efficientnet_lite0", n_classes=8, head="native", pretrained=False)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in the annotation
    optimizer = torch.optim.AdamW(network.parameters())
    images = torch.rand(BATCH, 3, SIDE, SIDE).to(memory_format=torch.channels_last)
    labels = torch.randint(0, 8, (BATCH,))
    n_done, started = -2, 0.0  # two steps to warm up
    while n_done < 1 or time.perf_counter() - started < SECONDS:
        if n_done == 0:
            started = time.perf_counter()
        optimizer.zero_grad()
        cross_entropy(network(images), labels).backward()
        optimizer.step()
        n_done += 1
    return BATCH * n_done / (time.perf_counter() - started)


@contextmanager
def busy(n: int) -> Iterator[None]:
    """Run `n` programs that each keep a core busy."""
    programs = [subprocess.Popen(ENDLESS) for _ in range(n)]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


if __name__ == "__main__":
    main()
