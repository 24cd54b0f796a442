"""What a training leaves on disk: recipe, run folder, log and packaged classifier."""

from coverslip.runs.augment import AUGMENT_SETS, Augment
from coverslip.runs.classifier import ClassifierCard, TrainedOn, read_classifier, write_classifier
from coverslip.runs.folder import (
    FORMAT_VERSION,
    SPLIT_COLUMNS,
    Metric,
    Run,
    Status,
    check_format,
    create_run_folder,
    describe_environment,
    is_alive,
    open_run,
    read_json,
    read_status,
    read_table,
    write_table,
)
from coverslip.runs.log import RunLog
from coverslip.runs.recipe import (
    Balance,
    Recipe,
    SplitPlan,
    check_recipe,
    load_recipe,
    save_recipe,
    with_settings,
)

__all__ = [
    "AUGMENT_SETS",
    "FORMAT_VERSION",
    "SPLIT_COLUMNS",
    "Augment",
    "Balance",
    "ClassifierCard",
    "Metric",
    "Recipe",
    "Run",
    "RunLog",
    "SplitPlan",
    "Status",
    "TrainedOn",
    "check_format",
    "check_recipe",
    "create_run_folder",
    "describe_environment",
    "is_alive",
    "load_recipe",
    "open_run",
    "read_classifier",
    "read_json",
    "read_status",
    "read_table",
    "save_recipe",
    "with_settings",
    "write_classifier",
    "write_table",
]
