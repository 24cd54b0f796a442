"""What a published protocol adds: the difference from the protocol of the study, on the same images."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from coverslip.errors import CoverslipError
from coverslip.evaluation import METRICS, Metric
from coverslip.evaluation.intervals import Influence, Units, group_codes, metric_with_interval
from coverslip.messages import text
from coverslip.runs import Run, original_id, protocol_code
from coverslip.studies.cells import Cell
from coverslip.studies.plan import StudyPlan
from coverslip.studies.running import state_of

Key = tuple[str, int | None, str]  # dataset, training images per class, variant


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolStamp:
    """A step of a published protocol in trainings on a dataset."""

    dataset: str
    networks: tuple[str, ...]  # empty: all
    key: str  # of the recipe
    sentence: str  # what it means

    @property
    def trainings(self) -> str:
        """The trainings with this step, as text."""
        return ", ".join((self.dataset, *self.networks))


def protocol_stamps(plan: StudyPlan, cells: Iterable[Cell]) -> list[ProtocolStamp]:
    """Return a stamp for each dataset and step."""
    networks: dict[tuple[str, str], dict[str, None]] = {}
    for cell in cells:
        for key in () if cell.is_pretraining else cell.recipe.protocol_keys:
            name = plan.variant_name(cell.model, cell.regime)
            networks.setdefault((cell.dataset.name, key), {})[name] = None
    n_all = len(plan.variant_names)
    return [
        ProtocolStamp(
            dataset=dataset,
            networks=() if len(names) == n_all else tuple(names),
            key=key,
            sentence=text(protocol_code(key)),
        )
        for (dataset, key), names in networks.items()
    ]


def gap_intervals(plan: StudyPlan, cells: Iterable[Cell]) -> dict[Key, Metric]:
    """Return the difference of the primary metric between published protocol and study, with its interval.

    The interval is that of an infinitesimal jackknife over groups, or over images without groups. Both protocols have
    results for the same images, although in other splits. The influence of an image on the difference is its influence
    with the published protocol minus that with the protocol of the study. Copies count as their image. With several
    repeats or seeds, influences are averaged. The interval does not include the variation by training again.

    Args:
        plan: of the study.
        cells: its trainings.

    Returns:
        The difference by dataset (of the study's protocol), training images per class, and variant.
    """
    runs: dict[Key, list[Run]] = {}
    for cell in cells:
        if not cell.is_pretraining and state_of(cell).state == "done":
            name = plan.variant_name(cell.model, cell.regime)
            runs.setdefault((cell.dataset.name, cell.train_per_class, name), []).append(cell.run)
    reference_of = {dataset.name: dataset.as_published_of for dataset in plan.datasets}
    intervals = {}
    for (dataset, n, name), published in runs.items():
        reference = reference_of[dataset]
        if reference is not None and (comparable := runs.get((reference, n, name))):
            intervals[reference, n, name] = _interval(plan.primary_metric, comparable, published)
    return intervals


@dataclass(frozen=True, slots=True)
class _Influences:
    """The value of a metric, and the influence, class and group of each image, by image."""

    value: float
    of_image: Mapping[str, float]
    label: Mapping[str, str]
    group: Mapping[str, str]  # without images that have no group


def _interval(metric: str, comparable: Sequence[Run], published: Sequence[Run]) -> Metric:
    record = METRICS[metric]
    if record.influence is None:
        return Metric(value=None, reason=record.no_interval)
    try:
        first, second = (_mean([_influences(metric, run) for run in runs]) for runs in (comparable, published))
    except CoverslipError as error:  # a file was changed or removed
        return Metric(value=None, reason=error.message)
    value = second.value - first.value
    if not np.isfinite(value):
        return Metric(value=None, reason=record.undefined)
    labels, groups = {**second.label, **first.label}, {**second.group, **first.group}
    images = sorted(labels)
    of_image = np.array([second.of_image.get(image, 0.0) - first.of_image.get(image, 0.0) for image in images])
    classes = sorted(set(labels.values()))
    label = np.array([classes.index(labels[image]) for image in images])
    code = group_codes(np.array([groups.get(image, "") for image in images], dtype=object))
    # Single images are groups of one image, so that Student's t applies.
    units = Units(code, int(code.max()) + 1, label, len(classes), has_groups=True)
    difference = metric_with_interval(value, Influence(of_image, np.zeros(len(classes)), value), units, "real")
    unit = "groups" if groups else "images"
    return replace(difference, method=f"difference of protocols, infinitesimal jackknife over {unit} (Student's t)")


def _influences(metric: str, run: Run) -> _Influences:
    """Return the influences on the metric of the pooled test images of a run."""
    record, measured = METRICS[metric], run.predictions.measured()
    arrays = (np.nan_to_num(measured.probability), measured.label, measured.predicted)
    assert record.influence is not None
    influence = record.influence(*arrays).of_image
    images = [original_id(row.image_id) for row in measured.rows]
    of_image: dict[str, float] = {}
    for image, each in zip(images, influence.tolist(), strict=True):
        of_image[image] = of_image.get(image, 0.0) + each
    return _Influences(
        value=float(record.value(*arrays)),
        of_image=of_image,
        label={image: row.label or "" for image, row in zip(images, measured.rows, strict=True)},
        group={original_id(row.image_id): row.named_group for row in run.split if row.named_group},
    )


def _mean(runs: Sequence[_Influences]) -> _Influences:
    of_image: dict[str, float] = {}
    for run in runs:
        for image, each in run.of_image.items():
            of_image[image] = of_image.get(image, 0.0) + each / len(runs)
    return _Influences(
        value=float(np.mean([run.value for run in runs])),
        of_image=of_image,
        label={image: label for run in runs for image, label in run.label.items()},
        group={image: group for run in runs for image, group in run.group.items()},
    )
