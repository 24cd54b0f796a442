"""What a published protocol and a recipe add: the differences between the arms of a study."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from pydantic import Field

from coverslip.errors import CoverslipError
from coverslip.evaluation import METRICS, Metric
from coverslip.evaluation.intervals import Influence, Units, group_codes, metric_with_interval
from coverslip.messages import text
from coverslip.runs import Run, original_id, protocol_code
from coverslip.studies.cells import Cell
from coverslip.studies.plan import StudyPlan
from coverslip.studies.pretraining_steps import settings_of
from coverslip.studies.results import ResultRow
from coverslip.studies.running import state_of

Key = tuple[str, int | None, str]  # dataset, training images per class, variant
_Repeat = tuple[int, int]  # repeat and seed


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmDifference:
    """The difference of an arm from another one, on the splits and seeds of both."""

    dataset: str  # of the plan
    train_per_class: int | None
    name: str  # of the variant
    arm: str
    reference: str  # the other arm
    value: Annotated[float | None, Field(description="Of the primary metric, on pooled test images; mean over splits.")]
    reference_value: float | None
    difference: Annotated[Metric, Field(description="Arm minus reference; interval over groups or images.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmSetting:
    """A setting in which arms differ."""

    key: str  # of the recipe, or the text for groups or training images
    values: tuple[str, ...]  # one for each arm, in the order of the plan


def arm_settings(plan: StudyPlan, cells: Iterable[Cell], results: Iterable[ResultRow] = ()) -> list[ArmSetting]:
    """Return the settings in which the arms of the same dataset, network, initialization, repeat and seed differ.

    The mean number of training images of each arm is one of them, by the results.
    """
    compared: dict[tuple[object, ...], dict[str, Mapping[str, str]]] = {}
    for cell in cells:
        if cell.dataset.arm and not cell.is_pretraining:
            same = (cell.dataset.plan_name, cell.model, cell.regime, cell.train_per_class, cell.repeat, cell.seed)
            groups = text("arm-groups", ignores_groups=cell.dataset.ignores_groups)
            compared.setdefault(same, {})[cell.dataset.arm] = {"groups": groups, **settings_of(cell.recipe)}
    n_train: dict[tuple[str, int | None], list[int]] = {}
    for row in results:
        if row.n_train is not None and row.perturbation is None:
            n_train.setdefault((row.dataset, row.train_per_class), []).append(row.n_train)
    for dataset in plan.trained_datasets if plan.arms else ():
        for n in plan.train_per_class:
            if counts := n_train.get((dataset.name, n)):
                mean = f"{sum(counts) / len(counts):.0f}"
                compared.setdefault((dataset.plan_name, n), {})[dataset.arm] = {text("arm-training-images"): mean}
    rows: dict[ArmSetting, None] = {}
    for of_arms in compared.values():
        for key in dict.fromkeys(key for values in of_arms.values() for key in values):
            values = tuple(of_arms.get(arm.name, {}).get(key, "–") for arm in plan.arms)
            if len(set(values)) > 1:
                rows[ArmSetting(key=key, values=values)] = None
    return list(rows)


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


def arm_differences(plan: StudyPlan, cells: Iterable[Cell]) -> list[ArmDifference]:
    """Return the difference of each arm from the arm that it is compared with.

    Arms are compared on the splits and seeds that both have. Their values are those of the test images of each arm:
    `split.balance` excludes images from one arm, and this is part of the difference.

    The interval is that of an infinitesimal jackknife over the groups that any arm of the dataset keeps together, or
    over images if no arm does. The influence of an image on the difference is its influence in the one arm minus that
    in the other; it is 0 in an arm without the image. Copies count as their image. With several splits or seeds,
    influences are averaged. The interval does not include the variation by training again.
    """
    runs: dict[Key, dict[_Repeat, Run]] = {}
    grouped: dict[str, dict[str, Run]] = {}  # a run of each arm that keeps groups together, by dataset of the plan
    for cell in cells:
        if not cell.is_pretraining and state_of(cell).state == "done":
            name = plan.variant_name(cell.model, cell.regime)
            runs.setdefault((cell.dataset.name, cell.train_per_class, name), {})[cell.repeat, cell.seed] = cell.run
            if not cell.dataset.ignores_groups:
                grouped.setdefault(cell.dataset.plan_name, {}).setdefault(cell.dataset.arm, cell.run)
    reference_of = {arm.name: arm.compared_with for arm in plan.arms}
    name_of = {(each.plan_name, each.arm): each.name for each in plan.trained_datasets}
    differences = []
    for dataset in plan.trained_datasets:
        reference = reference_of.get(dataset.arm)
        for (trained, n, name), of_arm in runs.items():
            if reference is None or trained != dataset.name:
                continue
            of_reference = runs.get((name_of[dataset.plan_name, reference], n, name), {})
            pairs = [(of_reference[repeat], run) for repeat, run in of_arm.items() if repeat in of_reference]
            if pairs:
                with_groups = grouped.get(dataset.plan_name, {}).values()
                difference, value, reference_value = _interval(plan.primary_metric, pairs, with_groups)
                differences.append(
                    ArmDifference(
                        dataset=dataset.plan_name,
                        train_per_class=n,
                        name=name,
                        arm=dataset.arm,
                        reference=reference,
                        value=value,
                        reference_value=reference_value,
                        difference=difference,
                    )
                )
    return differences


@dataclass(frozen=True, slots=True)
class _Influences:
    """The value of a metric, and the influence and class of each image, by image."""

    value: float
    of_image: Mapping[str, float]
    label: Mapping[str, str]


def _interval(
    metric: str, pairs: Sequence[tuple[Run, Run]], grouped: Iterable[Run]
) -> tuple[Metric, float | None, float | None]:
    """Return the difference with its interval, and the values of the arm and of the reference.

    Args:
        metric: the name.
        pairs: runs of the reference and of the arm on the same split with the same seed.
        grouped: runs that state the groups of images.
    """
    record = METRICS[metric]
    if record.influence is None:
        return Metric(value=None, reason=record.no_interval), None, None
    try:
        first, second = (_mean([_influences(metric, run) for run in runs]) for runs in zip(*pairs, strict=True))
        groups = {original_id(row.image_id): row.named_group for run in grouped for row in run.split if row.named_group}
    except CoverslipError as error:  # a file was changed or removed
        return Metric(value=None, reason=error.message), None, None
    value = second.value - first.value
    if not np.isfinite(value):
        return Metric(value=None, reason=record.undefined), None, None
    labels = {**second.label, **first.label}
    images = sorted(labels)
    of_image = np.array([second.of_image.get(image, 0.0) - first.of_image.get(image, 0.0) for image in images])
    classes = sorted(set(labels.values()))
    label = np.array([classes.index(labels[image]) for image in images])
    code = group_codes(np.array([groups.get(image, "") for image in images], dtype=object))
    # Single images are groups of one image, so that Student's t applies.
    units = Units(code, int(code.max()) + 1, label, len(classes), has_groups=True)
    difference = metric_with_interval(value, Influence(of_image, np.zeros(len(classes)), value), units, "real")
    unit = "groups" if any(image in groups for image in images) else "images"
    method = f"difference of arms, infinitesimal jackknife over {unit} (Student's t)"
    return replace(difference, method=method), second.value, first.value


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
    )
