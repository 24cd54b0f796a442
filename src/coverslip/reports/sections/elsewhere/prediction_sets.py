"""How often prediction sets contain the true class of the measured images, by class and by group."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from coverslip.evaluation.prediction_sets import LEVEL, SetCoverage, images_needed, set_coverage
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.record import Section, SectionText
from coverslip.reports.words import count, number, percent, plural
from coverslip.runs import Prediction

_MOST_GROUPS = 12
_GUARANTEE = {
    "validation images": "{sets} were calibrated on validation images, which also selected {selected}. "
    "Each image was predicted by a last layer that was fitted without it. The coverage is therefore approximate.",
    "held-out training images": "{sets} were calibrated on training images, each predicted by a linear probe that "
    "was trained without it (cross-conformal). Their guaranteed coverage is {worst:.0%} of the images of a class; the "
    "usual coverage is the target.",
    "the folds' images": "{sets} were calibrated on the validation images of all folds, each predicted by its fold's "
    "network (cross-conformal). Their guaranteed coverage is {worst:.0%} of the images of a class; the usual coverage "
    "is the target.",
}


def _text(run: ReportedRun) -> SectionText:
    rows = _with_sets(run)
    if not rows:
        needed = images_needed()
        text = (
            f"There are no prediction sets. A coverage of {LEVEL:.0%} per class needs {needed} calibration images of a "
            "class that were not used for training, and no class has that many."
        )
        return SectionText((text,))
    whole = _coverage(rows, run.classes)
    words = [
        "A prediction set lists the plausible classes of an image, the most probable one always. The target is that "
        f"{LEVEL:.0%} of the images of each class have their true class in the set. "
        f"Of {plural(whole.n, 'image')} measured here, {percent(whole.n_covered / whole.n)} do. "
        f"A set has {whole.mean_size:.2f} classes on average, and {count(whole.n_single)} sets have one class. "
        "The target holds for images like the training images; it does not hold for images from another source.",
    ]
    if run.run.training is not None:
        worst = 2 * LEVEL - 1
        is_instant = run.run.training.chosen == "instant"
        selected = "the shrinkage" if is_instant else "the epoch and the weight of the refitted last layer"
        sets = "The final classifier's sets" if run.n_folds else "The sets"  # the table is of the folds' networks
        words.append(
            _GUARANTEE[run.run.training.calibration.learnt_on].format(sets=sets, worst=worst, selected=selected)
        )
    if always := _in_every_set(run):
        words.append(
            f"These classes have fewer than {images_needed()} calibration images, so they are in every set: "
            f"{', '.join(always)}."
        )
    if run.n_groups:
        words.append(
            "The calibration treats images as independent, although images of a group are similar. The target "
            "therefore holds for further images of the same groups. Images of new groups reach nearly the same "
            "coverage if a class has many small groups, and less if it has a few large ones. The table lists the "
            "groups with the lowest coverage."
        )
    if run.n_folds:
        words.append(
            "The table is of the folds' networks instead. Their sets were calibrated on each fold's validation images."
        )
    return SectionText(
        words, ("class or group", "images", "true class in the set", "mean set size"), list(_lines(run, rows))
    )


def _with_sets(run: ReportedRun) -> Sequence[Prediction]:
    return [
        row
        for row in run.measured.predictions.measured().rows
        if row.prediction_set is not None and row.label is not None
    ]


def _in_every_set(run: ReportedRun) -> list[str]:
    """Classes with too few images to be excluded from a set."""
    card = run.run.card
    if card is None or card.set_floors is None:
        return []
    return [name for name, floor in zip(card.classes, card.set_floors, strict=True) if floor == 0]


def _lines(run: ReportedRun, rows: Sequence[Prediction]) -> Iterator[tuple[str, ...]]:
    for name in run.classes:
        yield _line(name, _coverage([row for row in rows if row.label == name], run.classes))
    group_of = {row.image_id: row.named_group for row in run.run.split} if run.evaluation is None else {}
    by_group: dict[str, list[Prediction]] = defaultdict(list)
    for row in rows:
        if group := group_of.get(row.image_id):
            by_group[group].append(row)
    of_groups = {name: _coverage(own, run.classes) for name, own in by_group.items()}
    worst = sorted(of_groups, key=lambda name: of_groups[name].n_covered / of_groups[name].n)
    for name in worst[:_MOST_GROUPS]:
        yield _line(f"group {name}", of_groups[name])


def _line(name: str, coverage: SetCoverage) -> tuple[str, ...]:
    if not coverage.n:
        return (name, "0", "–", "–")
    return (name, count(coverage.n), percent(coverage.n_covered / coverage.n), number(coverage.mean_size, 2))


def _coverage(rows: Sequence[Prediction], classes: Sequence[str]) -> SetCoverage:
    is_in_set = np.array([[name in (row.prediction_set or ()) for name in classes] for row in rows], dtype=bool)
    label = np.array([classes.index(row.label or "") for row in rows], dtype=np.int64)
    return set_coverage(is_in_set.reshape(len(rows), len(classes)), label)


PREDICTION_SETS = Section(
    name="prediction_sets",
    title="Prediction sets",
    order=650,
    applies=lambda run: run.metrics.n > 0,
    text=_text,
)
