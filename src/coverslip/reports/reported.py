"""A run as its report tells of it: the typed files of its folder, and what follows from several of them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

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
from coverslip.runs.images import earlier_test_labels
from coverslip.runs.log import FoldedLog, Progress
from coverslip.runs.lookup import ImageLookup

Rule = Literal["highest probability", "chosen threshold", "threshold set by hand"]


@dataclass(frozen=True)
class ReportedRun:
    """A run that was measured: on its test set or, in an evaluation, on an external test set."""

    run: Run
    evaluation: Run | None = None

    @property
    def measured(self) -> Run:
        """Where the numbers and the predictions that they are from lie."""
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
        """0 where there was one split."""
        return 0 if self.metrics.folds is None else len(self.metrics.folds.per_fold)

    @cached_property
    def used(self) -> tuple[SplitRow, ...]:
        """Its images but for those left out."""
        return tuple(row for row in self.run.split if row.split != "excluded")

    @property
    def n_excluded_by_hand(self) -> int:
        """Images that were left out in the app or in the table before the training, which its split does not have."""
        return 0 if self.run.inspection is None else self.run.inspection.n_excluded_by_hand

    @cached_property
    def n_groups(self) -> int:
        """Named groups of all images that are used; 0 where none are known."""
        return len({row.named_group for row in self.used if row.named_group})

    @property
    def n_ungrouped(self) -> int:
        """Images without a named group, where others have one."""
        return sum(not row.named_group for row in self.used) if self.n_groups else 0

    @property
    def n_ungrouped_training(self) -> int:
        """Training images without a named group."""
        return sum(row.split == "train" and not row.named_group for row in self.used)

    @property
    def n_test_leaks(self) -> int:
        """Groups and clusters of duplicates that the given split has in its test set and in another one."""
        inspection = self.run.inspection
        clusters = [sets for leak in inspection.of("leakage") for sets in leak.notes] if inspection else []
        return sum("test" in sets and not {"train", "val"}.isdisjoint(sets) for sets in clusters)

    @cached_property
    def domains(self) -> list[str]:
        """The domains that the run's images come from, where there are several."""
        domains = sorted({row.domain for row in self.used})
        return domains if len(domains) > 1 else []

    @cached_property
    def parts(self) -> Counter[str]:
        """How many images take each part; those excluded by hand are left out too."""
        return Counter(row.split for row in self.run.split) + Counter({"excluded": self.n_excluded_by_hand})

    @cached_property
    def tested(self) -> MeasuredPredictions | None:
        """Predictions of the measured images; None where there are none."""
        if not self.measured.predictions_file.is_file():
            return None
        measured = self.measured.predictions.measured()
        return measured if measured.rows else None

    @property
    def training(self) -> TrainingRecord | None:
        """How the packaged network came about."""
        return self.run.training

    @property
    def calibration(self) -> Calibration:
        """What validation images set for the packaged network."""
        return Calibration() if self.training is None else self.training.calibration

    @property
    def earlier_thresholds(self) -> tuple[float, ...] | None:
        """Of each class, those of an evaluation that could not follow a new decision; None: the classifier's hold."""
        images = None if self.evaluation is None else self.evaluation.evaluated_images
        return None if images is None else images.thresholds

    @property
    def thresholds(self) -> tuple[float, ...] | None:
        """Of each class, those that the measured images were predicted with; None: the most probable class was."""
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
        """How the network that was measured came about; of folds the first."""
        return next(iter(self.run.trainings), None)

    @property
    def finetuning(self) -> FinetuneStage | None:
        """The fine-tuning of the network that was measured."""
        return None if self.measured_training is None else self.measured_training.finetune

    @property
    def n_frozen(self) -> int:
        """Trainings, of the folds or the one, whose fine-tuning was no better than the head on frozen features."""
        return sum(record.chosen == "instant" and len(record.stages) > 1 for record in self.run.trainings)

    @property
    def is_no_epoch_done(self) -> bool:
        """Whether fine-tuning, after one split, ended before its first epoch did."""
        return not self.n_folds and self.finetuning is not None and self.finetuning.epochs_run == 0

    @property
    def stages_of_training(self) -> list[StageRecord]:
        """Of all networks."""
        records = {id(record): record for record in (self.training, *self.run.trainings) if record is not None}
        return [stage for record in records.values() for stage in record.stages]

    @cached_property
    def seconds_of_training(self) -> float:
        """Of all of the run by its log: images, both steps, all folds, test images and what is written by now.

        Without a log, of the networks alone.
        """
        worked = FoldedLog(self.run.events_file, Progress()).refresh().worked
        return worked or sum(stage.seconds for stage in self.stages_of_training)

    @cached_property
    def first_of_split(self) -> Run | None:
        """The training that made the split, where this one keeps an earlier one's, which may itself have kept it.

        None where the split is its own, or where one of these trainings is not there any more.
        """
        run, seen = self.run, set[Path]()
        try:
            while (kept := run.recipe.split.run) is not None and run.folder not in seen:
                seen.add(run.folder)
                run = Run(Path(kept))
            return run if seen and run.split else None
        except CoverslipError:
            return None

    @cached_property
    def labels_before(self) -> Mapping[str, str]:
        """What test images were labelled in the training that made the split, of those labelled otherwise now."""
        if self.first_of_split is None or self.evaluation is not None:
            return {}
        before = earlier_test_labels(self.run, self.first_of_split)
        return {
            row.image_id: before[row.image_id]
            for row in self.run.split
            if before.get(row.image_id, row.label) not in ("", row.label)
        }

    @cached_property
    def leakage_estimate(self) -> LeakageEstimate | None:
        """What an image-level split of its images would have reported; None where they were not asked about it."""
        inspection = self.run.inspection
        return inspection.leakage_estimate if isinstance(inspection, InspectionWithLeakageEstimate) else None

    @property
    def initialisation_is_known(self) -> bool:
        """Whether all images are known that the initial weights were trained on."""
        return self.training is None or self.training.initialisation_is_known

    @property
    def is_pretraining_kept(self) -> bool:
        """Whether pretraining on other images, where there was any, changed the network."""
        pretraining = self.run.pretraining.training
        return pretraining is None or pretraining.chosen != "instant"

    @property
    def is_unseen(self) -> bool:
        """Whether the network is known to have learnt from none of the measured images."""
        if self.evaluation is not None:
            images = self.evaluation.evaluated_images
            return images is not None and not images.is_seen and self.initialisation_is_known
        return self.metrics.split != "val" and not self.environment.allow_leakage and self.initialisation_is_known

    @cached_property
    def domain_of(self) -> dict[str, str]:
        """The domain of each image that may be measured, by its id."""
        if self.evaluation is not None:
            return self.images.domains()
        return {row.image_id: row.domain for row in self.run.split}

    @cached_property
    def images(self) -> ImageLookup:
        """Where the measured images lie, and how each is read."""
        return ImageLookup(self.measured)


def read_evaluation(folder: Path) -> ReportedRun:
    """A run with the numbers of one of its evaluations on other images.

    Raises:
        BadRun: not an evaluation of a run, or no numbers in it yet.
    """
    evaluation = Run(folder)
    run = open_run(evaluation.whole.folder)
    if not evaluation.is_measured:
        raise BadRun("evaluation-without-results", file=folder)
    return ReportedRun(run, evaluation)


def read_run(folder: Path) -> ReportedRun:
    """A run that was measured.

    Raises:
        BadRun: not a run folder, or no numbers in it yet.
    """
    run = open_run(folder)
    if not run.is_measured:
        raise without_results(run)
    return ReportedRun(run)


def without_results(run: Run) -> BadRun:
    """Return the error for a run that was not tested."""
    return BadRun("run-without-results", file=run.folder)
