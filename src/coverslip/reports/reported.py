"""The data of a report: the typed files of a run folder, and values derived from several of them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from coverslip.counts import GroupCount, count_groups
from coverslip.errors import BadRun, CoverslipError
from coverslip.evaluation import Evaluation
from coverslip.runs import (
    Calibration,
    Environment,
    FinetuneStage,
    InspectionWithLeakageEstimate,
    LeakageEstimate,
    MeasuredPredictions,
    Recipe,
    Run,
    SplitRow,
    StageRecord,
    TrainingRecord,
    open_run,
)
from coverslip.runs.images import ImageLookup, previous_test_labels
from coverslip.runs.log import FoldedLog, LoggedProgress

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

    @cached_property
    def metrics(self) -> Evaluation:
        metrics = self.measured.metrics
        if self.evaluation is None and self.environment.allow_leakage and metrics.n_leaks is None:  # an earlier version
            return replace(metrics, n_leaks=0 if self.run.inspection is None else self.run.inspection.n_test_leaks)
        return metrics

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

    @property
    def n_excluded_by_hand(self) -> int:
        """Number of images excluded in the app or in the table before training; the split does not list them."""
        return 0 if self.run.inspection is None else self.run.inspection.n_excluded_by_hand

    @cached_property
    def groups(self) -> Mapping[str, GroupCount]:
        """The groups of each set, and of all used images by the name `all`."""
        sets = {part: [row for row in self.used if row.split == part] for part in ("train", "val", "test")}
        return {
            part: count_groups(row.named_group for row in rows) for part, rows in (sets | {"all": self.used}).items()
        }

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
        """Number of images per split value; `excluded` includes the images excluded by hand."""
        return Counter(row.split for row in self.run.split) + Counter({"excluded": self.n_excluded_by_hand})

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
        """Whether it is certain that the network was trained on none of the measured images."""
        if self.evaluation is not None:
            images = self.evaluation.evaluated_images
            return images is not None and not images.is_seen and self.initialization_is_known
        return self.metrics.split != "val" and not self.environment.allow_leakage and self.initialization_is_known

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
