"""Adapt a classifier to the images of another laboratory, with or without some labels of these images.

1.  The share of unfamiliar images shows whether there is a shift. Without one, and without labels, nothing is adapted.
2.  Images of both laboratories are matched: their centers are enlarged so that objects have the same size, and stained
    bright-field images in color get the same stain. The last layer is fitted again to the matched training images.
3.  With labels, cross-validation on them chooses between the classifier as it is, the matched one, a last layer that is
    fitted to training images and labels together (pooled), and its average with one of features that are standardized
    in each laboratory. If several are equally good, the simplest is chosen.
4.  The accuracy in the other laboratory is that of the whole procedure, with the choice inside the folds. Without
    labels it is not known, and all decisions stay `uncertain`.
"""

import math
import shutil
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import numpy as np
import numpy.typing as npt

from coverslip.audit.features import FeatureExtractor
from coverslip.datasets.index.opening import ImageSource, open_dataset
from coverslip.datasets.index.records import Dataset
from coverslip.datasets.index.table_rows import EXCLUDED_BY_HAND
from coverslip.datasets.names import some
from coverslip.datasets.pixels import DecodedPixels
from coverslip.datasets.quality.scanning import Scan, scan_images
from coverslip.datasets.splits.partition import fold_units
from coverslip.errors import BadDataset, BadRun, CoverslipError, Stopped
from coverslip.evaluation.calibration import apply_temperature
from coverslip.evaluation.decisions import DecisionRule, decided_classes
from coverslip.evaluation.intervals import exact_ends
from coverslip.evaluation.metrics import confusion_matrix
from coverslip.evaluation.ood import (
    FeatureStatistics,
    directions_for,
    feature_statistics,
    held_out_distances,
    limit_of,
    n_directions,
)
from coverslip.evaluation.proportions import Votes, pooled_counts
from coverslip.events import Emit, Noted, ignore, show
from coverslip.experiments.evaluating import as_measured, measure, other_label_notes
from coverslip.experiments.run_state import begin_run
from coverslip.experiments.training_run import run_training
from coverslip.images.preprocessing import Matching, MatchingPart, PixelFacts, Preprocessing
from coverslip.images.reader import Array
from coverslip.inference import Classifier, load_classifier
from coverslip.inference.spot_check import EXCLUSIONS
from coverslip.messages import Note, note
from coverslip.models.zoo import linear_logits
from coverslip.objects.finding import find_objects
from coverslip.reports.page import write_report
from coverslip.runs.classifier import ClassifierCard, OodThreshold, fingerprint_of, write_adapted
from coverslip.runs.folder import Run, RunContext, check_new_folder, is_run, open_run
from coverslip.runs.images import UnchangedImages, held_out_images, unchanged_images
from coverslip.runs.recipe import FromRun, Match, Recipe
from coverslip.runs.results import AdaptationRecord, Candidate, CandidateName
from coverslip.runs.status import WORK_LOCK, work_lock
from coverslip.stopping import BY_SIGNAL, Stop
from coverslip.training.linear_probe import LinearHead, fit_linear_probe, moments

Floats = npt.NDArray[np.float64]
Features = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
_Moments = tuple[Floats, Floats]  # (D,) means and (D,) standard deviations
# Rows, classes and units of labeled images; units are what is held out together: groups, and images without a group.
_Labels = tuple[Ints, Ints, Ints]
_NO_LABELS: _Labels = (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64))

FEWEST_IMAGES, FEWEST_LABELS = 40, 10
SHIFT = 0.15  # share of unfamiliar images from which on they are matched
_MOST_SOURCE = 1_000  # training images that a last layer is fitted to together with labels
_FEWEST_OF_CLASS = 10  # of these, as far as there are so many
_MOST_NEW = 2_000  # images of the other laboratory whose features set the limit of unfamiliar images
_LABEL_WEIGHT = 3.0  # of all labels, relative to all training images
_ONE_CLASS = 0.6  # share of the labels from which on features are not standardized in each laboratory
_N_FOLDS, _N_INNER_FOLDS = 10, 5
_SHRINKAGE = 3.0  # of pooled layers
_MOST_MEASURED = 60  # images in which objects are found
_N_PREVIEWED = 4  # images
_MOST_ZOOM = 3.0
_LEAST_ZOOM = 1.05  # a smaller factor is not worth blurring
_DARK = 0.15  # brightness of a background, below which images are not stained bright-field images
_INVERTED = 0.3  # difference in brightness of the backgrounds, on both sides of the middle

PARTS: tuple[MatchingPart, ...] = get_args(MatchingPart)


def adapt(
    run: Run | Path | str,
    new: Dataset | ImageSource,
    labels: Dataset | ImageSource | None = None,
    *,
    out: Path | str,
    parts: Collection[str] = PARTS,
    device: str = "auto",
    emit: Emit = show,
) -> AdaptationRecord:
    """Adapt a classifier to the images of another laboratory, and write it as a new run.

    Args:
        run: the run folder of the classifier, which is not changed. Its training images are needed, unchanged.
        new: images of the other laboratory, at least 40 that are not excluded.
        labels: some of these images with labels, at least 10, such as the table of `suggest` with a column `label`.
            `none-of-these`, `unusable` and the set `excluded` of a table exclude an image; if labels are used, so does
            each that is no class of the classifier. Images of a group are held out together; for groups, use
            `open_dataset`. None, fewer than 10, or of a single class: labels are not used, and the result is not
            checked.
        out: the new run folder. What a killed adaptation left there is removed.
        parts: of the matching: `zoom`, `stain` and `invert`.
        device: the device of the network, as of `load_classifier`.
        emit: receives progress and notes.

    Returns:
        What was found, done and measured, as the run's `adaptation.json`. Without labels and without a shift, no run is
        written, and `selected` is None.

    Raises:
        BadDataset: there are too few images, labels of other images, two labels of an image, or images of the training.
        BadRun: the training has not ended, its images are missing or have changed, or it was adapted itself.
        Stopped: on request; nothing is left of the new run.

    Examples:
        >>> adapted = cs.adapt("runs/first", "other_hospital/", out="runs/adapted", device="cpu")
        >>> adapted.n_images, adapted.n_labels
        (54, 0)
    """
    parent, folder = _adaptable(run), Path(out)
    if is_run(folder) and Run(folder).adaptation is not None and not Run(folder).is_done:
        with work_lock(folder):
            shutil.rmtree(folder)
    check_new_folder(folder)
    classifier = load_classifier(parent, device)
    listed = _new_images(parent, classifier, new, emit)
    images, labeled, has_groups, notes = _labels(parent, labels, listed, classifier, emit)
    n_excluded = images.n_excluded
    if n_excluded:
        notes.append(note("adapt-excluded-images", n_images=n_excluded))
    rows, _, units = labeled
    context = RunContext(folder, classifier.device, emit, Stop(folder / "stop"))
    before = images.features(classifier, classifier.card.preprocessing, context)
    statistics, ood = classifier.ood_statistics, classifier.card.ood
    distance = None if statistics is None or ood is None else statistics.distance(before)
    n_unfamiliar = None if distance is None or ood is None else int((ood.ood_score(distance) > 1).sum())
    has_shift = n_unfamiliar is not None and n_unfamiliar >= SHIFT * len(images.positions)
    record = AdaptationRecord(
        parent=fingerprint_of(parent.folder),
        n_images=len(images.positions),
        n_excluded=n_excluded,
        n_unfamiliar=n_unfamiliar,
        has_shift=has_shift,
        n_labels=len(rows),
        n_groups=len(np.unique(units)) if has_groups else None,
        home_before=parent.metrics["accuracy"].value,
    )
    if not has_shift and not len(rows):
        for each in notes:
            emit(Noted.of(each))
        is_known, n_images = n_unfamiliar is not None, len(images.positions)
        emit(Noted.of(note("adapt-no-shift", is_known=is_known, n_unfamiliar=n_unfamiliar or 0, n_images=n_images)))
        return record
    with work_lock(folder):
        try:
            return _Adaptation(parent, classifier, images, labeled, notes, before, record).run(parts, context)
        except BaseException as error:
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(error, Stopped):
                raise Stopped("adaptation-stopped") from error
            raise


@dataclass(frozen=True, slots=True)
class _Images:
    """The readable images of a dataset."""

    data: Dataset
    scan: Scan
    positions: list[int]

    def some(self, n: int, seed: int) -> list[int]:
        """Return at most n of the positions at random, in order."""
        return sorted(np.random.default_rng(seed).permutation(self.positions)[:n].tolist())

    def features(
        self, classifier: Classifier, preprocessing: Preprocessing, context: RunContext, positions: Sequence[int] = ()
    ) -> Features:
        """Return (n, D) features of the images at these positions; default: all."""
        data = self.data.subset(positions or self.positions)
        scan = Scan(tuple(self.scan.facts[i] for i in positions or self.positions))
        extractor = FeatureExtractor(classifier.backbone, preprocessing, classifier.card.tta)
        with extractor.open_features(data, scan, context) as stored:
            return stored.features[slice(0, len(stored.positions))]

    @property
    def n_excluded(self) -> int:
        """The number of images that are left out because a table or a label excludes them."""
        of_tables = {record.pixels for record in self.data.excluded}
        pairs = zip(self.data.records, self.scan.facts, strict=True)
        readable = {record.pixels for record, facts in pairs if isinstance(facts, PixelFacts)}
        return len((of_tables | readable) - {self.data.records[i].pixels for i in self.positions})

    @property
    def facts(self) -> list[PixelFacts]:
        """The facts of the images, in order."""
        facts = (self.scan.facts[i] for i in self.positions)
        return [each for each in facts if isinstance(each, PixelFacts)]

    def are_colors(self, preprocessing: Preprocessing) -> bool:
        """Return whether most images have the colors of a camera: three channels of 8 bits without names or a choice.

        Args:
            preprocessing: of the classifier.
        """
        plan = preprocessing.plan
        has_channels = plan.channels is not None or plan.channel_files is not None
        n = sum(each.n_channels == 3 and each.dtype == "uint8" and not each.channel_names for each in self.facts)
        return not has_channels and 2 * n > len(self.facts)

    def units(self, positions: Sequence[int]) -> Ints:
        """Return (n,) numbers of what is held out together: groups, and images without a group."""
        names = [self.data.records[i].group or f"\0{i}" for i in positions]
        return np.unique(names, return_inverse=True)[1]


def _adaptable(run: Run | Path | str) -> Run:
    """Return the run of a classifier that can be adapted.

    Raises:
        BadRun: it is a file, has not ended, was adapted itself, or its network was fine-tuned on all images.
    """
    if not isinstance(run, Run) and Path(run).is_file():
        raise BadRun("adapt-file", file=Path(run))
    parent = open_run(run)
    if not parent.is_done or parent.card is None:
        raise BadRun("adapt-unfinished-run", file=parent.folder)
    if parent.adaptation is not None:
        raise BadRun("adapt-adapted-run", file=parent.folder)
    if parent.folds and not _has_frozen_network(parent):
        raise BadRun("adapt-finetuned-folds", file=parent.folder, n_folds=len(parent.folds))
    return parent


def adapted_recipe(parent: Run, match: Match) -> Recipe:
    """Return the recipe that fits the last layer of a run again to its training images, matched."""
    recipe, is_frozen = parent.recipe, _has_frozen_network(parent)
    return recipe.model_copy(
        update={
            "match": match,
            "stage": "instant",
            "init": recipe.init if is_frozen else FromRun(run=str(parent.folder.absolute())),
            "refit_all": False,
            "split": recipe.split.model_copy(update={"folds": 0, "by_domain": False}),
        }
    )


def _has_frozen_network(run: Run) -> bool:
    """Return whether the network of a run is that of its initialization."""
    return run.training is not None and run.training.chosen == "instant"


def _new_images(parent: Run, classifier: Classifier, source: Dataset | ImageSource, emit: Emit) -> _Images:
    """Return the images of the other laboratory; raise BadDataset if they are too few, or images of the training."""
    data = classifier.open_images(source, distinct=True)
    _emit_notes(data, emit)
    scan = scan_images(data, emit=emit)
    # Several sources can list an image, and the table of one can exclude it. Objects of a field can have equal boxes.
    listed, positions = {record.pixels for record in data.excluded if not record.has_box}, list[int]()
    for i, (record, facts) in enumerate(zip(data.records, scan.facts, strict=True)):
        if isinstance(facts, PixelFacts) and record.pixels not in listed:
            positions.append(i)
            if not record.has_box:
                listed.add(record.pixels)
    images = _Images(data, scan, positions)
    _check_number(images)
    shared = parent.delivered_hashes.find_shared(data, scan, positions, emit=emit)
    if shared:
        raise BadDataset("adapt-training-images", file=data.root, n_images=len(shared))
    return images


def _emit_notes(data: Dataset, emit: Emit) -> None:
    """Emit the notes on opened images, but not the number of excluded ones, which is that of all sources."""
    for each in data.notes:
        if each.code != EXCLUDED_BY_HAND:
            emit(Noted.of(each))


def _check_number(images: _Images) -> None:
    n_images = len(images.positions)
    if n_images < FEWEST_IMAGES:
        raise BadDataset("adapt-few-images", file=images.data.root, n_images=n_images, n_needed=FEWEST_IMAGES)


def _other_label_notes(labels: Dataset, classifier: Classifier) -> list[Note]:
    """Return warnings on labels that are no class of the classifier."""
    n_of = Counter(record.label for record in labels.records if record.label)
    others = Counter({label: n for label, n in n_of.items() if label not in (*classifier.classes, *EXCLUSIONS)})
    return other_label_notes(others, classifier.classes, labels.dropped)


def _labels(
    parent: Run, labels: Dataset | ImageSource | None, images: _Images, classifier: Classifier, emit: Emit
) -> tuple[_Images, _Labels, bool, list[Note]]:
    """Return the images, which of them have labels, with their classes and units, whether some have a group, and notes.

    Images are found by their pixels. Their groups are those of the labels, or else of the images. Images whose label is
    no class of the classifier are excluded, so that images like these stay unfamiliar. Labels that are too few or of a
    single class are not used: then only those in `EXCLUSIONS` exclude an image. Of equal images, a table excludes the
    files that it lists.
    """
    if labels is None:
        return images, _NO_LABELS, False, []
    source = labels if isinstance(labels, Dataset) else open_dataset(labels, with_split=False)
    _emit_notes(source, emit)
    source = as_measured(source, parent, classifier.card)
    data = source.subset(i for i, record in enumerate(source.records) if record.label)
    number = {name: k for k, name in enumerate(classifier.classes)}
    scan = scan_images(data, emit=emit)
    group = dict[str, str | None]()
    for i in reversed(images.positions):  # of equal images, the first one
        group[_hash(images.scan, i)] = images.data.records[i].group
    label_of = dict[str, int | None]()  # by pixels; None: no class of the classifier
    excluded = set[str]()
    for i, record in enumerate(data.records):
        digest, label = _hash(scan, i), number.get(record.label or "")
        if digest not in group:
            if label is None:
                continue
            raise BadDataset("adapt-label-of-other-image", name=record.image_id)
        if label_of.setdefault(digest, label) != label:
            raise BadDataset("adapt-two-labels", name=record.image_id)
        group[digest] = record.group or group[digest]
        if label is None and record.label in EXCLUSIONS:
            excluded.add(digest)
    of_classes = [label for label in label_of.values() if label is not None]
    are_used = len(of_classes) >= FEWEST_LABELS and len(set(of_classes)) > 1
    if are_used:
        excluded = {digest for digest, label in label_of.items() if label is None}
    with_class = {digest for digest, label in label_of.items() if label is not None}
    images = _without(images, source, excluded, with_class, emit)
    _check_number(images)
    if not label_of:
        return images, _NO_LABELS, False, []
    if not are_used:
        unused = note(
            "adapt-labels-not-used",
            level="warning",
            n_labels=len(of_classes),
            n_classes=len(set(of_classes)),
            n_needed=FEWEST_LABELS,
            classes=some(classifier.classes, 8),
        )
        return images, _NO_LABELS, False, [unused]
    row_of = dict[str, int]()
    for row, i in enumerate(images.positions):
        row_of.setdefault(_hash(images.scan, i), row)
    label_of_row = {
        row_of[digest]: label for digest, label in label_of.items() if label is not None and digest in row_of
    }
    labeled = sorted(label_of_row)
    groups = [group[_hash(images.scan, images.positions[row])] for row in labeled]
    units = np.unique([name or f"\0{row}" for name, row in zip(groups, labeled, strict=True)], return_inverse=True)[1]
    return (
        images,
        (np.array(labeled), np.array([label_of_row[row] for row in labeled]), units),
        any(groups),
        _other_label_notes(source, classifier),
    )


def _without(images: _Images, labels: Dataset, excluded: set[str], with_class: set[str], emit: Emit) -> _Images:
    """Return the images without those that labels, or the rows of their table, exclude.

    Args:
        images: of the other laboratory.
        labels: of some of them.
        excluded: content hashes of images that labels exclude.
        with_class: content hashes of images with a label of a class.
        emit: receives progress.
    """
    used = {record.pixels for record in (*labels.records, *images.data.excluded)}
    listed = {record.pixels for record in (*images.data.records, *images.data.excluded)}
    files = {record.pixels for record in labels.excluded} - used
    if others := tuple(record for record in labels.excluded if record.pixels not in listed):
        scan = scan_images(replace(labels, records=others), emit=emit)
        excluded = excluded | {_hash(scan, i) for i in range(len(others))} - with_class
    records = images.data.records
    positions = [
        i for i in images.positions if records[i].pixels not in files and _hash(images.scan, i) not in excluded
    ]
    return replace(images, positions=positions)


def _hash(scan: Scan, i: int) -> str:
    facts = scan.facts[i]
    return facts.pixel_hash if isinstance(facts, PixelFacts) else ""


@dataclass(frozen=True, slots=True)
class _Adaptation:
    """A classifier, the images of the other laboratory, and what is known before any work."""

    parent: Run
    first: Classifier  # of the parent
    images: _Images
    labeled: _Labels
    notes: list[Note]  # on labels that are not used
    before: Features  # (n, D) of the images by the first classifier
    record: AdaptationRecord

    def run(self, parts: Collection[str], context: RunContext) -> AdaptationRecord:
        """Train the matched run, choose by the labels, and write the chosen classifier."""
        home = _images_at_home(self.parent, context.emit)
        at_home, there = Match(), self.first.card.preprocessing
        if self.record.has_shift:
            at_home, there = _matching(there, home, self.images, parts)
        recipe = adapted_recipe(self.parent, at_home)
        allow_leakage = self.parent.environment.allow_leakage
        environment = begin_run(context.folder, home.data, recipe, context.device, allow_leakage=allow_leakage)
        self.record.write(
            context.run.adaptation_file
        )  # the verdict of a killed adaptation that is resumed: not checked
        without_report = replace(context, with_report=False)
        data = replace(home.data, notes=(*home.data.notes, *self.notes))
        run_training(data, recipe, environment, without_report, lambda inner: self._finish(home, there, inner))
        return AdaptationRecord.read(context.run.adaptation_file)

    def _finish(self, home: _Images, there: Preprocessing, context: RunContext) -> None:
        """Write the classifier that the labels choose, or the matched one, in place of the trained one.

        Args:
            home: images of the training.
            there: the preprocessing of the new images.
            context: of the adapted run.
        """
        base, run, record = load_classifier(context.run, context.device), context.run, self.record
        card, at_home = base.card, base.card.preprocessing.matching or Matching()
        candidates = self._candidates(base, home, there, context)
        name: CandidateName = "matched"
        if len(self.labeled[0]):
            rule = run.recipe.decision_rule(card.classes)
            card, name, record = self._choose(candidates, card, rule)
        head = None if name in candidates.fixed else candidates.fit(name)
        logits = candidates.fixed[name] if head is None else head.logits(candidates.new)
        if name == "as-is":
            _copy(self.parent, run)
            at_home, there = Matching(), self.first.card.preprocessing
            source = home.features(self.first, there, context, _some_fitted(home, run))
            candidates = replace(candidates, source=source, new=self.before)
        update = {"preprocessing": there, "home_matching": at_home, "is_checked": bool(record.n_labels)}
        statistics = None
        if record.has_shift:
            statistics, update["ood"] = candidates.ood(logits.argmax(axis=1), self.images)
        write_adapted(
            run.classifier_folder, card.model_copy(update=update), statistics, None if head is None else head.arrays()
        )
        hashes = run.training_hashes  # labeled images are no independent test of the new classifier
        labeled = (_hash(self.images.scan, self.images.positions[row]) for row in self.labeled[0].tolist())
        hashes.model_copy(update={"val": (*hashes.val, *labeled)}).write(run.training_hashes_file)
        if head is not None:
            tested = load_classifier(run, context.device, tested=True)
            measure(run, held_out_images(run), tested, run.recipe, context)
        tested_images = {row.image_id for row in Run(run.folder).predictions}
        at_home_before = [row for row in self.parent.predictions if row.image_id in tested_images and row.predicted]
        was_right = [row.predicted == row.label for row in at_home_before]
        matching = there.matching or Matching()
        record.model_copy(
            update={
                "selected": name,
                "zoom": (at_home.zoom, matching.zoom),
                "has_fixed_stain": matching.has_fixed_stain,
                "is_inverted": matching.is_inverted,
                "home_before": float(np.mean(was_right)) if was_right else None,
                "home_after": context.run.metrics["accuracy"].value,
            }
        ).write(run.adaptation_file)
        write_report(run.folder, context.emit)

    def _candidates(
        self, base: Classifier, home: _Images, preprocessing: Preprocessing, context: RunContext
    ) -> "_Candidates":
        """Return the candidates with the features of both laboratories by the matched classifier.

        Args:
            base: the matched classifier.
            home: images of the training.
            preprocessing: of the new images.
            context: of the adapted run.
        """
        number, fitted = {name: k for k, name in enumerate(base.classes)}, _some_fitted(home, context.run)
        rows, label, units = self.labeled
        source = home.features(base, base.card.preprocessing, context, fitted)
        new = self.images.features(base, preprocessing, context)
        of_source, of_new = moments(source), moments(new)
        mean = (of_source[0] + of_new[0]) / 2
        of_both = mean, np.sqrt((of_source[1] ** 2 + of_new[1] ** 2) / 2 + (of_source[0] - mean) ** 2)
        return _Candidates(
            fixed={"as-is": _logits(self.first, self.before), "matched": _logits(base, new)},
            source=source,
            source_label=np.array([number[home.data.records[i].label or ""] for i in fitted]),
            new=new,
            rows=rows,
            label=label,
            units=units,
            n_classes=len(number),
            pooled=_Space.of(source, of_both, new[rows], of_both),
            standardized=_Space.of(source, of_source, new[rows], of_new),
        )

    def _choose(
        self, candidates: "_Candidates", card: ClassifierCard, rule: DecisionRule
    ) -> tuple[ClassifierCard, CandidateName, AdaptationRecord]:
        """Return the candidate that the labels choose, its card with decisions, and the record with its accuracy."""
        (rows, label, units), has_shift, m = self.labeled, self.record.has_shift, len(self.labeled[0])
        order: tuple[CandidateName, ...] = ("as-is", "matched", "pooled") if has_shift else ("as-is", "pooled")
        if max(Counter(label.tolist()).values()) <= _ONE_CLASS * m:
            order += ("averaged",)

        def deciding(choice: _Choice, some: Ints) -> ClassifierCard:
            if choice.name == "as-is":
                return _calibrated(self.first.card, choice.logits, label[some], rule) if has_shift else self.first.card
            return _calibrated(card, choice.logits, label[some], rule)

        choice, decided = candidates.choose(order, np.arange(m)), candidates.estimate(order, deciding)
        is_right = decided == label
        n_right, n_independent = int(is_right.sum()), float(m)
        if self.record.n_groups is not None:
            n_independent = pooled_counts(Votes.of(np.stack([is_right, ~is_right], axis=1), units.tolist())).n
        low, high = exact_ends(n_right / m, n_independent)
        was_right = _decided(self.first.card, candidates.fixed["as-is"][rows]) == label
        record = self.record.model_copy(
            update={
                "candidates": choice.candidates,
                "n_right_before": int(was_right.sum()),
                "n_right": n_right,
                "confusion_matrix": tuple(map(tuple, confusion_matrix(label, decided, candidates.n_classes).tolist())),
                "low": low,
                "high": high,
            }
        )
        prior = None if choice.name in candidates.fixed else candidates.prior(choice.name)
        selected = deciding(choice, np.arange(m))
        return selected if prior is None else selected.model_copy(update={"prior": prior}), choice.name, record


def _decided(card: ClassifierCard, logits: Floats) -> Ints:
    """Return the (n,) classes that a classifier decides for (n, K) logits."""
    return decided_classes(apply_temperature(logits, card.temperature), card.operating_points)


def _calibrated(card: ClassifierCard, logits: Floats, label: Ints, rule: DecisionRule) -> ClassifierCard:
    """Return the card with the probabilities and thresholds that labels of the other laboratory set."""
    from coverslip.training.fitting import calibrate

    calibration = calibrate(logits, label, rule)
    points = calibration.operating_points
    return card.model_copy(
        update={
            "temperature": calibration.temperature,
            "operating_points": None if points is None else tuple(point.threshold for point in points),
            "uncertain_below": calibration.uncertain_below,
            "set_floors": calibration.set_floors,
        }
    )


def _images_at_home(parent: Run, emit: Emit) -> _Images:
    """Return the training and validation images of a run; all that are tested if each is, in folds.

    Raises:
        BadRun: they are missing, or have changed.
    """
    try:
        data = unchanged_images(parent)
        UnchangedImages().check(parent, data, emit=emit)
    except CoverslipError as error:
        raise BadRun("adapt-without-training-images", cause=error, file=parent.folder, reason=error.message) from error
    scan = scan_images(data, emit=emit)
    split_of = {row.image_id: row.split for row in parent.split}
    parts = [split_of.get(record.image_id) for record in data.records]
    fitted = [i for i, part in enumerate(parts) if part in ("train", "val")]
    return _Images(data, scan, fitted or [i for i, part in enumerate(parts) if part == "test"])


def _copy(parent: Run, run: Run) -> None:
    """Replace the results of a run by those of another, without evaluations, exports and figures."""
    of_others = (parent.evaluations_folder, parent.exports_folder, parent.figures_folder)
    not_copied = {
        *(file.name for file in (*of_others, run.adaptation_file, run.events_file, run.status_file)),
        WORK_LOCK,
    }
    for each in run.folder.iterdir():
        if each.name not in not_copied:
            shutil.rmtree(each) if each.is_dir() else each.unlink()
    shutil.copytree(parent.folder, run.folder, ignore=shutil.ignore_patterns(*not_copied), dirs_exist_ok=True)


# Matching


@dataclass(frozen=True, slots=True)
class MatchingPreview:
    """The matching of two laboratories, and how it changes images."""

    at_home: Match
    there: Matching
    pictures: tuple[Array, Array, Array]  # (4, S, S, C) of the training, new ones, and these as they are matched


def preview_matching(
    run: Run | Path | str,
    new: Dataset | ImageSource,
    labels: Dataset | ImageSource | None = None,
    *,
    parts: Collection[str] = PARTS,
) -> MatchingPreview:
    """Match images of another laboratory without adapting; arguments and errors as of `adapt`."""
    parent = _adaptable(run)
    classifier = load_classifier(parent, "cpu")
    images, *_ = _labels(parent, labels, _new_images(parent, classifier, new, ignore), classifier, ignore)
    home = _images_at_home(parent, ignore)
    preprocessing = classifier.card.preprocessing
    at_home, there = _matching(preprocessing, home, images, parts)
    pictures = tuple(
        DecodedPixels(each.data, each.scan, plan)(each.some(_N_PREVIEWED, seed=0))
        for each, plan in ((home, preprocessing), (images, preprocessing), (images, there))
    )
    return MatchingPreview(at_home, there.matching or Matching(), (pictures[0], pictures[1], pictures[2]))


def _matching(
    preprocessing: Preprocessing, home: _Images, images: _Images, parts: Collection[str]
) -> tuple[Match, Preprocessing]:
    """Return the matching of the training images, and the preprocessing of the new ones."""
    sides = [
        DecodedPixels(each.data, each.scan, preprocessing)(each.some(_MOST_MEASURED, seed=0)) for each in (home, images)
    ]
    measured = map(_diameter, sides) if "zoom" in parts else ()
    diameters = [each for each in measured if each is not None]
    zooms = [1.0, 1.0]
    if len(diameters) == len(sides):
        zooms = [min(max(diameters) / each, _MOST_ZOOM) for each in diameters]
        zooms = [round(zoom, 3) if zoom >= _LEAST_ZOOM else 1.0 for zoom in zooms]
    at_home, there = (float(np.median([_border(each) for each in pixels])) for pixels in sides)
    is_inverted = "invert" in parts and abs(at_home - there) > _INVERTED and (at_home > 0.5) != (there > 0.5)
    are_colors = preprocessing.channels == 3 and all(each.are_colors(preprocessing) for each in (home, images))
    has_fixed_stain = "stain" in parts and are_colors and min(at_home, there) >= _DARK
    matching = Matching(zoom=zooms[1], has_fixed_stain=has_fixed_stain, is_inverted=is_inverted)
    changed = preprocessing.model_copy(update={"matching": None if matching == Matching() else matching})
    return Match(zoom=zooms[0], stain=has_fixed_stain), changed


def _diameter(pixels: npt.NDArray[np.unsignedinteger]) -> float | None:
    """Return the median diameter of the largest object of each image in pixels; None if most images have none."""
    diameters = []
    for image in pixels:
        areas = np.bincount(find_objects(image).labels.ravel())[1:]
        if len(areas):
            diameters.append(2 * math.sqrt(areas.max() / math.pi))
    return float(np.median(diameters)) if 2 * len(diameters) > len(pixels) else None


def _border(image: npt.NDArray[np.unsignedinteger]) -> float:
    """Return the median brightness of the border, from 0 to 1."""
    border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    return float(np.median(border)) / float(np.iinfo(image.dtype).max)


# Candidates


@dataclass(frozen=True, slots=True)
class _Space:
    """Standardized features of training images and of labeled new images, rotated into as few columns as images.

    Linear classifiers depend on inner products only, so that those of the rotated features are the same.
    """

    source: Features  # (S, d)
    new: Features  # (m, d) of labeled images
    basis: Floats  # (D, d)
    mean: Floats  # (D,) of new images
    sd: Floats  # (D,) of new images

    @staticmethod
    def of(source: Features, of_source: _Moments, new: Features, of_new: _Moments) -> "_Space":
        """Standardize the features of both laboratories by means and SDs, and rotate them."""
        standardized = [(source - of_source[0]) / of_source[1], (new - of_new[0]) / of_new[1]]
        both = np.concatenate(standardized)
        n, n_features = both.shape
        basis = np.linalg.qr(both.T)[0] if n < n_features else np.eye(n_features)
        rotated = [(each @ basis).astype(np.float32) for each in standardized]
        return _Space(rotated[0], rotated[1], basis, *of_new)

    def fit(self, source_label: Ints, some: Ints, label: Ints, weights: Floats, n_classes: int) -> LinearHead:
        """Fit to all training images and some of the labeled ones, (s,) with these labels."""
        features = np.concatenate([self.source, self.new[some]])
        n_features, n_columns = self.basis.shape
        return fit_linear_probe(
            features,
            np.concatenate([source_label, label]),
            features[:0],
            label[:0],
            n_classes=n_classes,
            balanced=True,
            better=lambda logits, of_label: 0.0,  # with one amount of shrinkage, nothing is selected
            shrinkages=[_SHRINKAGE * n_columns / n_features],
            row_weights=weights,
            standardize=False,
        )

    def of_features(self, head: LinearHead) -> tuple[Floats, Floats]:
        """Return weight and bias for features of new images as the network computes them."""
        weight = (head.weight @ self.basis.T) / self.sd
        return weight, head.bias - weight @ self.mean


@dataclass(frozen=True, slots=True)
class _Choice:
    """The chosen candidate, and (m, K) logits of the labeled images by candidates that were fitted without them."""

    name: CandidateName
    logits: Floats
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Classifiers for new images, by features that are matched if there is a shift."""

    fixed: dict[CandidateName, Floats]  # (n, K) logits of all new images
    source: Features  # (S, D) of training images
    source_label: Ints
    new: Features  # (n, D)
    rows: Ints  # (m,) of the labeled images
    label: Ints  # (m,)
    units: Ints  # (m,) of images that are held out together
    n_classes: int
    pooled: _Space
    standardized: _Space  # in each laboratory

    def _weights(self, label: Ints) -> tuple[Floats, Floats]:
        """Return the weights of training images and of new images with these labels, and (K,) those of the classes."""
        of_source = 1 / np.bincount(self.source_label)[self.source_label]
        of_new = 1 / np.sqrt(np.bincount(label)[label])
        weights = np.concatenate([of_source / of_source.sum(), _LABEL_WEIGHT * of_new / of_new.sum()])
        share = np.bincount(np.concatenate([self.source_label, label]), weights, self.n_classes)
        return weights, share / weights.sum()

    def prior(self, name: CandidateName) -> tuple[float, ...]:
        """Return the class proportions that the probabilities of a fitted candidate assume."""
        share = self._weights(self.label)[1]
        if name == "averaged":  # of one with these proportions and one with equal ones
            share = np.sqrt(share)
        return tuple((share / share.sum()).tolist())

    def _fitted(self, name: CandidateName, some: Ints) -> list[tuple[_Space, LinearHead]]:
        """Fit a candidate to some of the labels; its logits are the mean of those of these layers."""
        label, (weights, share) = self.label[some], self._weights(self.label[some])
        spaces = [self.pooled, self.standardized] if name == "averaged" else [self.pooled]
        heads = [space.fit(self.source_label, some, label, weights, self.n_classes) for space in spaces]
        if name == "averaged":  # with equal proportions of all classes
            heads[1] = replace(heads[1], bias=heads[1].bias - np.log(share).astype(np.float32))
        return list(zip(spaces, heads, strict=True))

    def fit(self, name: CandidateName) -> LinearHead:
        """Fit the last layer of a candidate to all labels."""
        layers = [space.of_features(head) for space, head in self._fitted(name, np.arange(len(self.rows)))]
        weight, bias = (np.mean([layer[k] for layer in layers], axis=0).astype(np.float32) for k in (0, 1))
        return LinearHead(weight, bias, None)

    def _logits_of(self, names: Collection[CandidateName], others: Ints, held_out: Ints) -> dict[CandidateName, Floats]:
        """Return logits of some labeled images by candidates that are fitted to others."""
        BY_SIGNAL.check()
        logits = {name: self.fixed[name][self.rows[held_out]] for name in names if name in self.fixed}
        if not self.fixed.keys() >= set(names):
            layers = self._fitted("averaged" if "averaged" in names else "pooled", others)
            of_layer = [head.logits(space.new[held_out]) for space, head in layers]
            for name in names:
                if name not in self.fixed:
                    logits[name] = np.mean(of_layer, axis=0) if name == "averaged" else of_layer[0]
        return logits

    def choose(self, order: Sequence[CandidateName], some: Ints) -> _Choice:
        """Return the candidate that predicts most of some labels right, by cross-validation on these.

        Args:
            order: candidates, the simplest first: of several, the first one is chosen.
            some: numbers of labeled images.
        """
        fold = _folds(self.label[some], self.units[some], _N_INNER_FOLDS)
        logits_of = {name: np.empty((len(some), self.n_classes)) for name in order}
        for k in np.unique(fold):
            of_fold = self._logits_of(order, some[fold != k], some[fold == k])
            for name, logits in logits_of.items():
                logits[fold == k] = of_fold[name]
        n_right = {name: int((each.argmax(axis=1) == self.label[some]).sum()) for name, each in logits_of.items()}
        best = max(order, key=lambda name: (n_right[name], -order.index(name)))
        return _Choice(best, logits_of[best], tuple(Candidate(name=name, n_right=n_right[name]) for name in order))

    def estimate(self, order: Sequence[CandidateName], deciding: Callable[[_Choice, Ints], ClassifierCard]) -> Ints:
        """Return the class that the whole procedure of choice, fit and decision decides for each label without it.

        Args:
            order: as of `choose`.
            deciding: returns the card that decides after a choice by some of the labels.
        """
        decided, fold = np.empty_like(self.label), _folds(self.label, self.units, _N_FOLDS)
        for k in np.unique(fold):
            others, held_out = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
            choice = self.choose(order, others)
            logits = self._logits_of([choice.name], others, held_out)[choice.name]
            decided[held_out] = _decided(deciding(choice, others), logits)
        return decided

    def ood(self, predicted: Ints, images: _Images) -> tuple[FeatureStatistics, OodThreshold]:
        """Return the feature statistics of both laboratories, and the limit beyond which images are unfamiliar."""
        new = np.sort(np.random.default_rng(0).permutation(len(self.new))[:_MOST_NEW])
        features = np.concatenate([self.source, self.new[new]])
        label = np.concatenate([self.source_label, predicted[new]])
        units = images.units([images.positions[row] for row in new.tolist()])
        held_out = np.concatenate([np.arange(len(self.source)), len(self.source) + units])
        fold = np.random.default_rng(0).integers(0, 5, held_out.max() + 1)[held_out]
        distance = held_out_distances(features, label, fold, 0)
        directions = directions_for(features, 0, n_directions(*features.shape))
        usual = float(np.median(distance))
        limit = max(limit_of(distance), usual + 1)
        limits = OodThreshold(
            usual=usual,
            limit=limit,
            n=len(distance),
            n_beyond=int((distance > limit).sum()),
            calibrated_on="held-out training images",
        )
        return feature_statistics(directions, features, label), limits


def _folds(label: Ints, units: Ints, n_folds: int) -> Ints:
    """Return the fold of each labeled image; images of a single unit are held out one by one."""
    if (n_units := len(np.unique(units))) == 1:
        units, n_units = np.arange(len(units)), len(units)
    return fold_units(label, units, min(n_folds, n_units), 0)


def _some_fitted(home: _Images, run: Run) -> list[int]:
    """Return positions of at most 1,000 images that are not tested, with some of each class."""
    split_of, records = {row.image_id: row.split for row in run.split}, home.data.records
    fitted = [i for i, record in enumerate(records) if split_of.get(record.image_id) in ("train", "val")]
    n_of, first, others = Counter[str](), list[int](), list[int]()
    for i in np.random.default_rng(0).permutation(fitted).tolist():
        n_of[records[i].label or ""] += 1
        (first if n_of[records[i].label or ""] <= _FEWEST_OF_CLASS else others).append(i)
    return sorted([*first, *others][: max(_MOST_SOURCE, len(first))])


def _logits(classifier: Classifier, features: Features) -> Floats:
    head = classifier.read_head()
    return linear_logits(features, head["head.weight"], head["head.bias"]).astype(np.float64)
