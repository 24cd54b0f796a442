"""Test-time augmentation of the instant classifier: one view against two, on images outside training and test.

For each dataset and seed, half of the groups are outside. The other half is trained on once per setting of `tta`, with
the same split. The difference of macro-F1 is of the outside images. Images: COVERSLIP_DATA,
default ../shared/data.

    python benchmarks/turned_views.py [--sets NAME…] [--seeds N] [--images N] [--side PX] [--upright]
"""

import argparse
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from _outside import FIVE_SETS, Outside, draw, trained
from _records import Record
from finetuning import SETS

from coverslip.evaluation import score
from coverslip.inference import load_classifier

RECORD = Record("Rotated views", ["src/coverslip/training", "src/coverslip/engines"])
UPRIGHT = {"flip": False, "rotate_degrees": 0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=FIVE_SETS)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--images", type=int, default=1200, help="half of them are outside")
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--upright", action="store_true", help="data augmentation without flips and rotation")
    RECORD.add_option(parser)
    options = parser.parse_args()
    print("| dataset | seed | outside | macro-F1 | | log loss | | validation macro-F1 | |")
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    gains: dict[str, list[float]] = defaultdict(list)
    for name in options.sets:
        for seed in range(options.seeds):
            with tempfile.TemporaryDirectory() as folder:
                drawn = draw(SETS[name], options.images, seed, Path(folder))
                settings = {"seed": seed, "image_size": options.side, "augment": UPRIGHT if options.upright else {}}
                first, second = (one_way(drawn, {**settings, "tta": tta}, Path(folder)) for tta in (1, 2))
            gains[name].append(second[0] - first[0])
            pairs = " | ".join(f"{a:.3f} | {b:.3f}" for a, b in zip(first, second, strict=True))
            print(f"| {name} | {seed} | {drawn.n_outside} | {pairs} |", flush=True)
    for name, values in gains.items():
        lowest = f"lowest {min(values):+.3f}, highest {max(values):+.3f}"
        print(f"| **{name}** | {statistics.mean(values):+.4f} | {lowest} |")
        claim = "Macro-F1 of `tta: 2` minus `tta: 1`" + (", upright" if options.upright else "")
        RECORD.add(claim, round(statistics.mean(values), 3), of=name, n=f"{len(values)} seeds", note=lowest)
    RECORD.write("upright" if options.upright else "")


def one_way(drawn: Outside, settings: Mapping[str, Any], folder: Path) -> tuple[float, float, float]:
    """Train with a number of views; return outside macro-F1 and log loss, and validation macro-F1."""
    run = trained(drawn, {**settings, "stage": "instant", "refit_all": False}, folder / f"tta-{settings['tta']}")
    classifier, training = load_classifier(run, "cpu"), run.training
    probability = classifier.probabilities_of(drawn.features(classifier))
    scores = score(probability, drawn.numbers(classifier.classes), names=("macro_f1", "log_loss"))
    assert training is not None
    assert training.instant is not None
    return scores["macro_f1"], scores["log_loss"], training.instant.val_macro_f1 or 0.0


if __name__ == "__main__":
    main()
