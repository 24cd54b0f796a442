"""The learning curve of a training, from features that are there already."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from coverslip.datasets import connected_components
from coverslip.events import telling
from coverslip.experiments.split_data import SplitData
from coverslip.runs import LearningCurveRecord, Recipe, RunContext

if TYPE_CHECKING:
    from coverslip.engines import Features
    from coverslip.training.heads import Variation
    from coverslip.training.instant_stage import OnFeatures

_ROWS_AT_ONCE = 2048


def drawn_on(
    split_data: SplitData, recipe: Recipe, context: RunContext, n_of_fold: int | None = None
) -> "OnFeatures | None":
    """What leaves the learning curve in the run folder, once the instant stage has features of the images.

    None where there are no such features, or where they come from an earlier run, which may have learnt from these
    very images: networks that leave images out would know them all the same.
    """
    if recipe.init != "imagenet":
        return None

    def draw(train: "Features", val: "Features", shrinkage: float | None, variation: "Variation | None") -> None:
        from coverslip.audit import MOST_IMAGES, learning_curve, nested_order
        from coverslip.training.heads import is_balanced

        assert shrinkage is not None, "a linear probe was fitted"
        context.stop.check()
        positions = np.concatenate([split_data.train, split_data.val])
        label, unit = (
            split_data.label[positions],
            connected_components(split_data.data, split_data.scan, positions.tolist()),
        )
        order = nested_order(label, unit, np.random.default_rng(recipe.seed))
        used = order < MOST_IMAGES / len(positions)
        learnt = (
            split_data.train if recipe.split.train_per_class is not None else positions
        )  # as the last layer is fitted
        records, has_groups = split_data.data.records, split_data.data.has_groups
        has_name = np.array([records[i].named_group is not None for i in positions[used].tolist()])
        curve = learning_curve(
            _rows((train, val), used),
            label[used],
            unit[used],
            n_images=len(learnt),
            n_groups=len({records[i].named_group for i in learnt.tolist()} - {None}) if has_groups else None,
            has_name=has_name if has_groups else None,
            shrinkage=shrinkage,
            balanced=is_balanced(recipe),
            variation=variation.rows if variation else None,
            n_images_of_fold=n_of_fold,
            seed=recipe.seed,
            on_progress=telling(context.emit, "drawing the learning curve", "networks"),
        )
        LearningCurveRecord(curve=curve).write(context.run.learning_curve_file)

    return draw


def _rows(parts: "Sequence[Features]", used: np.ndarray) -> np.ndarray:
    """The features of the images that are used, read some at a time."""
    used_rows, first = [], 0
    for part in parts:
        for start in range(0, part.shape[0], _ROWS_AT_ONCE):
            rows = part[slice(start, start + _ROWS_AT_ONCE)]
            used_rows.append(rows[used[first : first + len(rows)]])
            first += len(rows)
    return np.concatenate(used_rows)
