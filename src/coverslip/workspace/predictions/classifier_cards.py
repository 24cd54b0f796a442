"""The card of a classifier, and its metrics on test images, also of an imported `.coverslip` file."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from coverslip.evaluation import METRICS, Evaluation
from coverslip.images import Depth
from coverslip.reports.content import Measured, measured
from coverslip.runs import find_classifier, metrics_of_classifier, open_classifier
from coverslip.workspace.predictions.classifiers import ListedClassifier, classifier_state, location_of
from coverslip.workspace.store.workspace import Workspace


@dataclass(frozen=True, slots=True)
class TestedClass:
    """The metrics of a class on the test images."""

    name: str
    n: int
    precision: float | None
    recall: float | None
    f1: Annotated[float | None, Field(description="Harmonic mean of precision and recall; null: not defined.")]


@dataclass(frozen=True, slots=True)
class TestMetrics:
    """The metrics of a classifier on the test images of its training."""

    split: Annotated[
        str, Field(description="The measured images: `test`, or `out-of-fold` of all images after cross-validation.")
    ]
    n: Annotated[int, Field(description="Number of measured images.")]
    n_groups: Annotated[int | None, Field(description="Number of groups of these images; null: unknown.")]
    n_ungrouped: Annotated[int, Field(description="Number of these images without a group, if groups are known.")]
    primary: Annotated[str, Field(description="Name of the primary metric.")]
    values: Annotated[list[Measured], Field(description="The metrics that are shown first.")]
    per_class: list[TestedClass]


@dataclass(frozen=True, slots=True)
class ClassifierDescription:
    """What a classifier is, what it was trained on, and how well it predicted test images."""

    classifier: Annotated[ListedClassifier, Field(description="The classifier, as in lists.")]
    n_parameters: Annotated[int, Field(description="Number of parameters of the network.")]
    image_size: Annotated[int, Field(description="Side in pixels to which images are resized.")]
    resize: Annotated[str, Field(description="How images are resized.")]
    n_images: Annotated[
        int,
        Field(
            description="Number of images of the training and validation set; after cross-validation, or if the "
            "delivered classifier is fitted on test images too, of all."
        ),
    ]
    n_tested: Annotated[
        int | None,
        Field(
            description="Number of training and validation images of the tested classifier, whose metrics these are; "
            "null: the delivered classifier is the tested one."
        ),
    ]
    n_groups: Annotated[int | None, Field(description="Number of groups of these images; null: unknown.")]
    n_ungrouped: Annotated[int, Field(description="Number of these images without a group, if groups are known.")]
    width_px: Annotated[tuple[int, int], Field(description="Smallest and largest width of the training images.")]
    height_px: Annotated[tuple[int, int], Field(description="Smallest and largest height of the training images.")]
    dtypes: Annotated[tuple[Depth, ...], Field(description="Data types of the training images.")]
    channels: Annotated[tuple[int, ...], Field(description="Numbers of channels of the training images.")]
    uncertain_below: Annotated[float, Field(description="Less probable predictions are uncertain; 0 marks none.")]
    thresholds: Annotated[
        dict[str, float] | None,
        Field(description="Decision threshold of each class; null: the most probable class is predicted."),
    ]
    detects_unfamiliar: Annotated[bool, Field(description="Whether it marks images that differ from training images.")]
    must_not_be_used_for: Annotated[str, Field(description="Uses for which the classifier is not suitable.")]
    test: Annotated[TestMetrics | None, Field(description="Metrics on test images; null if the file has none.")]


def classifier_card(workspace: Workspace, classifier_id: str) -> ClassifierDescription:
    """Return the card of a classifier of a training, or of an imported one.

    Raises:
        NotFound: there is no such classifier.
        BadClassifier: the training has none yet, or its file is damaged.
    """
    path = location_of(workspace, classifier_id).path
    packed = open_classifier(find_classifier(path))
    card, metrics = packed.card, metrics_of_classifier(path)
    trained_on, points = card.trained_on, card.operating_points
    return ClassifierDescription(
        classifier=classifier_state(workspace, classifier_id),
        n_parameters=packed.n_parameters,
        image_size=card.preprocessing.image_size,
        resize=card.preprocessing.resize,
        n_images=trained_on.n_images,
        n_tested=None if card.tested is None else card.tested.n_images,
        n_groups=trained_on.n_groups,
        n_ungrouped=trained_on.n_ungrouped,
        width_px=trained_on.width_px,
        height_px=trained_on.height_px,
        dtypes=trained_on.dtypes,
        channels=trained_on.channels,
        uncertain_below=card.uncertain_below,
        thresholds=None if points is None else dict(zip(card.classes, points, strict=True)),
        detects_unfamiliar=card.ood is not None,
        must_not_be_used_for=card.must_not_be_used_for,
        test=None if metrics is None else _test_metrics(metrics),
    )


def _test_metrics(evaluation: Evaluation) -> TestMetrics:
    values = {name: metric for name, metric in evaluation.metrics.items() if name in METRICS}
    return TestMetrics(
        split=evaluation.split,
        n=evaluation.n,
        n_groups=evaluation.n_groups,
        n_ungrouped=evaluation.n_ungrouped,
        primary=evaluation.primary,
        values=[
            measured(name, values[name])
            for name in METRICS
            if name in values and (METRICS[name].is_headline or name == evaluation.primary)
        ],
        per_class=[
            TestedClass(
                name,
                scores.n,
                *(
                    None if (metric := scores.metrics.get(key)) is None else metric.value
                    for key in ("precision", "recall", "f1")
                ),
            )
            for name, scores in evaluation.per_class.items()
        ],
    )
