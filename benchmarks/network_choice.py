"""What it is worth to choose among networks by validation images, as a time budget may: macro-F1 and log loss.

    python benchmarks/network_choice.py [--sets NAME…] [--images 150 600] [--seeds 10] [--most 1000]

Of each set so many images are drawn by whole groups, a fifth of them to validate on; all others (at most 1,000 images
of a set are read) are tested. Each network that a budget would try has its instant classifier fitted, and each rule
takes one by the validation images. Every row is the mean over seeds of what is gained over always taking the recipe's
own network. Networks see each image once, so that the seeds cost little.
"""

import argparse
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from budget import SETS
from finetuning import DATA, rows_of, spread

from coverslip.engines import N_CHECKED, as_input, fastest_engine, run_tta
from coverslip.evaluation import apply_temperature, fit_temperature, score
from coverslip.experiments.planning import NetworkChoice, network_choices
from coverslip.images import image_facts, preprocess
from coverslip.images.reading import decode
from coverslip.models.networks import FeatureNetwork, create_network
from coverslip.runs import Recipe
from coverslip.training.linear_probe import fit_linear_probe
from coverslip.training.preprocessing import learn_preprocessing
from coverslip.training.ranking import cross_fitted_rank, is_preferred, is_shown_worse, primary_score

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Rule = Callable[[list[Floats], Ints, Recipe], int]  # validation logits of each network -> which is taken


def best(val: list[Floats], label: Ints, recipe: Recipe) -> int:
    return max(range(len(val)), key=lambda i: cross_fitted_rank(val[i], label, recipe))


def preferred(val: list[Floats], label: Ints, recipe: Recipe) -> int:
    """By the primary metric beyond half a standard error, else by the log loss."""
    i = best(val, label, recipe)
    return i if i and is_preferred(val[i], val[0], label, recipe) else 0


def shown(val: list[Floats], label: Ints, recipe: Recipe) -> int:
    """Only where the own one is lower by more than two standard errors."""
    i = best(val, label, recipe)
    return i if i and is_shown_worse(val[0], val[i], label, recipe) else 0


RULES: dict[str, Rule] = {"best": best, "preferred": preferred, "shown to be better": shown}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--images", nargs="+", type=int, default=[150, 600])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--most", type=int, default=1000)
    asked = parser.parse_args()
    choices = network_choices(Recipe(), chooses_network=True)
    print(f"own: {choices[0]}; others: {', '.join(map(str, choices[1:]))}\n")
    print("| set | images | rule | another taken | macro-F1 over own | log loss over own |\n|---|---|---|---|---|---|")
    every: dict[tuple[int, str], list[tuple[float, float]]] = defaultdict(list)
    for name in asked.sets:
        embedded = Embedded(name, choices, asked.most)
        for n in asked.images:
            gains: dict[str, list[tuple[float, float]]] = defaultdict(list)
            for seed in range(asked.seeds):
                val, val_label, test, test_label = embedded.fitted(n, seed)
                numbers = [tested(*each, val_label, test_label) for each in zip(val, test, strict=True)]
                for rule, take in RULES.items():
                    f1, loss = numbers[take(val, val_label, Recipe(seed=seed))]
                    gains[rule].append((f1 - numbers[0][0], loss - numbers[0][1]))
            for rule, pairs in gains.items():
                every[n, rule] += pairs
                print(f"| {name} | {n} | {rule} | {row(pairs)} |", flush=True)
    for (n, rule), pairs in every.items():
        print(f"| **all** | {n} | {rule} | {row(pairs)} |")


def row(pairs: list[tuple[float, float]]) -> str:
    f1, loss = ([pair[which] for pair in pairs] for which in (0, 1))
    return f"{sum(map(any, pairs))} of {len(pairs)} | {spread(f1)} | {spread(loss)}"


class Embedded:
    """Images of a set as each network sees them."""

    def __init__(self, name: str, choices: list[NetworkChoice], most: int) -> None:
        source, group = SETS[name]
        rows = rows_of(DATA / source)
        units = [row[group] if group else str(i) for i, row in enumerate(rows)]
        place = {unit: i for i, unit in enumerate(np.random.default_rng(0).permutation(sorted(set(units))).tolist())}
        order = sorted(range(len(rows)), key=lambda i: place[units[i]])[:most]
        decoded = [decode(Path(rows[i]["path"])) for i in order]
        facts = [image_facts(one) for one in decoded]
        self.unit = np.array([units[i] for i in order])
        self.label = np.unique([rows[i]["label"] for i in order], return_inverse=True)[1]
        self.features = []
        for choice in choices:
            preprocessing = learn_preprocessing(facts, choice.of(Recipe()))
            pixels = np.stack([preprocess(one.array, preprocessing) for one in decoded])
            network = create_network(choice.model, n_classes=2, channels=pixels.shape[-1])
            engine = fastest_engine(FeatureNetwork(network.eval()), as_input(pixels[:N_CHECKED]), device="cpu")
            batches = [run_tta(engine, pixels[i : i + 64], Recipe().tta) for i in range(0, len(pixels), 64)]
            self.features.append(np.concatenate(batches).astype(np.float32))

    def fitted(self, n: int, seed: int) -> tuple[list[Floats], Ints, list[Floats], Ints]:
        """Logits of each network, and labels: of the validation images and of those tested."""
        parts: tuple[list[int], list[int], list[int]] = ([], [], [])
        for unit in np.random.default_rng([seed, n]).permutation(np.unique(self.unit)):
            is_val = len(parts[1]) < round(0.2 * n)
            parts[1 if is_val else 0 if len(parts[0]) + len(parts[1]) < n else 2].extend(
                np.flatnonzero(self.unit == unit).tolist()
            )
        known, train_label = np.unique(self.label[parts[0]], return_inverse=True)
        val, test = (np.array([i for i in part if self.label[i] in known]) for part in parts[1:])
        val_label, test_label = np.searchsorted(known, self.label[val]), np.searchsorted(known, self.label[test])
        recipe, logits = Recipe(seed=seed), (list[Floats](), list[Floats]())
        for features in self.features:
            head = fit_linear_probe(
                features[parts[0]],
                train_label,
                features[val],
                val_label,
                n_classes=len(known),
                balanced=False,
                better=lambda logits, label: primary_score(logits, label, recipe),
            )
            for which, chosen in enumerate((val, test)):
                logits[which].append(head.logits(features[chosen]))
        return logits[0], val_label, logits[1], test_label


def tested(val: Floats, test: Floats, val_label: Ints, test_label: Ints) -> tuple[float, float]:
    """Macro-F1 and calibrated log loss on test images."""
    found = score(apply_temperature(test, fit_temperature(val, val_label)), test_label, names=("macro_f1", "log_loss"))
    return float(found["macro_f1"] or 0), float(found["log_loss"] or 0)


if __name__ == "__main__":
    main()
