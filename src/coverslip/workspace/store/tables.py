"""The tables of the workspace. Only they contain labels and corrections; the rest can be rebuilt from folders."""

import os
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    TypeDecorator,
    text,
)

from coverslip.messages import Message, message_of

metadata = MetaData()


def path_as_stored(path: str) -> str | bytes:
    """Return a path as the database stores it: one that is not UTF-8 as bytes."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return os.fsencode(path)
    return path


class MessageText(TypeDecorator[Message]):
    """A message as JSON."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: Message | None, _: Dialect) -> str | None:
        """Convert a message for the database."""
        return None if value is None else value.as_json()

    def process_result_value(self, value: str | None, _: Dialect) -> Message | None:
        """Convert a message from the database."""
        return None if value is None else message_of(value)


FOLDERS: WeakKeyDictionary[Dialect, str] = WeakKeyDictionary()  # the folder of each open database
_INSIDE = "workspace:"  # before paths in the workspace, in JSON, and before other texts that begin with it


def relative_path(path: str, folder: str) -> str:
    """Return a path as the database of a folder stores it: relative to the folder if it is inside."""
    return path.removeprefix(folder + os.sep)


class PathText(TypeDecorator[str]):
    """An absolute path as text, relative to the workspace if it is in it. One that is not UTF-8 is stored as bytes."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> Any:  # Any: str or bytes
        """Convert a path for the database."""
        return None if value is None else path_as_stored(relative_path(value, FOLDERS[dialect]))

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:  # Any: str or bytes
        """Convert a path from the database."""
        text = os.fsdecode(value) if isinstance(value, bytes) else value
        return os.path.join(FOLDERS[dialect], text) if text else text  # noqa: PTH118 - of 100,000 images


class PathsJson(TypeDecorator[Any]):
    """JSON with absolute paths in texts and after `--option=`. Paths in the workspace are stored relative to it."""

    impl = JSON
    cache_ok = True

    def coerce_compared_value(self, op: Any, value: Any) -> Any:  # Any: as SQLAlchemy declares it
        """Return the type of an index, as of JSON."""
        return self.impl_instance.coerce_compared_value(op, value)

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:  # Any: JSON values
        """Convert JSON for the database."""
        return with_relative_paths(value, FOLDERS[dialect])

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # Any: JSON values
        """Convert JSON from the database."""
        return with_absolute_paths(value, FOLDERS[dialect])


def with_relative_paths(value: Any, folder: str) -> Any:  # Any: JSON values
    """Return JSON in which the paths in a workspace do not depend on its folder, as `PathsJson` stores it."""

    def stored(path: str) -> str:
        is_inside = path.startswith(folder) and path[len(folder) : len(folder) + 1] in ("", os.sep)
        return _INSIDE + path[len(folder) :] if is_inside else _INSIDE + path if path.startswith(_INSIDE) else path

    return _with_paths(value, stored)


def with_absolute_paths(value: Any, folder: str) -> Any:  # Any: JSON values
    """Return the JSON that `with_relative_paths` converted, with the paths of a workspace in this folder."""

    def absolute(stored: str) -> str:
        text = stored.removeprefix(_INSIDE)
        return stored if text == stored else text if text.startswith(_INSIDE) else folder + text

    return _with_paths(value, absolute)


def _with_paths(value: Any, convert: Callable[[str], str]) -> Any:  # Any: JSON values
    match value:
        case str() if value.startswith("--") and "=" in value:
            option, _, path = value.partition("=")
            return f"{option}={convert(path)}"
        case str():
            return convert(value)
        case list() | tuple():
            return [_with_paths(each, convert) for each in value]
        case dict():
            return {_with_paths(name, convert): _with_paths(each, convert) for name, each in value.items()}
    return value


datasets = Table(
    "datasets",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("kind", String, nullable=False),  # folders, table, files, upload, samples
    Column("sources", PathsJson, nullable=False),  # path, domain (its name, or None)
    Column("is_labeled", Boolean, nullable=False),
    Column("group_column", String),
    Column("group_pattern", String),
    Column("group_merge", JSON, nullable=False, default=dict),  # from a group to the spellings that are joined in it
    # In the order of their keys and colors, including classes without images.
    Column("class_names", JSON, nullable=False),
    Column("class_plan", JSON, nullable=False),  # merge, drop, rename, as in a recipe
    Column("opened", PathsJson),  # root, source, notes and origins; None before the images exist
    # The pixels of each file: series, t, z, channels and level, as `images` of a recipe; None: nothing was chosen.
    Column("pixel_choice", JSON(none_as_null=True)),
    Column("display", JSON(none_as_null=True)),  # of each channel: color, limits and visibility; None: automatic
    Column("summary", JSON, nullable=False),  # counts of the images
    Column("revision", Integer, nullable=False),  # increases when labels, groups or images change
    Column("state", String, nullable=False),  # reading, ready, failed
    Column("progress", JSON),  # done, total, seconds_left
    Column("error", JSON),
    Column("created", String, nullable=False),  # ISO 8601, UTC
    Column("removed", String),  # time of the removal; it can be restored for a while
)

# Separate from datasets, whose rows are written at every label: an inspection can have megabytes.
inspections = Table(
    "inspections",
    metadata,
    Column("dataset_id", ForeignKey("datasets.id", ondelete="CASCADE"), primary_key=True),
    Column("revision", Integer, nullable=False),  # of the labels and groups
    Column("content", PathsJson, nullable=False),
)

images = Table(
    "images",
    metadata,
    # Identifies the image permanently: it is kept when the dataset is read again, and never used for another image.
    # All that is said about an image refers to it.
    Column("row_id", Integer, primary_key=True),
    Column("dataset_id", ForeignKey("datasets.id", ondelete="CASCADE")),  # None: it is not in the sources any more
    # The dataset that an image which is not in its sources belonged to. It comes back with its label and history.
    Column("missing_from", ForeignKey("datasets.id", ondelete="CASCADE"), index=True),
    Column("position", Integer),  # 0-based; the order of the images, which can change; None: it is missing
    Column("image_id", String, nullable=False),  # as in the command line; it changes if a source is added
    Column("path", PathText, nullable=False),
    Column("shown_path", String, nullable=False),  # relative to the root
    Column("label_before", String),  # label of the user's folder or table
    Column("label", String),  # current label
    Column("group", String),
    Column("domain", String, nullable=False),
    Column("predefined_split", String),
    Column("plan", JSON(none_as_null=True)),  # the pixels of the file; None: the whole first plane
    Column("about", JSON(none_as_null=True)),  # names and cells of further table columns; None: there are none
    Column("problem", String),  # unreadable, duplicate, conflicting
    # Excluded in the app: shown, but neither counted nor used in training.
    Column("is_excluded", Boolean, nullable=False, default=False),
    Column("pixel_hash", String),
    Column("width_px", Integer),
    Column("height_px", Integer),
    Column("version", String, nullable=False),  # changes when the file does, or how it is read
    # The hash of its files and of what its row of a table states of them, as they were read last; None: never.
    Column("content", String),
    # The content that users said something about, if its file was overwritten; None: what they said holds.
    Column("content_before", String),
    Column("file_state", String),  # size, times and inode of its file when it was read last; None: unknown
    # Each index also contains the row_id, as SQLite's row number.
    Index("images_by_position", "dataset_id", "position", unique=True),
    Index("images_by_id", "dataset_id", "image_id"),
    Index("images_by_label", "dataset_id", "label", "position"),
    Index("images_by_group", "dataset_id", "group", "position"),
    Index("images_by_pixels", "dataset_id", "pixel_hash"),
    Index("images_by_problem", "dataset_id", "problem", "position"),
    sqlite_autoincrement=True,  # a row_id is not used again after its image was removed
)

# Separate from images, so that galleries and counts of 100,000 images read few bytes for each.
image_facts = Table(
    "image_facts",
    metadata,
    Column("row_id", ForeignKey("images.row_id", ondelete="CASCADE"), primary_key=True),
    Column("facts", JSON(none_as_null=True)),  # of the decoded image; None if unreadable
    Column("reason", MessageText),  # why it is unreadable
)

# The colors that a gallery shows until the thumbnails are loaded.
image_colors = Table(
    "image_colors",
    metadata,
    Column("row_id", ForeignKey("images.row_id", ondelete="CASCADE"), primary_key=True),
    Column("color", BigInteger, nullable=False),  # red, green, blue, shape: a byte each
)

# What users changed and can undo: each request that changes labels, exclusions, answers, decisions or joined images.
changes = Table(
    "changes",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    # None: the change was of a prediction whose dataset does not exist.
    Column("dataset_id", ForeignKey("datasets.id", ondelete="CASCADE"), index=True),
    Column("job_id", String),  # the training, evaluation or prediction of the change; None: pages of the dataset
    Column("made", String, nullable=False),  # ISO 8601, UTC
    Column("made_by", String, nullable=False),  # the author of the request, else its user
    sqlite_autoincrement=True,  # the ID of a change is not used again after it was removed
)

# What each change changed, as texts before and after it. A row counts as undone by itself, because an undo leaves what
# was changed again since.
changed_rows = Table(
    "changed_rows",
    metadata,
    Column("change_id", ForeignKey("changes.id", ondelete="CASCADE"), primary_key=True),
    Column("field", String, primary_key=True),  # a `ChangedField` of `change_log`
    Column("row_id", Integer, primary_key=True),  # of the image; of answers, the first row of the image in the job
    Column("before", String),
    Column("after", String),
    Column("made_by", String),  # of labels of a spot check, who saw the image; None: the author of the change
    Column("is_undone", Boolean, nullable=False),
    Index("changed_rows_by_row", "field", "row_id"),
    sqlite_with_rowid=False,
)

# Confirmed labels. A confirmation is valid while the image has this label.
confirmed_labels = Table(
    "confirmed_labels",
    metadata,
    Column("dataset_id", ForeignKey("datasets.id", ondelete="CASCADE"), primary_key=True),
    Column("row_id", ForeignKey("images.row_id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("label", String, nullable=False),
    Column("made", String, nullable=False),  # ISO 8601, UTC
    Column("made_by", String, nullable=False),  # the author of the request, else its user
)

# Images of the test set that the app chose; they are never suggested for labeling.
reserved_images = Table(
    "reserved_images",
    metadata,
    Column("dataset_id", ForeignKey("datasets.id", ondelete="CASCADE"), primary_key=True),
    Column("row_id", ForeignKey("images.row_id", ondelete="CASCADE"), primary_key=True, index=True),
    sqlite_with_rowid=False,
)

# Where the features of the images are cached, by which live predicts those without a label. No row: live is off.
live_features = Table(
    "live_features",
    metadata,
    Column("dataset_id", ForeignKey("datasets.id", ondelete="CASCADE"), primary_key=True),
    Column("made_by", JSON, nullable=False),  # the settings of the features, which identify them in the cache
    Column("n_features", Integer, nullable=False),  # of an image
    Column("created", String, nullable=False),  # ISO 8601, UTC
)

# Decisions about images whose readings differ. The decision is the label of the dataset.
adjudications = Table(
    "adjudications",
    metadata,
    Column("dataset_id", ForeignKey("datasets.id", ondelete="CASCADE"), primary_key=True),
    Column("row_id", ForeignKey("images.row_id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("label", String, nullable=False),
    Column("made", String, nullable=False),  # ISO 8601, UTC
    Column("made_by", String, nullable=False),  # the author of the request, else the user account of the app
    sqlite_with_rowid=False,
)

# The map of the images of a dataset.
dataset_maps = Table(
    "dataset_maps",
    metadata,
    Column("dataset_id", ForeignKey("datasets.id", ondelete="CASCADE"), primary_key=True),
    Column("n", Integer, nullable=False),
    # Of all images, little-endian: row_id (uint32), x and y from 0 to 1 (float32 each), cluster from 0 (uint16).
    Column("columns", LargeBinary, nullable=False),
    Column("created", String, nullable=False),  # ISO 8601, UTC
)

uploads = Table(
    "uploads",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("is_labeled", Boolean, nullable=False),
    Column("n_files", Integer, nullable=False),
    Column("n_bytes", Integer, nullable=False),
    Column("has_folders", Boolean, nullable=False),
    Column("max_files", Integer, nullable=False),
    Column("max_bytes", Integer, nullable=False),
    Column("dataset_id", String),  # the dataset that it became
    Column("created", String, nullable=False),  # ISO 8601, UTC
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", String, primary_key=True),
    Column("kind", String, nullable=False),  # the name of a `JobKind`
    # What it computes, and its version. None: its files are its result, and it outlives the server.
    Column("key", String),
    Column("name", String, nullable=False),
    Column("dataset_id", String),  # it may have been removed since then
    Column("dataset_name", String, nullable=False),
    Column("classifier_id", String),  # of evaluations and predictions
    Column("repeats_run", String),  # the training that this one repeats
    Column("study_id", String),  # the study of this training
    Column("folder", PathText, nullable=False),  # of an import, its file
    # Arguments after the interpreter; empty: an import, without a process.
    Column("command", PathsJson, nullable=False),
    Column("choices", PathsJson, nullable=False),  # the requested recipe, or the sources
    Column("state", String, nullable=False),  # queued, started, ended, removed; further states are read from the folder
    Column("queued", Float),  # seconds since 1970; determines the order
    Column("launched", Float),  # start of its process, which may have died before it wrote a status
    Column("pid", Integer),
    Column("process_started", Float),  # distinguishes a process from a later one with the same PID
    Column("stop_requested", Float),
    Column("created", String, nullable=False),
    Column("made_by", String, nullable=False),  # the user of the request; empty: unknown
    Column("image_keys", PathText),  # the file with the row_ids of its images; None: they are in no dataset
)

# The images that jobs have measured or predicted: the rows of `predictions.csv` in their folders.
results = Table(
    "results",
    metadata,
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("row_id", Integer, primary_key=True),  # the permanent number of the row in its job, from 0
    Column("first_row", Integer),  # of the first row of the same image, if there is an earlier one
    # The image in the dataset of the job; None: the job has no dataset, or the image is not in it any more.
    Column("image", ForeignKey("images.row_id", ondelete="SET NULL"), index=True),
    Column("image_id", String, nullable=False),  # as in the table
    Column("path", String),  # as in the table of a measurement; None: that of the file
    Column("file", PathText),  # None: it was missing when the row was read
    Column("content", String),  # the hash of the files that the classifier read; None: unknown
    Column("file_state", String),  # of these files when they were last known to be the same; None: unknown
    Column("plan", String, nullable=False),  # the pixels that the classifier read, as JSON
    Column("group", String),
    Column("label", String),  # at the request of the job
    Column("predicted", String),
    Column("decision", String, nullable=False),
    Column("probability", Float),
    Column("probabilities", String, nullable=False),  # of the classes of the job, as JSON
    Column("reason", MessageText),
    Column("warning", MessageText),
    Column("ood_score", Float),
    Column("prediction_set", String),  # as JSON
    Column("about", String),  # further columns of the tables that name the images, as JSON; None: there are none
    Index("results_by_probability", "job_id", "probability"),
    Index("results_by_decision", "job_id", "decision", "probability"),
    Index("results_by_cell", "job_id", "label", "predicted", "probability"),
    Index("results_by_first_row", "job_id", "first_row", sqlite_where=text("first_row IS NOT NULL")),
    sqlite_with_rowid=False,
)

# How much of the table of a job is in `results`.
result_tables = Table(
    "result_tables",
    metadata,
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("version", String, nullable=False),  # changes if the table is replaced, not if rows are added
    Column("n_bytes", Integer, nullable=False),
    Column("n_rows", Integer, nullable=False),
    Column("classes", JSON, nullable=False),
    Column("columns", JSON, nullable=False),  # further columns, of the tables that name the images
)

corrections = Table(
    "corrections",
    metadata,
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("row_id", Integer, primary_key=True),  # of the prediction, from 0
    Column("label", String, nullable=False),  # the class of the image; if excluded: the reason
    Column("made", String, nullable=False),
    Column("made_by", String, nullable=False),  # the author of the request, else its user
    Column("is_excluded", Boolean, nullable=False),  # from training images
    # Whether it is a label of the spot check that was applied as a correction.
    Column("is_of_spot_check", Boolean, nullable=False),
)

# Images of a dataset or a prediction that were drawn at random, to be labeled without their labels and predictions.
draws = Table(
    "draws",
    metadata,
    Column("list_id", String, primary_key=True),  # of the dataset or the prediction
    Column("rows", JSON, nullable=False),  # their numbers in the list, in random order
    Column("n", Integer, nullable=False),  # requested images; of a prediction, of each condition
    Column("sampling", JSON(none_as_null=True)),  # samples and conditions at that time; None: a dataset
    Column("seed", Integer, nullable=False),
    Column("made", String, nullable=False),  # ISO 8601, UTC
    Column("made_by", String, nullable=False),  # the author of the request, else its user
)

# Labels by readers who did not see the label or prediction of the image, and the labels of a dataset at the draw, with
# which they are compared (first labels). Imported readings are also of images that were not drawn.
blind_labels = Table(
    "blind_labels",
    metadata,
    Column("list_id", ForeignKey("draws.list_id", ondelete="CASCADE"), primary_key=True),
    Column("row_id", Integer, primary_key=True),  # in the list
    Column("is_first", Boolean, primary_key=True),
    Column("made_by", String, primary_key=True),  # the reader; empty: unknown, or a first label of a folder or table
    Column("label", String, nullable=False),  # the class of the image; if excluded: the reason
    Column("is_excluded", Boolean, nullable=False),
    Column("made", String, nullable=False),  # ISO 8601, UTC; empty: unknown
    sqlite_with_rowid=False,
)
