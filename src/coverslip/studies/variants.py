"""Further analyses of trained variants.

They are merged datasets, curves, confusions, prediction times, distances to pretraining images, and heat maps.
"""

import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from coverslip.datasets.index.records import Dataset
from coverslip.datasets.names import dataset_name
from coverslip.documented_fields import DocumentedFields
from coverslip.errors import BadRun, CoverslipError, Stopped
from coverslip.evaluation.metrics import confusion_matrix
from coverslip.evaluation.results import Metric
from coverslip.evaluation.summary import per_class
from coverslip.evaluation.table import CLASS_METRICS, METRICS, metric_intervals
from coverslip.events import Emit, Noted, Progressed, ignore
from coverslip.inference import load_classifier
from coverslip.inference.latency import Latency, classifier_latency
from coverslip.machine import n_cores, processor_name
from coverslip.messages import message, note
from coverslip.runs.documents import Document
from coverslip.runs.folder import Run
from coverslip.runs.images import ImageLookup, images_of, original_id
from coverslip.runs.results import MapMethod, MapVerdict
from coverslip.runs.training import Epoch
from coverslip.studies.cells import Cell, crop_as_region, finished, open_images, slug
from coverslip.studies.plan import COUNTED_CLASS_METRICS, READING_KEYS, StudyPlan, TrainedDataset

if TYPE_CHECKING:
    from coverslip.inference.explain.explaining import Explanations


Key = tuple[str, str]  # identifies an image: its file and the region in it
VariantKey = tuple[str, int | None, str]  # dataset, images per class, name


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedClass(DocumentedFields):
    """The results of one class, or of all classes.

    The two networks have different test images unless both were tested by folds. The metrics of a class are precision,
    recall and F1; those of all classes are the headline metrics. Predictions of all splits and seeds count.
    """

    dataset: str
    merged: str
    train_per_class: int | None
    name: str
    class_name: str | None
    """null: all classes of the dataset."""
    n_single: int
    """Test images of the network for this dataset alone."""
    n_merged: int
    """Test images of this dataset for the network of the merged one."""
    single: Mapping[str, Metric]
    """Precision, recall and F1, or metrics of all classes."""
    with_others: Mapping[str, Metric]  # of the network for several datasets, on test images of this dataset
    on_all_images: Mapping[str, Metric]  # of the network for several datasets, on all its test images


def merged_classes(plan: StudyPlan, cells: Iterable[Cell]) -> list[MergedClass]:
    """Return the results, over all splits and seeds, for datasets that are also part of a merged dataset."""
    runs: dict[VariantKey, list[Run]] = defaultdict(list)
    for cell in finished(cells):
        runs[cell.dataset.name, cell.train_per_class, plan.variant_name(cell.model, cell.regime)].append(cell.run)
    return [
        result
        for (dataset, n, name), single_runs in runs.items()
        for single in plan.trained_datasets
        for merged in plan.trained_datasets
        if single.name == dataset and _is_within(single, merged) and (merged.name, n, name) in runs
        for result in _of_pair((dataset, n, name), merged.name, single_runs, runs[merged.name, n, name])
    ]


def _is_within(single: TrainedDataset, merged: TrainedDataset) -> bool:
    """Return whether a dataset is part of a merged dataset of the same arm that has the same split."""
    merged_keys = dict.fromkeys(READING_KEYS) if merged.parts else {}
    is_alike = {**single.recipe, **merged_keys} == {**merged.recipe, **merged_keys}
    return is_alike and single.arm == merged.arm and not merged.by_domain and set(single.sources) < set(merged.sources)


def _of_pair(key: VariantKey, merged: str, single_runs: Sequence[Run], runs: Sequence[Run]) -> Iterator[MergedClass]:
    try:
        of_single = _by_class(single_runs, None)
        of_merged = _by_class(runs, {*_files(single_runs[0]).values()})
        of_all_images = _by_class(runs, None)
    except CoverslipError:  # a file was changed or removed
        return
    for class_name, (n_single, metrics) in of_single.items():
        missing = 0, dict.fromkeys(metrics, Metric(value=None, reason=message("merged-class-missing")))
        n_merged, with_others = of_merged.get(class_name, missing)
        yield MergedClass(
            dataset=key[0],
            merged=merged,
            train_per_class=key[1],
            name=key[2],
            class_name=class_name,
            n_single=n_single,
            n_merged=n_merged,
            single=metrics,
            with_others=with_others,
            on_all_images=of_all_images.get(class_name, missing)[1],
        )


def _by_class(runs: Sequence[Run], among: set[Key] | None) -> dict[str | None, tuple[int, dict[str, Metric]]]:
    """Return the number of test images and the metrics of each class, and of all classes by None.

    The predictions of all runs count together. Those of one group, or of one image without groups, are one unit of the
    interval.

    Args:
        runs: finished, with the same images and classes.
        among: the images that count; None: all measured images.
    """
    files = _files(runs[0]) if among is not None else {}
    measured = [run.predictions.measured() for run in runs]
    images = [original_id(row.image_id) for each in measured for row in each.rows]
    indices = [k for k, image in enumerate(images) if among is None or files.get(image) in among]
    if not indices:
        return {}
    probability, label, predicted = (
        np.concatenate([getattr(each, array) for each in measured])[indices]
        for array in ("probability", "label", "predicted")
    )
    image = np.array(images, dtype=object)[indices]
    groups = {original_id(row.image_id): row.group for row in runs[0].split}
    group = np.array([groups.get(each) or "" for each in image], dtype=object)
    has_units = any(group) or len(set(image)) < len(image)
    units = np.where(group == "", "image " + image, "group " + group) if has_units else None  # names may be equal
    has_group = None if units is None else group != ""
    scores = per_class(probability, label, predicted, units, has_group)
    names = [name for name, record in METRICS.items() if record.is_compared]
    of_all = metric_intervals(probability, label, units, has_group=has_group, predicted=predicted, metrics=names)
    of_classes: dict[str | None, tuple[int, dict[str, Metric]]] = {
        class_name: (len(set(image[label == k])), {name: scores[k].metrics[name] for name in COUNTED_CLASS_METRICS})
        for k, class_name in enumerate(runs[0].predictions.classes)
        if (label == k).any()
    }
    return {**of_classes, None: (len(set(image)), of_all)}


def _files(run: Run) -> dict[str, Key]:
    """Return the file and pixels of each image, if they are recorded. A merged dataset states crops as regions."""
    lookup = ImageLookup(run)
    sources = {row.image_id: lookup.find(row.image_id) for row in run.split}
    return {
        image_id: (
            str(source.file),
            crop_as_region(source.plan).model_dump_json(include={"series", "t", "z", "region"}),
        )
        for image_id, source in sources.items()
        if source is not None
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochCurve(DocumentedFields):
    """The training curve of a variant. Each number is the mean over the splits that reached the epoch."""

    dataset: str
    train_per_class: int | None
    name: str
    epochs: tuple[int, ...]
    """0: before fine-tuning."""
    train_loss: tuple[float | None, ...]
    train_accuracy: tuple[float | None, ...]
    val_loss: tuple[float | None, ...]
    val_accuracy: tuple[float | None, ...]
    train_penalty: tuple[float | None, ...]


def _runs(plan: StudyPlan, cells: Iterable[Cell]) -> Mapping[VariantKey, Sequence[Run]]:
    """Return the runs of every variant over all its splits and seeds; each fold is a run."""
    runs: dict[VariantKey, list[Run]] = defaultdict(list)
    for cell in finished(cells):
        name = plan.variant_name(cell.model, cell.regime)
        runs[cell.dataset.name, cell.train_per_class, name] += [*cell.run.folds] or [cell.run]
    return runs


def epoch_curves(plan: StudyPlan, cells: Iterable[Cell]) -> list[EpochCurve]:
    """Return the curve of every fine-tuned variant over all its splits and seeds."""
    return [curve for key, runs in _runs(plan, cells).items() for curve in _curve(*key, runs)]


def _curve(dataset: str, n: int | None, name: str, runs: Sequence[Run]) -> Iterator[EpochCurve]:
    columns = ("train_loss", "train_accuracy", "val_loss", "val_accuracy", "train_penalty")
    values: dict[int, dict[str, list[float]]] = defaultdict(lambda: {column: [] for column in columns})
    for run in runs:
        try:
            history = run.history
        except BadRun:  # changed or removed since
            continue
        for row in history:
            for column in columns:
                if (value := getattr(row, column)) is not None:
                    values[row.epoch][column].append(value)
    if len(values) < 2:
        return
    epochs = tuple(sorted(values))
    means = {
        column: tuple(float(np.mean(v)) if (v := values[epoch][column]) else None for epoch in epochs)
        for column in columns
    }
    yield EpochCurve(dataset=dataset, train_per_class=n, name=name, epochs=epochs, **means)


@dataclass(frozen=True, slots=True, kw_only=True)
class FitScores(DocumentedFields):
    """The metrics of a variant on training and validation images, at the selected epoch of each fine-tuned network."""

    dataset: str
    train_per_class: int | None
    name: str
    n: int  # fine-tuned networks, one for each split and seed
    training: Mapping[str, tuple[float, float | None]]
    """Mean and SD by metric."""
    validation: Mapping[str, tuple[float, float | None]]
    """Mean and SD by metric."""


FIT_METRICS: Mapping[str, str] = {  # columns of `history.csv`, after `train_` or `val_`
    "accuracy": "accuracy",
    **{record.macro: name for name, record in CLASS_METRICS.items() if record.macro is not None},
}


def fit_scores(plan: StudyPlan, cells: Iterable[Cell]) -> list[FitScores]:
    """Return the training and validation metrics of every fine-tuned variant."""
    return [scores for key, runs in _runs(plan, cells).items() for scores in _fit(*key, runs)]


def _fit(dataset: str, n: int | None, name: str, runs: Sequence[Run]) -> Iterator[FitScores]:
    epochs = [epoch for run in runs for epoch in _selected(run)]
    if epochs:
        yield FitScores(
            dataset=dataset,
            train_per_class=n,
            name=name,
            n=len(epochs),
            training=_means(epochs, "train"),
            validation=_means(epochs, "val"),
        )


def _selected(run: Run) -> Iterator[Epoch]:
    """Yield the selected epoch of a run; nothing if it was not fine-tuned or its files were changed."""
    try:
        selected = run.training.selected_epoch if run.training is not None else 0
        yield from (row for row in run.history if row.epoch == selected and selected)
    except BadRun:
        return


def _means(epochs: Sequence[Epoch], part: str) -> dict[str, tuple[float, float | None]]:
    means: dict[str, tuple[float, float | None]] = {}
    for metric, column in FIT_METRICS.items():
        values = [value for epoch in epochs if (value := getattr(epoch, f"{part}_{column}")) is not None]
        if values:
            means[metric] = float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None
    return means


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkConfusion:
    """The confusion matrix of a variant on the test images of the first split, or of all its folds."""

    dataset: str
    train_per_class: int | None
    name: str
    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]  # images by class (rows) and predicted class (columns)


def confusions(plan: StudyPlan, cells: Iterable[Cell]) -> list[NetworkConfusion]:
    """Return the confusion matrix of every variant, for its first split and seed."""
    return [
        matrix
        for cell in finished(cells)
        if (cell.repeat, cell.seed) == (1, plan.seeds[0])
        for matrix in _confusion(plan, cell)
    ]


def _confusion(plan: StudyPlan, cell: Cell) -> Iterator[NetworkConfusion]:
    try:
        measured, classes = cell.run.predictions.measured(), cell.run.predictions.classes
    except BadRun:  # changed or removed since
        return
    yield NetworkConfusion(
        dataset=cell.dataset.name,
        train_per_class=cell.train_per_class,
        name=plan.variant_name(cell.model, cell.regime),
        classes=tuple(classes),
        counts=tuple(map(tuple, confusion_matrix(measured.label, measured.predicted, len(classes)).tolist())),
    )


# Measurements on request. Each kind has a file in the folder of the study.


D = TypeVar("D", bound=Document)


def _saved(kind: type[D], file: Path) -> D | None:
    """Return the saved measurements of a kind; None if there are none.

    Raises:
        BadRun: the file is damaged.
    """
    try:
        return kind.read_if_there(file)
    except BadRun as error:
        raise BadRun("damaged-measurements", file=file, cause=error) from error


# The prediction time of networks.

_LATENCIES_FILE = "latency.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkLatency:
    """The prediction time of a network on a dataset. It does not depend on the initialization."""

    dataset: str
    model: str
    latency: Latency


class _Latencies(Document):
    latencies: tuple[NetworkLatency, ...]
    is_complete: bool = True  # false during a measurement: the next one continues an interrupted one


def measure_latencies(cells: Iterable[Cell], folder: Path, *, emit: Emit = ignore) -> None:
    """Time one finished training of each network and dataset on images of that dataset.

    Results are saved after each network. An interrupted measurement continues; a complete one is repeated. Times of
    another computer are replaced. A network with missing images or classifier is skipped with a note.

    Raises:
        BadRun: the file of earlier measurements is damaged.
    """
    first: dict[tuple[str, str], Cell] = {}
    for cell in finished(cells):
        first.setdefault((cell.dataset.name, cell.model), cell)
    here = processor_name(), n_cores()
    saved = _saved(_Latencies, folder / _LATENCIES_FILE)
    measured = {
        (each.dataset, each.model): each
        for each in (() if saved is None or saved.is_complete else saved.latencies)
        if (each.latency.processor, each.latency.n_threads) == here
    }
    for done, (key, cell) in enumerate(first.items(), start=1):
        if key not in measured:
            try:
                latency = classifier_latency(load_classifier(cell.run.folder), open_images(cell))
                measured[key] = NetworkLatency(dataset=cell.dataset.name, model=cell.model, latency=latency)
            except CoverslipError as error:
                dataset, model = key
                emit(Noted.of(note("no-latency", level="warning", dataset=dataset, model=model, what=error.message)))
        _write_latencies(folder, first, measured, is_complete=False)
        emit(Progressed(stage="measuring-latencies", done=done, total=len(first), unit="networks"))
    _write_latencies(folder, first, measured, is_complete=True)


def _write_latencies(
    folder: Path,
    order: Iterable[tuple[str, str]],
    measured: Mapping[tuple[str, str], NetworkLatency],
    *,
    is_complete: bool,
) -> None:
    latencies = tuple(measured[key] for key in order if key in measured)
    _Latencies(latencies=latencies, is_complete=is_complete).write(folder / _LATENCIES_FILE)


def read_latencies(folder: Path) -> Sequence[NetworkLatency]:
    """Return the saved measurements; empty if there are none.

    Raises:
        BadRun: the file is damaged.
    """
    document = _saved(_Latencies, folder / _LATENCIES_FILE)
    return () if document is None else document.latencies


# The distance of datasets to their pretraining images.

_DISTANCES_FILE = "distances.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDistance(DocumentedFields):
    """The distance between a dataset and the images of its pretraining step."""

    dataset: str
    first: str  # folder or table of the pretraining step
    model: str  # that computes the features, with ImageNet weights
    regime: str  # with this pretraining step
    mmd2: Metric
    """Squared maximum mean discrepancy (MMD²) of the features."""
    p: float
    """Proportion of random groupings with at least this distance."""
    coral: Metric
    """CORAL distance of the features."""


class _Distances(Document):
    distances: tuple[StepDistance, ...]


def measure_distances(cells: Sequence[Cell], folder: Path, *, emit: Emit = ignore) -> None:
    """Measure MMD² and CORAL of datasets and their pretraining images, with each network at its input size.

    Previous distances are replaced. A dataset with missing images is skipped with a note.

    Raises:
        Stopped: on request; finished measurements are saved.
    """
    from coverslip.audit.features import distance

    pairs, measured = _first_steps(cells), list[StepDistance]()
    names_of_paths = {cell.dataset.path: cell.dataset.plan_name for cell in cells if not cell.is_pretraining}
    _Distances(distances=()).write(folder / _DISTANCES_FILE)
    for done, (second, first) in enumerate(pairs, start=1):
        try:
            sets = [images_of(second.run), images_of(first.run)]
            first_name = names_of_paths.get(first.dataset.path) or dataset_name(Path(first.dataset.path[0]))
            names, recipe = (second.dataset.name, first_name), second.recipe
            result = distance(sets, names=names, model=recipe.model, image_size=recipe.image_size, emit=emit)
        except Stopped:
            raise
        except CoverslipError as error:
            emit(Noted.of(note("no-distance", level="warning", training=second.label, what=error.message)))
            continue
        (pair,) = result.pairs
        measured.append(
            StepDistance(
                dataset=second.dataset.name,
                first=first_name,
                model=second.model,
                regime=second.regime,
                mmd2=pair.mmd2,
                p=pair.p,
                coral=pair.coral,
            )
        )
        _Distances(distances=tuple(measured)).write(folder / _DISTANCES_FILE)
        emit(Progressed(stage="measuring-distances", done=done, total=len(pairs), unit="networks"))


def _first_steps(cells: Sequence[Cell]) -> list[tuple[Cell, Cell]]:
    """Return a finished two-step training of each dataset, network and pretraining, with the pretraining."""
    by_folder = {cell.run.folder: cell for cell in cells if cell.is_pretraining}
    pairs: dict[tuple[str, str, str], tuple[Cell, Cell]] = {}
    for cell in finished(cells):
        if cell.starts_from is not None:
            key = (cell.dataset.name, cell.model, cell.regime)
            pairs.setdefault(key, (cell, by_folder[cell.starts_from.folder]))
    return list(pairs.values())


def read_distances(folder: Path) -> Sequence[StepDistance]:
    """Return the saved measurements; empty if there are none.

    Raises:
        BadRun: the file is damaged.
    """
    document = _saved(_Distances, folder / _DISTANCES_FILE)
    return () if document is None else document.distances


# Heat maps of a few test images by the networks of a study, with all initializations side by side.
#
# The selection of images is fixed in advance, which avoids selection bias. Maps of methods that fail their checks
# (`inference/explain`) are marked.

_MAPS_FOLDER, _MAPS_FILE = "explanations", "explanations.json"
_N_IMAGES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedMap(DocumentedFields):
    """The method drawn for one classifier: the first that passes both checks, otherwise the first of all."""

    regime: str
    method: MapMethod
    verdict: MapVerdict
    similarity: float | None
    """With maps of random weights; null: not checked."""
    gain: float | None
    """Decrease in probability by blurring along the map, minus that by blurring from the center."""
    gain_low: float | None
    """Lower bound of its 95% confidence interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatMaps:
    """The heat maps of a network on a dataset, with a row for each initialization."""

    dataset: str
    model: str
    maps: tuple[CheckedMap, ...]
    pictures: tuple[str, ...]  # PNG files, by their paths in the study's folder


class _Drawn(Document):
    heat_maps: tuple[HeatMaps, ...]


def draw_heat_maps(cells: Iterable[Cell], folder: Path, *, emit: Emit = ignore) -> None:
    """Draw heat maps of three test images of the first split for each dataset and network.

    The images are the first test images of three classes that are evenly spaced in the list of classes. Previous heat
    maps are replaced. A network with missing images or classifiers is skipped with a note.

    Raises:
        Stopped: on request; finished heat maps are saved.
    """
    from coverslip.inference.explain.explaining import explain

    drawn: list[HeatMaps] = []
    compared = _compared(cells)
    shutil.rmtree(folder / _MAPS_FOLDER, ignore_errors=True)
    _Drawn(heat_maps=()).write(folder / _MAPS_FILE)
    for done, group in enumerate(compared, start=1):
        first = group[0]
        try:
            tested = [(cell, cell.run.folds[0] if cell.run.folds else cell.run) for cell in group]
            images = _shown(images_of(first.run), tested[0][1])
            explained = explain(
                [run.folder for _, run in tested],
                images,
                out=folder / _MAPS_FOLDER / slug(first.dataset.name, first.model),
                names=[cell.regime for cell in group],
                show_failed=True,
                n_nearest=0,
                emit=emit,
            )
        except Stopped:
            raise
        except CoverslipError as error:
            dataset, model = first.dataset.name, first.model
            emit(Noted.of(note("no-heat-maps", level="warning", dataset=dataset, model=model, what=error.message)))
            continue
        drawn.append(_heat_maps_of(first, explained, folder))
        _Drawn(heat_maps=tuple(drawn)).write(folder / _MAPS_FILE)
        emit(Progressed(stage="drawing-heat-maps", done=done, total=len(compared), unit="networks"))


def _compared(cells: Iterable[Cell]) -> list[list[Cell]]:
    """Return groups of finished trainings on the same split, one training for each initialization."""
    groups: dict[tuple[str, str], list[Cell]] = defaultdict(list)
    for cell in finished(cells):
        group = groups[cell.dataset.name, cell.model]
        if cell.regime not in (member.regime for member in group) and (not group or _same_split(group[0], cell)):
            group.append(cell)
    return list(groups.values())


def _same_split(first: Cell, second: Cell) -> bool:
    return (first.train_per_class, first.repeat, first.seed) == (second.train_per_class, second.repeat, second.seed)


def _shown(data: Dataset, run: Run) -> Dataset:
    """Return the first test image of each selected class."""
    index_of = {record.image_id: i for i, record in enumerate(data.records)}
    first: dict[str, int] = {}
    for row in run.predictions:
        if row.label is not None and row.image_id in index_of:
            first.setdefault(row.label, index_of[row.image_id])
    classes = [name for name in data.classes if name in first]
    step = max(1, len(classes) // _N_IMAGES)
    return data.subset(first[name] for name in classes[::step][:_N_IMAGES])


def _heat_maps_of(cell: Cell, explained: "Explanations", folder: Path) -> HeatMaps:
    maps = []
    for classifier in explained.checks:
        check = next((each for each in classifier.checks if each.method == classifier.method), None)
        maps.append(
            CheckedMap(
                regime=classifier.run,
                method=classifier.method,
                verdict=classifier.verdict,
                similarity=None if check is None else check.similarity,
                gain=None if check is None else check.gain,
                gain_low=None if check is None else check.gain_low,
            )
        )
    subfolder = explained.folder.relative_to(folder)
    pictures = dict.fromkeys((subfolder / image.picture).as_posix() for image in explained.images if image.picture)
    return HeatMaps(dataset=cell.dataset.name, model=cell.model, maps=tuple(maps), pictures=tuple(pictures))


def read_heat_maps(folder: Path) -> Sequence[HeatMaps]:
    """Return the saved heat maps; empty if there are none.

    Raises:
        BadRun: the file is damaged.
    """
    document = _saved(_Drawn, folder / _MAPS_FILE)
    return () if document is None else document.heat_maps
