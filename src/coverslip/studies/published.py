"""Published values and ROC curves that a study is shown beside, and the differences between its arms.

The values come from other images, splits and protocols, so they are not tested against those of the study.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from coverslip.documented_fields import DocumentedFields
from coverslip.errors import CoverslipError
from coverslip.evaluation.intervals import Units, group_codes, metric_with_interval
from coverslip.evaluation.metrics import (
    Curve,
    Influence,
    macro_roc_curve,
    mean_roc_curve,
    micro_roc_curve,
    roc_curve,
)
from coverslip.evaluation.results import Metric
from coverslip.evaluation.table import CLASS_METRICS, METRICS
from coverslip.messages import Message, message, text
from coverslip.models import model_info
from coverslip.runs.documents import Document
from coverslip.runs.folder import Run
from coverslip.runs.images import original_id
from coverslip.runs.recipe import Recipe, protocol_code
from coverslip.runs.recipe_keys import values_of
from coverslip.studies.cells import Cell, finished
from coverslip.studies.plan import PUBLISHED, PublishedPlan, StudyPlan
from coverslip.studies.results import ImageKeys, ResultRow, disjoint_datasets
from coverslip.studies.settings import as_written, settings_of

_DIFFERENCE = "difference"

# Values of a study by dataset, network, images (`test`, `training`, `validation` or `difference`) and metric.
StudyValues = Mapping[tuple[str, str, str, str], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedFigure(DocumentedFields):
    """A published value on other images, beside the mean of this study."""

    publication: str
    """Empty: a row of the plan."""
    source: str
    dataset: str  # of the publication
    name: str  # of the network in the publication
    class_name: str
    """Empty: all classes."""
    images: str
    """Training, validation or test."""
    metric: str
    is_difference: bool  # from the baseline
    value: float
    """Or the lower end of a range."""
    high: float | None
    """Upper end of a range; null: a single value."""
    sd: float | None
    own: Mapping[str, float]
    """Mean of this study on the datasets beside it, by arm; empty: nothing comparable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperItem:
    """A table or figure of a publication, and its counterpart."""

    item: str  # such as `Table 2`
    title: str
    sections: tuple[str, ...] = ()  # codes of the sections of a study's report with its counterpart
    command: str = ""  # that makes its counterpart, if the study alone does not


class Publication(Document):
    """A file of `presets/published/`."""

    publication: str  # short title
    schemas: str  # figures and tables without results
    items: tuple[PaperItem, ...]  # in the order of the publication
    rows: tuple[PublishedPlan, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """The tables and figures of a publication."""

    publication: str
    protocol: Message
    schemas: str
    items: tuple[PaperItem, ...]


def published_figures(plan: StudyPlan, values: StudyValues, images: Mapping[str, ImageKeys]) -> list[PublishedFigure]:
    """Return the published values of a plan, each beside the values of the study.

    A value is shown beside the mean over the datasets whose names contain the name of the published dataset, or over
    all datasets if there are none. A row with a pattern (`beside`) is shown only beside datasets that match it. Of
    datasets with common images, one counts, as in all means over datasets.
    """
    return [
        figure
        for title, row in published_rows(plan)
        for metric in row.metrics
        for figure in [_figure(title, row, metric, plan, values, images)]
    ]


def papers_of(plan: StudyPlan) -> tuple[Paper, ...]:
    """Return the publications of a plan."""
    files = [(name, publication_of(name)) for name in plan.published if isinstance(name, str)]
    return tuple(
        Paper(
            publication=each.publication,
            protocol=message(f"preset-{name}.protocol"),
            schemas=each.schemas,
            items=each.items,
        )
        for name, each in files
    )


def published_rows(plan: StudyPlan) -> Iterator[tuple[str, PublishedPlan]]:
    """Yield the published values of a plan, each after the title of its publication."""
    for each in plan.published:
        if isinstance(each, PublishedPlan):
            yield "", each
        else:
            publication = publication_of(each)
            yield from ((publication.publication, row) for row in publication.rows)


@cache
def publication_of(name: str) -> Publication:
    """Return the published values of a preset."""
    return Publication.read(Path(PUBLISHED / f"{name}.json"))


@dataclass(frozen=True, slots=True)
class PublishedValue(DocumentedFields):
    """A published value of a network, or of a difference between initial weights."""

    name: str
    value: float
    high: float | None
    """Upper end, if `value` is the lower end of a range."""


@dataclass(frozen=True, slots=True)
class PublishedResult(DocumentedFields):
    """The first result of a publication: a metric of its networks on one dataset."""

    dataset: str
    metric_title: str
    is_difference: bool
    values: list[PublishedValue]


def main_result(publication: Publication, metric: str) -> PublishedResult | None:
    """Return the values of all networks on the first dataset of a publication.

    Args:
        publication: its values.
        metric: the primary metric of its study, unless the publication does not state it.
    """
    rows = [row for row in publication.rows if not row.class_name and row.images in ("test", "validation")]
    if not rows:
        return None
    first = rows[0]
    metric = metric if metric in first.metrics else next(name for name in first.metrics if name in METRICS)
    values = []
    for row in rows:
        is_same = (row.dataset, row.images, row.is_difference) == (first.dataset, first.images, first.is_difference)
        if is_same and metric in row.metrics:
            low, high = value if isinstance(value := row.metrics[metric], tuple) else (value, None)
            values.append(PublishedValue(row.name, low, high))
    return PublishedResult(first.dataset, METRICS[metric].title, first.is_difference, values)


def _figure(
    title: str,
    row: PublishedPlan,
    metric: str,
    plan: StudyPlan,
    values: StudyValues,
    images: Mapping[str, ImageKeys],
) -> PublishedFigure:
    published = row.metrics[metric]
    value, high = published if isinstance(published, tuple) else (published, None)
    macro = CLASS_METRICS[metric].macro if metric in CLASS_METRICS and not row.class_name else None
    own_metric = macro or metric
    of_images = _DIFFERENCE if row.is_difference else row.images

    if row.class_name:
        of_images = f"{of_images} {row.class_name.casefold()}"
    value_of: dict[str, float] = {}
    for arm in dict.fromkeys(each.arm for each in plan.trained_datasets):
        names = {each.name: each.plan_name for each in plan.trained_datasets if each.arm == arm}
        measured = [name for name in names if (name, row.variant, of_images, own_metric) in values]
        beside = _shown_beside(row, {name: names[name] for name in measured})
        counted, _ = disjoint_datasets(beside, images)
        if counted:
            value_of[arm] = float(np.mean([values[name, row.variant, of_images, own_metric] for name in counted]))
    return PublishedFigure(
        publication=title,
        source=row.source,
        dataset=row.dataset,
        name=row.name,
        class_name=row.class_name,
        images=row.images,
        metric=metric,
        is_difference=row.is_difference,
        value=value,
        high=high,
        sd=row.sd.get(metric),
        own=value_of,
    )


def _shown_beside(row: PublishedPlan, datasets: Mapping[str, str]) -> list[str]:
    """Return the datasets, of those with their names in the plan, that a published value is shown beside."""
    if row.beside:
        return [name for name, planned in datasets.items() if re.search(row.beside, planned, re.IGNORECASE)]
    plain: Callable[[str], str] = lambda name: re.sub(r"[\W_]", "", name.casefold())  # noqa: E731
    matching = [name for name, planned in datasets.items() if row.dataset and plain(row.dataset) in plain(planned)]
    return matching or [*datasets]


# ROC curves of the datasets of a study, for publications that show them.


@dataclass(frozen=True, slots=True, kw_only=True)
class RocLine:
    """The ROC curve of a class, or an average over classes: the mean of those of the networks."""

    name: str
    auroc: float  # mean of the networks, as in the tables
    curve: Curve


@dataclass(frozen=True, slots=True, kw_only=True)
class RocPanel:
    """The ROC curves of a variant on a dataset, as the mean over the networks of all splits and seeds.

    Probabilities of different networks have no common scale, so their test images are not pooled.
    """

    dataset: str
    arm: str
    name: str  # of the variant
    lines: tuple[RocLine, ...]


def roc_panels(plan: StudyPlan, cells: Iterable[Cell]) -> list[RocPanel]:
    """Return the ROC curves of the first variant, if a publication of the plan shows such curves.

    Like published values, they are with the last number of training images.
    """
    shows_curves = any("study-roc" in item.sections for paper in papers_of(plan) for item in paper.items)
    runs: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for cell in finished(cells) if shows_curves else ():
        is_first = plan.variant_name(cell.model, cell.regime) == plan.variant_names[0]
        if is_first and cell.train_per_class == plan.train_per_class[-1]:
            runs[cell.dataset.name, cell.dataset.arm].append(cell.run)
    return [
        RocPanel(dataset=dataset, arm=arm, name=plan.variant_names[0], lines=tuple(_roc_lines(of_dataset)))
        for (dataset, arm), of_dataset in runs.items()
    ]


def _roc_lines(runs: Sequence[Run]) -> Iterator[RocLine]:
    try:
        of_networks = [_network_curves(network) for run in runs for network in run.folds or (run,)]
    except CoverslipError:  # a file was changed or removed
        return
    for name in dict.fromkeys(name for curves in of_networks for name in curves):
        lines = [curves[name] for curves in of_networks if name in curves]
        curve = mean_roc_curve([curve for _, curve in lines])
        if curve is not None:
            yield RocLine(name=name, auroc=float(np.mean([area for area, _ in lines])), curve=curve)


def _network_curves(network: Run) -> dict[str, tuple[float, Curve]]:
    """Return AUROC and ROC curve of each class of one network, and of the averages if there are more than two.

    AUROCs are those of its metrics, as in all tables: its predictions are rounded, so that curves have ties.
    """
    predictions, metrics = network.predictions, network.metrics
    measured = predictions.measured()
    probability, label = measured.probability, measured.label
    curves: dict[str, tuple[Metric, Curve | None]] = {
        name: (metrics.per_class[name].metrics["auroc"], roc_curve(probability[:, k], label == k))
        for k, name in enumerate(predictions.classes)
        if name in metrics.per_class
    }
    if len(predictions.classes) > 2:
        curves["macro-average"] = metrics["macro_auroc"], macro_roc_curve(probability, label)
        curves["micro-average"] = metrics["micro_auroc"], micro_roc_curve(probability, label)
    return {
        name: (area.value, curve)
        for name, (area, curve) in curves.items()
        if curve is not None and area.value is not None
    }


# What a published protocol and a recipe add: the differences between the arms of a study.

Key = tuple[str, int | None, str]  # dataset, training images per class, variant
_Repeat = tuple[int, int]  # repeat and seed


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolStamp:
    """A step of a published protocol in trainings on a dataset."""

    dataset: str
    networks: tuple[str, ...]  # empty: all
    key: str  # of the recipe

    @property
    def trainings(self) -> str:
        """The trainings with this step, as text."""
        return ", ".join((self.dataset, *self.networks))

    @property
    def sentence(self) -> str:
        """What the step means."""
        return text(protocol_code(self.key))


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmDifference(DocumentedFields):
    """The difference of an arm from another one, on the splits and seeds of both."""

    dataset: str  # of the plan
    train_per_class: int | None
    name: str  # of the variant
    arm: str
    reference: str  # the other arm
    value: float | None
    """Of the primary metric, on pooled test images; mean over splits."""
    reference_value: float | None
    difference: Metric
    """Arm minus reference; interval over groups or images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmSetting:
    """A setting of the arms: one of the main settings, or one in which they differ."""

    key: str  # of the recipe, or the text for groups or training images
    values: tuple[str, ...]  # one for each arm, in the order of the plan


def arm_settings(plan: StudyPlan, cells: Iterable[Cell], results: Iterable[ResultRow] = ()) -> list[ArmSetting]:
    """Return the main settings, and those in which the arms of the same dataset, network, repeat and so on differ.

    A key of the pretraining is one of them if its values are not those of the same key of the training. The mean number
    of training images of each arm is another, by the results.
    """
    cells = [*cells]
    first_steps = {cell.name: cell.recipe for cell in cells if cell.is_pretraining}
    has_groups = not results or any(row.n_groups for row in results)
    compared: dict[tuple[object, ...], dict[str, Mapping[str, str]]] = {}
    for cell in cells:
        if cell.dataset.arm and not cell.is_pretraining:
            same = (cell.dataset.plan_name, cell.model, cell.regime, cell.train_per_class, cell.repeat, cell.seed)
            groups = {"groups": text("arm-groups", ignores_groups=cell.dataset.ignores_groups)} if has_groups else {}
            compared.setdefault(same, {})[cell.dataset.arm] = {**groups, **_settings(cell, first_steps)}
    n_train: dict[tuple[str, int | None], list[int]] = {}
    for row in results:
        if row.n_train is not None:
            n_train.setdefault((row.dataset, row.train_per_class), []).append(row.n_train)
    for dataset in plan.trained_datasets if plan.arms else ():
        for n in plan.train_per_class:
            if counts := n_train.get((dataset.name, n)):
                mean = f"{sum(counts) / len(counts):.0f}"
                compared.setdefault((dataset.plan_name, n), {})[dataset.arm] = {text("arm-training-images"): mean}
    rows: dict[ArmSetting, None] = {}
    for of_arms in compared.values():
        values_of_key = {
            key: tuple(of_arms.get(arm.name, {}).get(key, "–") for arm in plan.arms)
            for key in dict.fromkeys(key for values in of_arms.values() for key in values)
        }
        for key, values in values_of_key.items():
            if key in _MAIN_SETTINGS or (
                len(set(values)) > 1
                and (not key.startswith(_FIRST_STEP) or values != values_of_key.get(key.removeprefix(_FIRST_STEP)))
            ):
                rows[ArmSetting(key=key, values=values)] = None
    return list(rows)


_FIRST_STEP = "init.recipe."  # before keys of the pretraining
# Shown also where all arms have the same.
_MAIN_SETTINGS = (
    "image_size",
    "epochs",
    "batch_size",
    "optimizer",
    "learning_rate",
    "loss",
    "split.folds",
    "split.val",
)


def _settings(cell: Cell, first_steps: Mapping[str, Recipe]) -> dict[str, str]:
    """Return the settings of a training, with those of its pretraining in place of the name of its run."""
    settings = settings_of(cell.recipe)
    first = first_steps.get(settings.get("init.run", ""))
    if first is None:
        return settings
    del settings["init.run"]
    of_first = {"group": first.group or "null", **settings_of(first)}
    return {**settings, **{f"{_FIRST_STEP}{key}": value for key, value in of_first.items()}}


def not_stated(plan: StudyPlan, cells: Iterable[Cell]) -> list[Message]:
    """Return the values of settings that a publication does not state, in the trainings of its arms, as sentences."""
    recipes: dict[str, list[Recipe]] = {}
    for cell in cells:
        if not cell.is_pretraining:
            recipes.setdefault(cell.dataset.arm, []).append(cell.recipe)
    arms_of: dict[str, list[str]] = {}
    for arm in plan.arms:
        if arm.not_stated and (of_arm := recipes.get(arm.name)):
            arms_of.setdefault(settings_in_words(of_arm, arm.not_stated), []).append(arm.name)
    return [message("preset-not-stated", arms=", ".join(arms), settings=settings) for settings, arms in arms_of.items()]


def settings_in_words(recipes: Sequence[Recipe], keys: Sequence[str]) -> str:
    """Return the values of keys in recipes as text. Keys that the recipes do not have are left out."""
    values = [_written_values(recipe) for recipe in recipes]
    return "; ".join(
        f"{key} = {', '.join(dict.fromkeys(each[key] for each in values))}" for key in keys if key in values[0]
    )


def _written_values(recipe: Recipe) -> dict[str, str]:
    """Return the values of all keys as in a recipe file; the input size of the network if none is set."""
    image_size = recipe.image_size or model_info(recipe.model).input_px
    return {key: as_written(value) for key, value in {**values_of(recipe), "image_size": image_size}.items()}


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
    for cell in finished(cells):
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
        groups = {original_id(row.image_id): row.group for run in grouped for row in run.split if row.group}
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
    has_group = np.array([image in groups for image in images])
    units = Units(code, int(code.max()) + 1, label, len(classes), has_groups=True, stratum=label, has_name=has_group)
    difference = metric_with_interval(value, Influence(of_image, np.zeros(len(classes)), value), units, "real")
    method = f"difference of arms, infinitesimal jackknife over {units.name} (Student's t)"
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
