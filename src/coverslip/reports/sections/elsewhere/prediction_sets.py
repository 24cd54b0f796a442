"""How often prediction sets held the true class of the measured images, by class and by group."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from coverslip.evaluation.prediction_sets import LEVEL, SetCoverage, images_needed, set_coverage
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.record import Section, SectionText
from coverslip.reports.words import count, number, plural
from coverslip.runs import Prediction

_MOST_GROUPS = 12
_GUARANTEE = {
    "validation images": "The limits come from validation images. These also chose the shrinkage or the epoch, so that "
    "the promise holds nearly, not exactly.",
    "held-out training images": "The limits come from training images, each judged by a linear probe that did not see "
    "it (cross-conformal). What is sure of such sets is less, {worst:.0%} of the images of a class; usually they hold "
    "what they promise.",
    "the folds' images": "The limits come from validation images of all folds, each judged by its fold's network "
    "(cross-conformal). What is sure of such sets is less, {worst:.0%} of the images of a class; usually they hold "
    "what they promise.",
}


def _text(run: ReportedRun) -> SectionText:
    rows = _with_sets(run)
    if not rows:
        needed = images_needed()
        text = (
            f"There are none: for sets that hold the true class of {LEVEL:.0%} of the images of each class it takes "
            f"{needed} images of a class that were not trained on, to learn from, and no class has as many."
        )
        return SectionText((text,))
    whole = _coverage(rows, run.classes)
    words = [
        f"A prediction set names all classes that an image may well show, so that of each class's images {LEVEL:.0%} "
        f"have theirs in it. Of {plural(whole.n, 'image')} measured here {whole.n_covered / whole.n:.1%} have; a set "
        f"names {whole.mean_size:.2f} classes on average, and {count(whole.n_single)} name a single one. The promise "
        "is about images like those of training, on average over trainings: with images from elsewhere it fails.",
    ]
    if run.run.training is not None:
        worst = 2 * LEVEL - 1
        words.append(_GUARANTEE[run.run.training.calibration.learnt_on].format(worst=worst))
    if always := _in_every_set(run):
        words.append(
            f"In every set, since fewer than {images_needed()} images that were not trained on could tell when to "
            f"leave it out: {', '.join(always)}."
        )
    if run.n_groups:
        words.append(
            "Images were taken one by one for that, though those of a group resemble each other. What is promised is "
            "about further images of the same groups. Sets of images of new groups hold the true class nearly as often "
            "where a class's images come from many small groups, less often where they come from a few large ones; "
            "single groups fall below in any case, as the table shows."
        )
    if run.n_folds:
        words.append("What is measured here are sets of the folds' networks, by limits from their validation images.")
    return SectionText(words, ("images", "n", "true class in the set", "classes in a set"), list(_lines(run, rows)))


def _with_sets(run: ReportedRun) -> Sequence[Prediction]:
    return [
        row
        for row in run.measured.predictions.measured().rows
        if row.prediction_set is not None and row.label is not None
    ]


def _in_every_set(run: ReportedRun) -> list[str]:
    """Classes of too few images to leave them out of a set."""
    card = run.run.card
    if card is None or card.set_floors is None:
        return []
    return [name for name, floor in zip(card.classes, card.set_floors, strict=True) if floor == 0]


def _lines(run: ReportedRun, rows: Sequence[Prediction]) -> Iterator[tuple[str, ...]]:
    for name in run.classes:
        yield _line(name, _coverage([row for row in rows if row.label == name], run.classes))
    group_of = {row.image_id: row.group for row in run.run.split} if run.evaluation is None else {}
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
    return (name, count(coverage.n), f"{coverage.n_covered / coverage.n:.1%}", number(coverage.mean_size))


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
