"""What a training leaves on disk: recipe, run folder, log and packaged classifier."""

from coverslip.runs.budget import PRESETS, BudgetRecord, Outcome, PlannedStep, TriedNetwork, budget_seconds
from coverslip.runs.classifier import (
    ClassifierCard,
    PackedClassifier,
    TrainedOn,
    export_classifier,
    find_classifier,
    fingerprint_of,
    open_classifier,
    write_classifier,
)
from coverslip.runs.context import RunContext
from coverslip.runs.environment import (
    Environment,
    EvaluatedImages,
    Weights,
    describe_environment,
    images_opened,
)
from coverslip.runs.folder import Run, create_run_folder, is_run, open_run
from coverslip.runs.history import Epoch
from coverslip.runs.inspection import inspection_as_json, write_inspection
from coverslip.runs.log import RunLog
from coverslip.runs.metrics import LearningCurveRecord, metrics_as_json, read_metrics, write_metrics
from coverslip.runs.predictions import (
    MeasuredPredictions,
    Prediction,
    Predictions,
    PredictionsFile,
    cells_of,
    columns_for,
)
from coverslip.runs.provenance import held_out_images, plan_of, refuse_other_images, same_images
from coverslip.runs.recipe import (
    Augment,
    FromRun,
    Pretraining,
    Recipe,
    RecipeKey,
    Sampling,
    SplitPlan,
    augment_named,
    check_recipe,
    load_recipe,
    pretraining_recipe,
    recipe_keys,
    save_recipe,
    with_settings,
)
from coverslip.runs.seen import SeenPixels, seen_by_initialisation, seen_pixels, seen_record
from coverslip.runs.split import SplitRow, split_rows, write_split
from coverslip.runs.status import Status, StatusFile
from coverslip.runs.training import Calibration, FinetuneStage, InstantStage, LearntOn, StageRecord, TrainingRecord

__all__ = [
    "PRESETS",
    "Augment",
    "BudgetRecord",
    "Calibration",
    "ClassifierCard",
    "Environment",
    "Epoch",
    "EvaluatedImages",
    "FinetuneStage",
    "FromRun",
    "InstantStage",
    "LearningCurveRecord",
    "LearntOn",
    "MeasuredPredictions",
    "Outcome",
    "PackedClassifier",
    "PlannedStep",
    "Prediction",
    "Predictions",
    "PredictionsFile",
    "Pretraining",
    "Recipe",
    "RecipeKey",
    "Run",
    "RunContext",
    "RunLog",
    "Sampling",
    "SeenPixels",
    "SplitPlan",
    "SplitRow",
    "StageRecord",
    "Status",
    "StatusFile",
    "TrainedOn",
    "TrainingRecord",
    "TriedNetwork",
    "Weights",
    "augment_named",
    "budget_seconds",
    "cells_of",
    "check_recipe",
    "columns_for",
    "create_run_folder",
    "describe_environment",
    "export_classifier",
    "find_classifier",
    "fingerprint_of",
    "held_out_images",
    "images_opened",
    "inspection_as_json",
    "is_run",
    "load_recipe",
    "metrics_as_json",
    "open_classifier",
    "open_run",
    "plan_of",
    "pretraining_recipe",
    "read_metrics",
    "recipe_keys",
    "refuse_other_images",
    "same_images",
    "save_recipe",
    "seen_by_initialisation",
    "seen_pixels",
    "seen_record",
    "split_rows",
    "with_settings",
    "write_classifier",
    "write_inspection",
    "write_metrics",
    "write_split",
]
