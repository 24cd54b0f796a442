"""What a training leaves on disk: recipe, run folder, log and packaged classifier."""

from coverslip.evaluation import Metric
from coverslip.runs.augment import AUGMENT_SETS, Augment
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
from coverslip.runs.documents import FORMAT_VERSION, check_format, read_table, write_table
from coverslip.runs.documents import read_object as read_json
from coverslip.runs.folder import (
    SPLIT_COLUMNS,
    Run,
    Status,
    create_run_folder,
    describe_environment,
    is_alive,
    open_run,
    read_status,
)
from coverslip.runs.log import RunLog
from coverslip.runs.metrics import metrics_as_json, read_metrics, write_metrics
from coverslip.runs.recipe import Balance, Recipe, SplitPlan
from coverslip.runs.recipe_text import check_recipe, first_recipe, load_recipe, save_recipe, with_settings
from coverslip.runs.start import FromRun, TrainFirst

__all__ = [
    "AUGMENT_SETS",
    "FORMAT_VERSION",
    "SPLIT_COLUMNS",
    "Augment",
    "Balance",
    "ClassifierCard",
    "FromRun",
    "Metric",
    "PackedClassifier",
    "Recipe",
    "Run",
    "RunLog",
    "SplitPlan",
    "Status",
    "TrainFirst",
    "TrainedOn",
    "check_format",
    "check_recipe",
    "create_run_folder",
    "describe_environment",
    "export_classifier",
    "find_classifier",
    "fingerprint_of",
    "first_recipe",
    "is_alive",
    "load_recipe",
    "metrics_as_json",
    "open_classifier",
    "open_run",
    "read_json",
    "read_metrics",
    "read_status",
    "read_table",
    "save_recipe",
    "with_settings",
    "write_classifier",
    "write_metrics",
    "write_table",
]
