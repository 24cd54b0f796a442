"""coverslip against well-known trainers: the same images of 96 px, the same initial weights, each tuned as documented.

A cell is one training on n images of a dataset, and the prediction of about 1,000 images of other groups, with one
seed. The seed divides the groups and draws the training images. Each peer (benchmarks/peers) runs as a child process
in its own virtual environment, without labels of test images. All start from the ImageNet weights of EfficientNet-Lite0
that coverslip contains. The probabilities are measured here, alike for all. The cells are rows of
results/against_peers.csv, each with the commit that it was computed at. Cells with a row are not computed again: repeat
the command to resume. The processor seconds include start-up and prediction. Set OMP_NUM_THREADS; times
are of one thread if it is 1. Defaults of coverslip were chosen on other divisions of these datasets, and the settings
of peers on another division of one to three of them. Images of those divisions are test images here, so that neither
side is independent of them. Images: COVERSLIP_DATA, default ../shared/data.

    OMP_NUM_THREADS=1 python benchmarks/against_peers.py FOLDER [--sets NAME…] [--sizes N…] [--seeds N] [--peers NAME…]

`--summarize` computes no cells. The averages over datasets are of the datasets and seeds that all peers have.
coverslip's probabilities are calibrated, those of the others are as they come. Memory is that of the largest process.
"""

import argparse
import csv
import dataclasses
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _records import RESULTS, Record, git
from finetuning import DATA, SETS, rows_of

RECORD = Record(
    "coverslip against well-known trainers",
    ["src/coverslip/training", "src/coverslip/experiments", "benchmarks/peers"],
)
PEERS_FOLDER = Path(__file__).resolve().parent / "peers"
CELLS = RESULTS / "against_peers.csv"
FIVE_SETS = ("blood_pbc", "chromosomes_gband", "blood_malaria", "nuclei_mitocheck", "pap_herlev")
SIDE_PX = 96
TEST_SHARE = 0.4  # of the images, in whole groups
MOST_TESTED = 1000
FEWEST = 4  # training images of a class, if there are as many
METRICS = ("macro_f1", "accuracy", "log_loss", "calibration_error")
COSTS = ("processor_s", "peak_mib")
COLUMNS = ("name", "n", "seed", "peer", "commit", "threads", "n_train", "n_test", "n_classes", *METRICS, *COSTS)
LOWER_IS_BETTER = {
    "log_loss": "log loss",
    "calibration_error": "calibration error",
    "processor_s": "processor seconds",
    "peak_mib": "peak memory",
}
TORCH = ("torch==2.13.0", "torchvision==0.28.0")


@dataclass(frozen=True)
class Peer:
    """A script of benchmarks/peers, its arguments, and the packages of its environment; none: that of coverslip."""

    script: str
    arguments: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()


PEERS = {
    "scikit-learn": Peer("sklearn_peer", (), (*TORCH, "timm==1.0.31", "scikit-learn==1.9.1")),
    "coverslip good": Peer("coverslip_peer", ("good",)),
    "LP-FT": Peer("lp_ft_peer", (), (*TORCH, "timm==1.0.31", "scikit-learn==1.9.1")),
    "fastai": Peer("fastai_peer", (), (*TORCH, "timm==1.0.31", "fastai==2.8.12")),
    "AutoGluon": Peer("autogluon_peer", (), (*TORCH, "autogluon.multimodal==1.6.3")),
    "coverslip best": Peer("coverslip_peer", ("best",)),
}
Row = dict[str, str]
Cell = dict[str, float]  # the metrics and costs


@dataclass(frozen=True)
class Key:
    """What identifies a cell."""

    name: str  # of the dataset
    n: int
    seed: int
    peer: str

    def log_file(self, folder: Path) -> Path:
        words = f"{self.name} {self.n} {self.seed} {self.peer}".lower()
        return folder / "logs" / f"{words.replace(' ', '-')}.txt"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of images, environments and logs")
    parser.add_argument("--sets", nargs="+", default=list(FIVE_SETS), choices=SETS)
    parser.add_argument("--sizes", nargs="+", type=int, default=[100, 400], metavar="N", help="training images")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--peers", nargs="+", default=list(PEERS), choices=PEERS)
    parser.add_argument("--summarize", action="store_true", help="only print the table of the cells")
    RECORD.add_option(parser)
    options = parser.parse_args()
    keys = [
        Key(name, n, seed, peer)
        for n in options.sizes
        for seed in range(options.seeds)
        for name in options.sets
        for peer in options.peers
    ]
    folder = options.folder.resolve()
    computed = read_cells()
    missing = [] if options.summarize else [key for key in keys if key not in computed]
    failed = [key for key in missing if not compute(key, folder)]
    computed = read_cells()
    cells = {key: computed[key] for key in keys if key in computed}
    print_table(cells, options.peers)
    print_losses(cells, options.peers)
    for n in options.sizes:
        add_averages({key: cell for key, cell in cells.items() if key.n == n}, n)
    RECORD.write()
    if failed:
        raise SystemExit(f"Failed: {'; '.join(f'{key.name} {key.n} {key.seed} {key.peer}' for key in failed)}")


# The cells


def read_cells() -> dict[Key, Cell]:
    if not CELLS.is_file():
        return {}
    with CELLS.open(newline="", encoding="utf-8") as file:
        return {
            Key(row["name"], int(row["n"]), int(row["seed"]), row["peer"]): {
                name: float(row[name]) for name in (*METRICS, *COSTS)
            }
            for row in csv.DictReader(file)
        }


def compute(key: Key, folder: Path) -> bool:
    """Run a peer, and write the row of the cell; return whether the peer succeeded."""
    peer = PEERS[key.peer]
    python, weights = environment(key.peer, folder), initial_weights(folder)
    train, test = divide(small_images(key.name, folder), key.n, key.seed)
    classes = sorted({row["label"] for row in train})
    log_file = key.log_file(folder)
    log_file.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as temporary, log_file.open("w") as log:
        write_table(train, ("path", "label", "group"), Path(temporary) / "train.csv")
        write_table(test, ("path",), Path(temporary) / "test.csv")
        command = [python, PEERS_FOLDER / f"{peer.script}.py", temporary, weights, str(key.seed), *peer.arguments]
        with subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | {"HF_HUB_OFFLINE": "1"}) as child:
            _, status, used = os.wait4(child.pid, 0)  # with the children of the child
            child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            print(f"{key}: exit code {child.returncode}, see {log_file}", file=sys.stderr, flush=True)
            return False
        with (Path(temporary) / "probabilities.csv").open(newline="", encoding="utf-8") as file:
            header, *rows = csv.reader(file)
    assert header == classes
    metrics = measure(np.array(rows, dtype=float), np.array([classes.index(row["label"]) for row in test]))
    costs = {"processor_s": round(used.ru_utime + used.ru_stime, 1), "peak_mib": round(used.ru_maxrss / 1024)}
    row = {
        **dataclasses.asdict(key),
        "commit": git("rev-parse", "--short=8", "HEAD"),
        "threads": os.environ.get("OMP_NUM_THREADS", ""),
        "n_train": len(train),
        "n_test": len(test),
        "n_classes": len(classes),
        **{name: round(value, 5) for name, value in metrics.items()},
        **costs,  # memory of the largest process
    }
    begins = not CELLS.is_file()
    with CELLS.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if begins:
            writer.writeheader()
        writer.writerow(row)
    print({name: row[name] for name in ("name", "n", "seed", "peer", *METRICS, *COSTS)}, file=sys.stderr, flush=True)
    return True


def measure(probability: np.ndarray, label: np.ndarray) -> dict[str, float]:
    from coverslip.evaluation.calibration import expected_calibration_error
    from coverslip.evaluation.table import score

    probability = probability / probability.sum(axis=1, keepdims=True)  # written digits
    scores = score(probability, label, names=("macro_f1", "accuracy", "log_loss"))
    return {**scores, "calibration_error": expected_calibration_error(probability, label)}


def environment(name: str, folder: Path) -> Path:
    """Return the Python program of a peer, after its packages are installed. Equal packages have one environment."""
    packages = PEERS[name].packages
    if not packages:
        return Path(sys.executable)
    first = next(peer for peer, record in PEERS.items() if record.packages == packages)
    place = folder / "environments" / first.lower()
    if not (place / "ready").is_file():
        subprocess.run([sys.executable, "-m", "venv", "--clear", place], check=True)
        subprocess.run([place / "bin" / "python", "-m", "pip", "install", "--quiet", *packages], check=True)
        (place / "ready").touch()
    return place / "bin" / "python"


def initial_weights(folder: Path) -> Path:
    """Return a file of timm's format with the weights of EfficientNet-Lite0 that coverslip contains."""
    file = folder / "tf_efficientnet_lite0.pth"
    if not file.is_file():
        import torch

        from coverslip.models.weights import local_weights

        weights = local_weights("efficientnet_lite0")
        assert weights is not None
        torch.save(dict(weights.tensors), file)
    return file


def small_images(name: str, folder: Path) -> list[Row]:
    """Return path, label and group of all images of a dataset as PNG files of 96 px, after they are written once."""
    from PIL import Image

    from coverslip.images.decoding import read_preprocessed_image
    from coverslip.images.preprocessing import Preprocessing
    from coverslip.images.reading import ReadPlan

    table = folder / "images" / f"{name}.csv"
    if not table.is_file():
        group = SETS[name].group
        (folder / "images" / name).mkdir(parents=True, exist_ok=True)
        rows = []
        for i, row in enumerate(rows_of(DATA / SETS[name].source)):
            file = folder / "images" / name / f"{i:05}.png"
            image = read_preprocessed_image(Path(row["path"]), ReadPlan(), Preprocessing(image_size=SIDE_PX))
            Image.fromarray(image.pixels).save(file)
            rows.append({"path": str(file), "label": row["label"], "group": row[group] if group else file.stem})
        write_table(rows, ("path", "label", "group"), table)
    with table.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write_table(rows: Iterable[Row], columns: Sequence[str], file: Path) -> None:
    part = file.with_name(f"{file.name}.part")
    with part.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.DictWriter(opened, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    part.replace(file)


def divide(rows: list[Row], n: int, seed: int) -> tuple[list[Row], list[Row]]:
    """Return about n images to train on, and up to 1,000 of other groups to test on, which do not depend on n.

    Each class has at least four training images, and the other training images follow the proportions of classes.
    """
    draw = random.Random(seed)
    groups = sorted({row["group"] for row in rows})
    draw.shuffle(groups)
    by_group = defaultdict(list)
    for row in rows:
        by_group[row["group"]].append(row)
    test: list[Row] = []
    while len(test) < TEST_SHARE * len(rows):
        test += by_group.pop(groups.pop())
    by_label = defaultdict(list)
    for group in groups:
        for row in by_group[group]:
            by_label[row["label"]].append(row)
    n_rest, n_pool = n - FEWEST * len(by_label), sum(map(len, by_label.values()))
    train = []
    for label in sorted(by_label):
        n_of_class = FEWEST + round(n_rest * len(by_label[label]) / n_pool)
        draw.shuffle(by_label[label])
        train += by_label[label][:n_of_class]
    test = [row for row in test if row["label"] in by_label]
    draw = random.Random(seed)
    return train, draw.sample(test, min(len(test), MOST_TESTED))


# The table


def print_table(cells: dict[Key, Cell], peers: Sequence[str]) -> None:
    """Print a row for each dataset, size and peer: mean ± SD over seeds."""
    headings = ("macro-F1", "accuracy", "log loss", "calibration error", "processor s", "peak memory (MiB)")
    print(f"| dataset | n | peer | seeds | {' | '.join(headings)} |")
    print("|---|---|---|---|" + "---|" * len(headings))
    for name, n in dict.fromkeys((key.name, key.n) for key in sorted(cells, key=lambda key: (key.name, key.n))):
        for peer in peers:
            of_seeds = [cell for key, cell in cells.items() if (key.name, key.n, key.peer) == (name, n, peer)]
            if of_seeds:
                shown = [spread([cell[metric] for cell in of_seeds], 3) for metric in METRICS]
                shown += [spread([cell[cost] for cell in of_seeds], 0) for cost in COSTS]
                print(f"| {name} | {n} | {peer} | {len(of_seeds)} | {' | '.join(shown)} |")


def spread(values: list[float], digits: int) -> str:
    deviation = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.{digits}f}{deviation}"


def print_losses(cells: dict[Key, Cell], peers: Sequence[str]) -> None:
    """Print a sentence for each peer: where each classifier of coverslip is worse, over the seeds that both have."""
    print()
    for coverslip in (name for name in peers if name.startswith("coverslip")):
        for peer in (name for name in peers if not name.startswith("coverslip")):
            losses, n_compared = [], 0
            for metric, title in (LOWER_IS_BETTER | {"macro_f1": "macro-F1", "accuracy": "accuracy"}).items():
                for name, n in dict.fromkeys((key.name, key.n) for key in cells):
                    changes = differences(cells, (name, n), coverslip, peer, metric)
                    n_compared += bool(changes)
                    sign = -1 if metric in LOWER_IS_BETTER else 1
                    if changes and sign * statistics.mean(changes) < 0:
                        digits = 0 if metric in COSTS else 3
                        losses.append(f"{title} on {name} at n = {n} ({spread(changes, digits)})")
            if n_compared:
                where = "; ".join(losses) or "none"
                print(f"- {coverslip} is worse than {peer} in {len(losses)} of {n_compared} comparisons: {where}.")


def differences(
    cells: dict[Key, Cell], name_and_n: tuple[str, int], coverslip: str, peer: str, metric: str
) -> list[float]:
    """Return coverslip minus peer for each seed that both have."""
    of_peer = {key.seed: cell for key, cell in cells.items() if (key.name, key.n, key.peer) == (*name_and_n, peer)}
    return [
        cell[metric] - of_peer[key.seed][metric]
        for key, cell in cells.items()
        if (key.name, key.n, key.peer) == (*name_and_n, coverslip) and key.seed in of_peer
    ]


def add_averages(cells: dict[Key, Cell], n: int) -> None:
    """Print and record averages of the datasets and seeds that all peers with cells of this size have."""
    peers = [peer for peer in PEERS if any(key.peer == peer for key in cells)]
    places = dict.fromkeys((key.name, key.seed) for key in cells)
    common = [place for place in places if all(Key(place[0], n, place[1], peer) in cells for peer in peers)]
    if not common:
        return
    print(f"\n{n} training images, {len(common)} divisions of {len({name for name, _ in common})} datasets:\n")
    print("| peer | macro-F1 | log loss | calibration error | processor s | peak memory (MiB) |")
    print("|---|---|---|---|---|---|")
    for peer in peers:
        rows = [cells[Key(name, n, seed, peer)] for name, seed in common]
        f1, _, loss, error, seconds, memory = (statistics.mean(row[m] for row in rows) for m in (*METRICS, *COSTS))
        print(f"| {peer} | {f1:.3f} | {loss:.3f} | {error:.3f} | {seconds:.0f} | {memory:.0f} |")
        n_sets = len({name for name, _ in common})
        claim = f"Macro-F1, {n} images, {n_sets} datasets (log loss, calibration error, processor s)"
        note = f"{loss:.3f}, {error:.3f}, {seconds:.0f}"
        RECORD.add(claim, round(f1, 3), of=peer, n=f"{len(common)} training{'s' * (len(common) > 1)}", note=note)


if __name__ == "__main__":
    main()
