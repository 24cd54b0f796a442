"""How fast a training is here, by its instant stage and the first steps of its fine-tuning, which is then given up."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from coverslip.errors import OutOfTime
from coverslip.experiments.budgeting import LOADINGS, Watch, without_stages
from coverslip.experiments.measuring import fit_to_memory
from coverslip.experiments.one_split import fit_network, preprocess
from coverslip.experiments.split_data import SplitData
from coverslip.runs import Recipe, RunContext, save_recipe
from coverslip.stopping import Stop, TimeLimit

if TYPE_CHECKING:
    from coverslip.training.pacing import StepPace


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """The speed of a training."""

    image_size: int
    test_seconds: float  # for what comes after training, on few images
    embedding_seconds: float  # of an image in the instant stage; 0 where all features were there
    pace: "StepPace | None"  # of fine-tuning; None where there is none


def first_steps(split_data: SplitData, recipe: Recipe, context: RunContext, *, n_trainings: float = 0.0) -> FirstSteps:
    """Train until the speed is known. Pixels and features stay in their caches.

    Args:
        split_data: the images and their split.
        recipe: with a number of epochs.
        context: its folder gets nothing.
        n_trainings: instant classifiers that must be made ready, tested and reported in time too.

    Raises:
        OutOfTime: all this is foreseen to end after the context's deadline; the value `seconds` is what it still takes,
            0 where that is not known.
        OutOfMemory: fine-tuning takes more than is free.
        Stopped: on request.
    """
    limit = TimeLimit(context.deadline, fewest_epochs=math.inf, most_epochs=0.0)
    emit = without_stages(context.emit)
    watch = Watch(context.deadline, emit, limit, n_later_loadings=LOADINGS * n_trainings)
    stop = Stop(context.stop.file, watch.deadline_after(context.deadline.seconds_left()))
    # On the disk that the run is on. Its name is that of what a killed process was writing.
    with TemporaryDirectory(dir=context.folder, prefix=".measuring.", suffix=".part") as folder:
        inner = replace(context, folder=Path(folder), emit=watch, stop=stop, limit=limit)
        save_recipe(recipe, inner.run.recipe_file)
        try:
            recipe = fit_to_memory(split_data, recipe, inner)
            preprocessing = preprocess(split_data, recipe, inner)
            fitted, _ = fit_network(split_data, preprocessing, recipe, inner)
        except OutOfTime as error:
            error.parameters["seconds"] = max(0.0, watch.foreseen)
            raise
    context.stop.check()  # which fine-tuning takes for its end
    return FirstSteps(preprocessing.image_size, watch.reserved, watch.embedding_seconds, fitted.pace)
