"""Compare the result of cross-validation with that of the final classifier on an external test set.

Instant classifiers are trained with five folds on a part of a dataset. The final classifier, trained on this whole
part, then predicts the rest, which shares no group with it. 'covered' counts the trainings in which the 95% confidence
interval of macro-F1 contains that result. 'learning curve' is the reported gain of the final classifier over the folds.
The Markdown table has means over seeds with standard errors. Images: COVERSLIP_DATA, default ../shared/data.

    python benchmarks/folds_estimate.py [--rows NAME…] [--seeds N]
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from folds_calibration import DATA, Row
from sklearn.metrics import f1_score

import coverslip as cs
from coverslip.datasets import split_units
from coverslip.events import ignore

ROWS = {
    "blood_pbc": Row("blood_pbc", None, 300, 1500, 96),
    "chromosomes_qband": Row("chromosomes_qband/images.csv", "cell", 500, 900, 64),
    "pap_herlev": Row("pap_herlev/images.csv", "image", 300, 600, 96),
    "blood_malaria": Row("blood_malaria/images.csv", "patient", 400, 1200, 64),
    "nuclei_mitocheck": Row("nuclei_mitocheck/images.csv", "movie", 500, 1500, 64),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="*", default=list(ROWS), help=f"some of: {'; '.join(ROWS)}")
    parser.add_argument("--seeds", type=int, default=6)
    options = parser.parse_args()
    columns = ("dataset", "images, external", "folds", "external", "external - folds", "learning curve", "covered")
    print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    for name in options.rows:
        show(name, [one_training(ROWS[name], seed) for seed in range(options.seeds)])


def show(name: str, trainings: list[dict[str, float]]) -> None:
    """Print a row of the table."""
    values = {key: np.array([each[key] for each in trainings]) for key in trainings[0]}

    def with_error(numbers: np.ndarray) -> str:
        finite = numbers[np.isfinite(numbers)]  # a learning curve requires enough groups
        return f"{finite.mean():.3f} ({finite.std(ddof=1) / np.sqrt(len(finite)):.3f})" if len(finite) > 1 else ""

    folds, external = values["folds"], values["external"]
    n = f"{values['n'].mean():.0f}, {values['n_parallel'].mean():.0f}"
    cells = [n, with_error(folds), with_error(external), with_error(external - folds), with_error(values["gain"])]
    print(f"| {name} | {' | '.join(cells)} | {values['holds'].sum():.0f} of {len(trainings)} |", flush=True)


def one_training(row: Row, seed: int) -> dict[str, float]:
    """Return the result of the folds, and that of the classifier on the external test set."""
    data = cs.open_dataset(DATA / row.source, group=row.group)
    data = data.subset([i for i, record in enumerate(data.records) if record.label])
    label = np.unique([record.label for record in data.records], return_inverse=True)[1]
    group = np.unique([record.group or record.image_id for record in data.records], return_inverse=True)[1]
    n = len(label)
    shares = row.n_train / n, max(0.0, 1 - (row.n_train + row.n_parallel) / n), min(row.n_parallel, n - row.n_train) / n
    part = split_units(label, group, shares, seed)
    train, external = (data.subset(np.flatnonzero(part == side).tolist()) for side in (0, 2))
    settings = {"stage": "instant", "image_size": row.image_size, "seed": seed, "split": {"folds": 5}}
    with tempfile.TemporaryDirectory() as folder:
        run = cs.train(train, cs.Recipe.model_validate(settings), out=Path(folder) / "run", emit=ignore)
        predicted = list(cs.load_classifier(run).predict_images(external))
        folds, curve = run.metrics.metrics["macro_f1"], run.learning_curve
    value = f1_score([row.label for row in predicted], [row.predicted for row in predicted], average="macro")
    gain = np.nan if curve is None or curve.over_folds is None else curve.over_folds.value
    return {
        "n": len(train.records),
        "n_parallel": len(predicted),
        "folds": folds.value,
        "external": value,
        "gain": gain,
        "holds": folds.low <= value <= folds.high,
    }


if __name__ == "__main__":
    main()
