"""The data of a report: the files of a run folder, derived values, and the sentences and formats that show them."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from coverslip.augmentation.copies import Copies
from coverslip.counts import GroupCount, count_groups
from coverslip.errors import BadRun, CoverslipError
from coverslip.evaluation.intervals import FEW_GROUPS_FOR_INTERVALS
from coverslip.evaluation.results import Evaluation, Metric
from coverslip.messages import duration, localized_number, text
from coverslip.reports.both_sets import metrics_of_classes
from coverslip.runs.classifier import CalibrationImages
from coverslip.runs.folder import Run, open_run, read_test_set_accesses
from coverslip.runs.images import ImageLookup, previous_test_labels
from coverslip.runs.log import FoldedLog
from coverslip.runs.predictions import MeasuredPredictions
from coverslip.runs.progress import LoggedProgress
from coverslip.runs.recipe import Augment, Recipe
from coverslip.runs.recipe_keys import phrases
from coverslip.runs.results import InspectionWithLeakageEstimate, LeakageEstimate
from coverslip.runs.split import SplitRow
from coverslip.runs.status import Environment
from coverslip.runs.training import BudgetRecord, Calibration, FinetuneStage, StageRecord, TrainingRecord

DUPLICATES = ("duplicates", "near-duplicates")  # findings
Rule = Literal["highest probability", "chosen threshold", "threshold set by hand"]


@dataclass(frozen=True)
class ReportedRun:
    """A run that was measured: on its test set or, in an evaluation, on an external test set."""

    run: Run
    evaluation: Run | None = None
    opened: ImageLookup | None = None  # its images, if they are open already

    @property
    def measured(self) -> Run:
        """The folder with the metrics and the predictions that they are computed from."""
        return self.evaluation or self.run

    @property
    def recipe(self) -> Recipe:
        return self.run.recipe

    @property
    def environment(self) -> Environment:
        return self.run.environment

    @property
    def metrics(self) -> Evaluation:
        return self.measured.metrics

    @property
    def classes(self) -> tuple[str, ...]:
        return self.metrics.classes

    @property
    def n_folds(self) -> int:
        """Number of cross-validation folds; 0 for a single split."""
        return 0 if self.metrics.folds is None else len(self.metrics.folds.per_fold)

    @cached_property
    def used(self) -> tuple[SplitRow, ...]:
        """Images of the run that are not excluded."""
        return tuple(row for row in self.run.split if row.split != "excluded")

    @cached_property
    def untested(self) -> frozenset[str]:
        """IDs of used images that no fold could test, such as those of a class without training images in the fold."""
        if not self.n_folds or self.metrics.n == len(self.used) or self.tested is None:
            return frozenset()
        measured = {row.image_id for row in self.tested.rows}
        return frozenset(row.image_id for row in self.used) - measured

    def set_of(self, row: SplitRow) -> str:
        """Return the split value of an image; `untested` if no fold could test it."""
        return "untested" if row.image_id in self.untested else row.split

    @property
    def n_excluded_by_hand(self) -> int:
        """Number of images excluded in the app or in the table before training; the split does not list them."""
        return 0 if self.run.inspection is None else self.run.inspection.n_excluded_by_hand

    @cached_property
    def groups(self) -> Mapping[str, GroupCount]:
        """The groups of each set, and of all used images by the name `all`."""
        names = ("train", "val", "test", "untested")
        sets = {part: [row for row in self.used if self.set_of(row) == part] for part in names}
        return {part: count_groups(row.group for row in rows) for part, rows in (sets | {"all": self.used}).items()}

    @property
    def n_groups(self) -> int:
        """Number of groups of all used images; 0 if no groups are known."""
        return self.groups["all"].n_groups

    @property
    def n_ungrouped(self) -> int:
        """Number of used images without a group; 0 if no image has one."""
        return self.groups["all"].n_ungrouped if self.n_groups else 0

    @cached_property
    def domains(self) -> list[str]:
        """Domains of the run's images; empty if there is only one."""
        domains = sorted({row.domain for row in self.used})
        return domains if len(domains) > 1 else []

    @cached_property
    def parts(self) -> Counter[str]:
        """Number of images per value of `set_of`; `excluded` includes the images excluded by hand."""
        return Counter(map(self.set_of, self.run.split)) + Counter({"excluded": self.n_excluded_by_hand})

    @property
    def classes_of_both_sets(self) -> tuple[str, ...] | None:
        """Classes with images in the run's test set and in the external one; None if no other class has images."""
        first, second = (
            {label for label, scores in each.per_class.items() if scores.n} for each in (self.run.metrics, self.metrics)
        )
        return None if first == second else tuple(label for label in self.classes if label in first & second)

    @cached_property
    def on_both_sets(self) -> tuple[Evaluation, Evaluation]:
        """Metrics on the run's test set and on the external one, on the images of the classes in both."""
        labels = self.classes_of_both_sets
        if labels is None:
            return self.run.metrics, self.metrics
        group_of = {row.image_id: row.group for row in self.run.split}
        return (
            metrics_of_classes(self.run, labels, group_of),
            metrics_of_classes(self.measured, labels, self.images.groups()),
        )

    @cached_property
    def tested(self) -> MeasuredPredictions | None:
        """Predictions of the measured images; None if there are none."""
        if not self.measured.predictions_file.is_file():
            return None
        predictions = self.measured.predictions.measured()
        return predictions if predictions.rows else None

    @property
    def training(self) -> TrainingRecord | None:
        """Training record of the packaged network."""
        return self.run.training

    @property
    def calibration(self) -> Calibration:
        """Calibration of the packaged network on validation images."""
        return Calibration() if self.training is None else self.training.calibration

    @property
    def earlier_thresholds(self) -> tuple[float, ...] | None:
        """Thresholds per class of an evaluation that a new decision could not update; None: the classifier's apply."""
        images = None if self.evaluation is None else self.evaluation.evaluated_images
        return None if images is None else images.thresholds

    @property
    def thresholds(self) -> tuple[float, ...] | None:
        """Thresholds per class used for the measured images; None: the most probable class was predicted."""
        card = self.run.card
        return self.earlier_thresholds or (None if card is None else card.operating_points)

    @property
    def rule(self) -> Rule:
        """How the classes of the measured images were predicted."""
        if self.thresholds is None:
            return "highest probability"
        return "threshold set by hand" if self.recipe.decide_by == "threshold" else "chosen threshold"

    @property
    def measured_training(self) -> TrainingRecord | None:
        """Training record of the measured network; after cross-validation, that of the first fold."""
        return next(iter(self.run.trainings), None)

    @property
    def finetuning(self) -> FinetuneStage | None:
        """Fine-tuning of the measured network."""
        return None if self.measured_training is None else self.measured_training.finetune

    @property
    def n_frozen(self) -> int:
        """Number of trainings (folds or the single one) in which fine-tuning did not improve on frozen features."""
        return sum(record.chosen == "instant" and len(record.stages) > 1 for record in self.run.trainings)

    @property
    def is_no_epoch_done(self) -> bool:
        """Whether fine-tuning on a single split ended before its first epoch was complete."""
        return not self.n_folds and self.finetuning is not None and self.finetuning.epochs_run == 0

    @property
    def stages_of_training(self) -> list[StageRecord]:
        """Training stages of all networks."""
        records = {id(record): record for record in (self.training, *self.run.trainings) if record is not None}
        return [stage for record in records.values() for stage in record.stages]

    @cached_property
    def seconds_of_training(self) -> float:
        """Duration of the whole run by its log: images, both steps, all folds and test images, without the report.

        Without a log, the duration of the networks' training.
        """
        work_seconds = FoldedLog(self.run.events_file, LoggedProgress()).refresh().worked
        return work_seconds or sum(stage.seconds for stage in self.stages_of_training)

    @cached_property
    def first_of_split(self) -> Run | None:
        """The training that created the split, if this training reuses the split of an earlier one.

        None if this training created its split, or if one of the earlier trainings no longer exists.
        """
        run, visited_folders = self.run, set[Path]()
        try:
            while (earlier_folder := run.recipe.split.run) is not None and run.folder not in visited_folders:
                visited_folders.add(run.folder)
                run = Run(Path(earlier_folder))
            return run if visited_folders and run.split else None
        except CoverslipError:
            return None

    @cached_property
    def labels_before(self) -> Mapping[str, str]:
        """Earlier labels of test images that were relabeled since the training that created the split."""
        if self.first_of_split is None or self.evaluation is not None:
            return {}
        before = previous_test_labels(self.run, self.first_of_split)
        return {
            row.image_id: before[row.image_id]
            for row in self.run.split
            if before.get(row.image_id, row.label) not in ("", row.label)
        }

    @cached_property
    def leakage_estimate(self) -> LeakageEstimate | None:
        """Metrics of an image-level split of the run's images; None if they were not computed."""
        inspection = self.run.inspection
        return inspection.leakage_estimate if isinstance(inspection, InspectionWithLeakageEstimate) else None

    @property
    def initialization_is_known(self) -> bool:
        """Whether all images are known on which the initial weights were trained."""
        return self.training is None or self.training.initialization_is_known

    @property
    def is_pretraining_kept(self) -> bool:
        """Whether there was no pretraining on other images, or its fine-tuned network was selected."""
        pretraining = self.run.pretraining.training
        return pretraining is None or pretraining.chosen != "instant"

    @property
    def is_unseen(self) -> bool:
        """Whether it is certain that the network was trained on none of the images of an evaluation."""
        images = None if self.evaluation is None else self.evaluation.evaluated_images
        return images is not None and not images.is_seen and self.initialization_is_known

    # What the split was, for all sections, and in words.

    @property
    def is_split_leaky(self) -> bool:
        """Whether groups and duplicates may be in several sets."""
        return self.run.is_split_leaky or bool(self.metrics.n_leaks)

    @property
    def has_validation(self) -> bool:
        """Whether there were validation images, in each fold or in the single split."""
        return self.recipe.split.val > 0 or self.parts["val"] > 0

    @property
    def n_near_duplicates(self) -> tuple[int, int]:
        """Numbers of sets of near-duplicates: those that are each in the same set of images, and all."""
        findings = () if self.run.inspection is None else self.run.inspection.of("near-duplicates")
        counts = [finding.parameters["n_clusters_together"] for finding in findings]
        n_together = sum(n for n in counts if isinstance(n, int))
        return 0 if self.is_split_leaky else n_together, sum(len(finding.images) for finding in findings)

    @property
    def split_words(self) -> str:
        """The set of images that the metrics are computed on."""
        split = {"test": "test", "val": "validation", "out-of-fold": "held-out"}.get(self.metrics.split, "other")
        if split == "test" and read_test_set_accesses(self.run).n == 1 and not self.recipe.leaking_keys:
            split = "test-once"
        return text("report-split", split=split, name=self.metrics.split, n_relabeled=len(self.labels_before))

    @property
    def delivered_words(self) -> str:
        """That the delivered classifier is fitted on more images than the tested one; empty if it is not."""
        card = self.run.card
        if card is None or card.tested is None:
            return ""
        n_images, n_tested = card.trained_on.n_images, card.tested.n_images
        if self.evaluation is not None:  # of the delivered classifier
            return text("report-delivered-classifier", n_images=n_images, is_unseen=self.is_unseen)
        return text("delivered-classifier", n_images=n_images, n_tested=n_tested)

    @property
    def measured_groups(self) -> str:
        """Which groups the measured images come from, and whether training used images of them."""
        if self.evaluation is not None:  # group names may coincide with those of unrelated groups in training
            return text("report-groups-of-evaluation", groups=group_words(self.metrics))
        groups = self.groups["test"]
        first = text("report-groups-of-test-images", n_groups=groups.n_groups, n_ungrouped=groups.n_ungrouped)
        of_fit = ("all",) if self.n_folds else ("train", "val")
        n_unknown = sum(self.groups[name].n_ungrouped for name in of_fit)
        if self.n_folds and not self.n_ungrouped:
            return f"{first} {text('report-groups-of-folds')}"
        if self.is_split_leaky:
            return first
        if n_unknown:
            return f"{first} {text('report-ungrouped-images', n_images=n_unknown, has_folds=bool(self.n_folds))}"
        return f"{first} {text('report-groups-not-in-training', is_tested_only=self.run.is_fitted_on_test)}"

    @property
    def without_group(self) -> str:
        """That images without a known group may be of groups in other sets; empty if every image has one."""
        return text("report-without-group", n_images=self.n_ungrouped) if self.n_ungrouped else ""

    @cached_property
    def domain_of(self) -> dict[str, str]:
        """Domain of each image that may be measured, by image ID."""
        if self.evaluation is not None:
            return self.images.domains()
        return {row.image_id: row.domain for row in self.run.split}

    @cached_property
    def images(self) -> ImageLookup:
        """Lookup of the files of the measured images and how each is read."""
        return self.opened or ImageLookup(self.measured)


def read_evaluation(folder: Path) -> ReportedRun:
    """Return a run with the metrics of one of its evaluations on external images.

    Raises:
        BadRun: not an evaluation of a run, or no metrics in it yet.
    """
    evaluation = Run(folder)
    run = open_run(evaluation.parent_run.folder)
    if not evaluation.is_measured:
        raise BadRun("evaluation-without-results", file=folder)
    return ReportedRun(run, evaluation)


def read_run(folder: Path) -> ReportedRun:
    """Return a run that was measured.

    Raises:
        BadRun: not a run folder, or no metrics in it yet.
    """
    run = open_run(folder)
    if not run.is_measured:
        raise without_results(run)
    return ReportedRun(run)


def without_results(run: Run) -> BadRun:
    """Return the error for a run that was not tested."""
    return BadRun("run-without-results", file=run.folder)


# Sentences and number formats of a report.

N_HARDEST = 12  # number of classes or pairs of classes shown first if there are many
MANY_CLASSES = 20  # above it, tables of classes are collapsed

DECISION_IMAGES: dict[CalibrationImages, str] = {
    "validation images": "validation",
    "held-out training images": "held-out",
    "the folds' images": "folds",
}


def decision_images(calibrated_on: CalibrationImages) -> str:
    """Return on which images thresholds were chosen, as the end of 'chosen on'."""
    return text("report-decision-images", source=DECISION_IMAGES[calibrated_on])


def unknown_labels() -> tuple[str, str]:
    """Return that the labels of the training that made the split are not known, and what it means."""
    return text("report-unknown-labels"), text("report-unknown-labels.meaning")


def percent(value: float) -> str:
    """Format 0.951 as '95.1%'; a value below 1 is never rounded up to 100%."""
    rounded = _percent(value, 1)
    return localized_number(("100" if value == 1 else "99.9" if rounded == "100.0" else rounded) + "%")


def whole_percent(value: float) -> str:
    """Format 0.956 as '96%'; a value below 1 is never rounded up to 100%."""
    return localized_number(f"{100 if value == 1 else min(int(_percent(value, 0)), 99)}%")


def _percent(value: float, digits: int) -> str:
    """Round consistently with `number`: 0.8625, formatted there as 0.863, becomes '86.3'."""
    return f"{100 * float(f'{value:.{digits + 2}f}'):.{digits}f}"


def number(value: float | None, digits: int = 3) -> str:
    """Format 0.9514 as '0.951'; None as a dash."""
    return "–" if value is None else localized_number(f"{value:z.{digits}f}".replace("-", "−"))


def signed(value: float | None, digits: int = 3) -> str:
    """Format a difference of 0.0514 as '+0.051'; '0.000' if it rounds to zero."""
    size = number(value, digits)
    return f"+{size}" if value is not None and round(value, digits) > 0 else size


def spanned(low: float, high: float, shown: Callable[[float], str] = number) -> str:
    """Format the ends of an interval: '0.861–0.953', or '−0.012 to +0.034' if an end has a sign."""
    ends = (shown(low), shown(high))
    return range_words(*ends) if any(end[0] in "+−" for end in ends) else "–".join(ends)


def range_words(low: str, high: str) -> str:
    """Return the formatted ends of an interval as words: '−0.012 to +0.034'."""
    return text("report-range", low=low, high=high)


def with_interval(title: str) -> str:
    """Return the title of a column whose values have confidence intervals: 'recall (95% CI)'."""
    return text("column-with-interval", title=title)


def interval_after(interval: str) -> str:
    """Return an interval to follow its value: ' (95% CI 0.861–0.953)'; empty if there is no interval."""
    return f" ({text('report-confidence-interval', interval=interval)})" if interval else ""


def p_value(p: float | None) -> str:
    """Format a p-value: '0.034', '< 0.001', or a dash for None."""
    if p is None:
        return "–"
    return localized_number("<\N{NO-BREAK SPACE}0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}")


def p_words(p: float) -> str:
    """Format a p-value: 'p = 0.034', 'p < 0.001', with spaces that do not break."""
    space = "\N{NO-BREAK SPACE}"
    return f"p{space}{'' if p < 0.001 else f'={space}'}{p_value(p)}"


def count(n: int) -> str:
    """Format 1234 as '1,234'."""
    return localized_number(f"{n:,}")


def group_words(evaluation: Evaluation) -> str:
    """Return the groups that intervals are computed over: '7 groups and 25 images without a known group', or empty."""
    if not evaluation.n_units:
        return ""
    return text("report-groups", n_groups=evaluation.n_groups or 0, n_ungrouped=evaluation.n_ungrouped)


def threshold_words(run: ReportedRun) -> str:
    """Return by which decision thresholds classes are predicted; empty if the most probable class is."""
    points = run.thresholds
    if points is None:
        return ""
    is_by_hand = run.rule == "threshold set by hand"
    images = decision_images(run.calibration.calibrated_on)
    if run.evaluation is not None:
        when = "not-stated" if is_by_hand else "on-images"
    else:
        when = "after-test" if read_test_set_accesses(run.run).decided else "before-test"
    if run.metrics.positive_class not in run.classes:
        return text("report-thresholds-of-classes", when=when, image_set=images)
    point = points[run.classes.index(run.metrics.positive_class)]
    return text(
        "report-threshold",
        label=run.metrics.positive_class,
        threshold=localized_number(f"{point:.3g}"),
        is_by_hand=is_by_hand,
        when=when,
        image_set=images,
        has_folds=bool(run.n_folds) and run.evaluation is None and not is_by_hand,
    )


def group_mean(evaluation: Evaluation) -> str:
    """Return the mean accuracy over groups; empty if it is close to that over images."""
    mean = evaluation.group_mean_accuracy
    if mean is None or mean.value is None or not evaluation.is_group_mean_different:
        return ""
    accuracy = f"{percent(mean.value)}{range_after(mean, percent)}"
    return text("report-group-mean", n_groups=mean.n_groups or 0, accuracy=accuracy)


def why_instant(run: ReportedRun) -> str:
    """Return why an instant classifier is the result although fine-tuning was requested; empty if it is not."""
    budget = run.run.budget
    if budget is not None and budget.ended == "no time to fine-tune":
        return " ".join(filter(None, [text("report-no-time-to-finetune"), time_for_all(budget)]))
    if not run.n_frozen:
        return ""
    if run.is_no_epoch_done:
        return text("report-no-epoch-completed")
    if run.n_folds:
        return text("report-finetuning-not-better-in-folds", n_frozen=run.n_frozen, n_folds=run.n_folds)
    stage = run.finetuning
    if stage is not None and stage.stopped_because == "finished early":
        return text("report-finished-early", n_epochs=stage.epochs_run, n_planned=stage.epochs_planned)
    return text("report-finetuning-not-better")


def time_for_all(budget: BudgetRecord) -> str:
    """Return the time that would have been sufficient for all epochs; empty if it is not known, or was available."""
    if budget.sufficient_seconds is None:
        return ""
    return text("report-time-for-all", time=duration(budget.sufficient_seconds), n_epochs=budget.epochs)


def relabeled(run: ReportedRun) -> str:
    """Return that metrics are by corrected labels, with the accuracy by the earlier ones; else empty."""
    if not run.labels_before or run.tested is None:
        return ""
    n, rows = len(run.labels_before), run.tested.rows
    n_right = sum(row.predicted == run.labels_before.get(row.image_id, row.label) for row in rows)
    return text("report-relabeled", n_images=n, accuracy=percent(n_right / len(rows)))


def value_words(metric: Metric) -> str:
    """Return a value with its confidence interval: '0.891 (95% CI 0.850–0.930)'."""

    def shown(value: float | None) -> str:
        return number(value, metric.digits)

    return shown(metric.value) + range_after(metric, shown)


def range_after(metric: Metric, shown: Callable[[float], str]) -> str:
    """Return the confidence interval to follow a value, or that there are too few images; empty if there is none."""
    if metric.low is None or metric.high is None:
        return ""
    if metric.is_useless:
        return f" ({few_images(metric)})"
    return interval_after(spanned(metric.low, metric.high, shown))


_MANY_OF_GROUP = 3  # images of a group on average, with more of which groups are what is few


def few_images(metric: Metric) -> str:
    """Return what is shown instead of an interval that contains most values from 0 to 1."""
    n_images, n_groups = metric.n_images or 0, metric.n_groups or 0
    has_few_groups = 0 < n_groups * _MANY_OF_GROUP < n_images
    return text("interval-of-few-images", n=n_groups if has_few_groups else n_images, has_few_groups=has_few_groups)


def interval_words(run: ReportedRun) -> str:
    """Return what confidence intervals cover, for readers who do not know the names of the methods."""
    evaluation = run.metrics
    folds, has_groups = evaluation.folds, bool(evaluation.n_units)
    sentences = [text("report-interval", has_groups=has_groups, has_folds=bool(folds))]
    if evaluation.n_units and evaluation.n_units < FEW_GROUPS_FOR_INTERVALS:
        sentences.append(text("report-interval-few-groups", groups=group_words(evaluation)))
    if has_groups:
        sentences.append(text("report-interval-groups"))
    if folds:
        share = sum(fold.n_train for fold in folds.per_fold) / len(folds.per_fold) / len(run.used)
        sentences.append(text("report-interval-folds", share=whole_percent(share)))
    return " ".join(sentences)


def listed(names: Sequence[str], at_most: int = 8) -> str:
    """Join names as 'a, b and c', or the first names and the number of the rest; empty for no names."""
    if len(names) > at_most:
        names = [*names[:at_most], text("report-more-names", n=len(names) - at_most)]
    return "".join(names) if len(names) < 2 else text("report-and", first=", ".join(names[:-1]), second=names[-1])


# Prefixes of the reasons for exclusion in split.csv, and the messages of their titles.
_REASONS = {
    "unreadable:": "excluded-unreadable",
    "no label": "excluded-without-label",
    "same pixels": "excluded-duplicates",
    "on request:": "excluded-on-request",
    "no training image": "excluded-class-not-in-training",
}


def reason_title(reason: str) -> str:
    """Return the title of a reason for exclusion, which split.csv states in English."""
    code = next((code for start, code in _REASONS.items() if reason.startswith(start)), "excluded-other-reasons")
    return text(code)


def set_title(split: str) -> str:
    """Return the title of a set of the split: 'training', 'validation', 'test' or 'excluded'."""
    return text("report-set", split=split)


def is_numbered(classes: Sequence[str]) -> bool:
    """Return whether there are too many classes, or too long names, for column titles."""
    return len(classes) > 8 or max(map(len, classes)) > 14


def by_labels(labels: str) -> str:
    """Return which run's labels the metrics of two runs use; empty if both have the same labels."""
    return "" if labels == "both" else text("report-by-labels", labels=labels)


def copies_words(augment: Augment, n: int) -> str:
    """Return over which augmented copies of n training images a linear discriminant is fitted; empty for none."""
    if not n:
        return ""
    copies, words = Copies.within(dict(augment)), phrases(augment)
    changes = [text("report-lossless-copies")] if len(copies.lossless) > 1 else []
    changes += [words[name] for name in copies.light_changes]
    return text("report-augmented-copies", n_images=n, changes=", ".join(changes))
