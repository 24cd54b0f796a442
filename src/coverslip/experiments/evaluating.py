"""A finished training measured on other labelled images than its own."""

from coverslip.datasets import Dataset, counted, scan_images, with_classes
from coverslip.errors import Stopped
from coverslip.events import Noted
from coverslip.experiments.measuring import measure
from coverslip.experiments.working import working_in
from coverslip.inference import Classifier
from coverslip.runs import (
    EvaluatedImages,
    Run,
    RunContext,
    images_opened,
    kept_as_files,
    refuse_other_images,
    seen_pixels,
)
from coverslip.stopping import Stop, signals_stop


def evaluate_on(evaluation: Run, data: Dataset, classifier: Classifier, context: RunContext) -> Run:
    """Measure a run's classifier on other labelled images, and leave in the evaluation's folder how that went.

    Args:
        evaluation: its folder in the run's; it may be there of an earlier time, on the same images.
        data: the images, by the run's names for classes or by those that its recipe changed into them.
        classifier: of the run.
        context: of the run; told about progress, and where the training had seen images.

    Raises:
        BadDataset: no image has a label that the classifier knows.
        BadRun: there is an evaluation in the folder, on others.
        Stopped: on request, or where there is a file named `stop` in the evaluation's folder.
    """
    run = evaluation.whole
    refuse_other_images(evaluation, _as_measured(data, run, classifier))
    evaluation.folder.mkdir(parents=True, exist_ok=True)
    data = _as_measured(kept_as_files(data, evaluation, emit=context.emit), run, classifier)
    evaluation.stop_file.unlink(missing_ok=True)
    evaluation_context = RunContext(evaluation.folder, context.device, context.emit, Stop(evaluation.stop_file))
    with signals_stop(), working_in(evaluation_context, stopped=_stopped) as inner:
        images = EvaluatedImages(**images_opened(data).model_dump(), n_seen=_count_seen(run, data, inner))
        images.write(evaluation.environment_file)
        measure(evaluation, data, classifier, run.recipe, inner, split=evaluation.folder.name)
    return Run(evaluation.folder)


def _as_measured(data: Dataset, run: Run, classifier: Classifier) -> Dataset:
    """The images read as the classifier does, labelled by its names."""
    return with_classes(
        data.read_with(classifier.card.preprocessing.plan), run.recipe.classes, known=classifier.classes
    )


def _count_seen(run: Run, data: Dataset, context: RunContext) -> int:
    """A classifier looks better than it is on images that it was trained on, or copies of them."""
    scan = scan_images(data, emit=context.emit, stop=context.stop)
    seen, positions = seen_pixels(run.seen), range(len(data.records))
    n = len(seen.known(data, scan, positions, emit=context.emit, stop=context.stop))
    if n:
        used = counted(n, "of these images was", "of these images were")
        text = f"{used} used in training the classifier; its numbers on such images say little."
        context.emit(Noted(code="seen-in-training", text=text, level="warning", values={"n": n}))
    return n


def _stopped(evaluation: Run) -> Stopped:
    return Stopped("The evaluation was stopped", file=evaluation.folder, do="Start it again; nothing was measured yet.")
