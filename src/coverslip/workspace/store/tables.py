"""The tables of the workspace. Labels and corrections live here alone; the rest can be rebuilt from folders."""

import os
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    TypeDecorator,
)

metadata = MetaData()


class PathText(TypeDecorator[str]):
    """A path as text; as bytes where its name is no UTF-8, which SQLite does not take as text."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> Any:  # Any: str or bytes
        """For SQLite."""
        if value is None or value.isascii():
            return value
        try:
            value.encode()
        except UnicodeEncodeError:
            return os.fsencode(value)
        return value

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:  # Any: str or bytes
        """From SQLite."""
        return os.fsdecode(value) if isinstance(value, bytes) else value


datasets = Table(
    "datasets",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("kind", String, nullable=False),  # folders, table, files, upload, samples
    Column("sources", JSON, nullable=False),  # path (absolute), domain (the name that it was given, or None)
    Column("is_labelled", Boolean, nullable=False),
    Column("group_column", String),
    Column("group_pattern", String),
    Column("class_names", JSON, nullable=False),  # in the order of their keys and colours; also ones without images
    Column("class_plan", JSON, nullable=False),  # merge, drop, rename, as in a recipe
    Column("opened", JSON),  # root, source, notes and origins, as they were found; None before images are there
    Column("summary", JSON, nullable=False),  # counts, kept in step with the images
    Column("revision", Integer, nullable=False),  # goes up when labels, groups or images change
    Column("state", String, nullable=False),  # reading, ready, failed
    Column("progress", JSON),  # done, total, seconds_left
    Column("error", JSON),
    Column("created", String, nullable=False),  # ISO 8601, UTC
    Column("forgotten", String),  # when; it can be had back for a while
)

# Apart from the datasets, whose rows are written at every label: it may be megabytes long.
inspections = Table(
    "inspections",
    metadata,
    Column("dataset_id", ForeignKey("datasets.id", ondelete="CASCADE"), primary_key=True),
    Column("revision", Integer, nullable=False),  # of the labels and groups that it tells of
    Column("found", JSON, nullable=False),
)

images = Table(
    "images",
    metadata,
    Column("dataset_id", ForeignKey("datasets.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),  # 0-based
    Column("image_id", String, nullable=False),
    Column("path", PathText, nullable=False),  # absolute
    Column("shown_path", String, nullable=False),  # below the root
    Column("label_before", String),  # as the user's folder or table says
    Column("label", String),  # as it is now
    Column("group", String),
    Column("domain", String, nullable=False),
    Column("predefined_split", String),
    Column("plan", JSON(none_as_null=True)),  # which pixels of the file; None: the whole first plane
    Column("about", JSON(none_as_null=True)),  # names and cells of its table's other columns; None: there are none
    Column("problem", String),  # unreadable, duplicate, conflicting
    Column(
        "is_excluded", Boolean, nullable=False, default=False
    ),  # in the app: shown, but neither counted nor trained on
    # The prediction among whose images it was excluded, or, after "change:", the change in the dataset's pages that
    # excluded or included it last and can be undone; None: no change can be undone.
    Column("excluded_by", String),
    Column("pixel_hash", String),
    Column("width_px", Integer),
    Column("height_px", Integer),
    Column("version", String, nullable=False),  # changes when the file does
    Index("images_by_id", "dataset_id", "image_id"),
    Index("images_by_label", "dataset_id", "label", "position"),
    Index("images_by_group", "dataset_id", "group", "position"),
    Index("images_by_pixels", "dataset_id", "pixel_hash", "label"),
    Index("images_by_problem", "dataset_id", "problem", "position"),
)

# Apart from the images, so that galleries and counts of 100,000 read few bytes for each.
image_facts = Table(
    "image_facts",
    metadata,
    Column("dataset_id", String, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("facts", JSON(none_as_null=True)),  # of the decoded image; None where unreadable
    Column("reason", String),  # why it is unreadable
    ForeignKeyConstraint(["dataset_id", "position"], ["images.dataset_id", "images.position"], ondelete="CASCADE"),
)

# What a gallery shows of images until their pictures come.
image_colours = Table(
    "image_colours",
    metadata,
    Column("dataset_id", String, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("colour", BigInteger, nullable=False),  # red, green, blue, shape: a byte each
    ForeignKeyConstraint(["dataset_id", "position"], ["images.dataset_id", "images.position"], ondelete="CASCADE"),
    sqlite_with_rowid=False,
)

label_changes = Table(
    "label_changes",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("dataset_id", ForeignKey("datasets.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("made", String, nullable=False),  # ISO 8601, UTC
    Column("is_undone", Boolean, nullable=False),
    Column("label", String),  # given to all of them
    Column("before", JSON, nullable=False),  # [[position, label before], …]
    Column("made_by", String, nullable=False),  # the account of this computer that the app runs as
    Column("job_id", String),  # the training, evaluation or prediction where it was seen; None: the dataset's gallery
)

# Labels that were given to images which lie in the dataset no more: they are given again to those that come back.
labels_aside = Table(
    "labels_aside",
    metadata,
    Column("dataset_id", ForeignKey("datasets.id", ondelete="CASCADE"), primary_key=True),
    Column("path", PathText, primary_key=True),  # absolute
    Column("plan", String, primary_key=True),  # which pixels of the file, as JSON
    Column("label", String),  # None: it was taken away
)

# Answers to suspected label errors. One holds while the image has the label that was confirmed.
confirmed_labels = Table(
    "confirmed_labels",
    metadata,
    Column("dataset_id", ForeignKey("datasets.id", ondelete="CASCADE"), primary_key=True),
    Column("image_id", String, primary_key=True),  # stays when the dataset is read again; positions do not
    Column("label", String, nullable=False),
    Column("made", String, nullable=False),  # ISO 8601, UTC
    Column("made_by", String, nullable=False),  # the account of this computer that the app runs as
)

uploads = Table(
    "uploads",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("is_labelled", Boolean, nullable=False),
    Column("n_files", Integer, nullable=False),
    Column("n_bytes", Integer, nullable=False),
    Column("has_folders", Boolean, nullable=False),
    Column("max_files", Integer, nullable=False),
    Column("max_bytes", Integer, nullable=False),
    Column("dataset_id", String),  # what it became
    Column("created", String, nullable=False),  # ISO 8601, UTC
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", String, primary_key=True),
    Column("kind", String, nullable=False),  # train, evaluate, predict, study
    Column("name", String, nullable=False),
    Column("dataset_id", String),  # it may have been forgotten since
    Column("dataset_name", String, nullable=False),
    Column("classifier_id", String),  # of evaluations and predictions
    Column("again_of", String),  # the training that this one does again
    Column("study_id", String),  # the study that this training is part of
    Column("folder", String, nullable=False),  # absolute
    Column("command", JSON, nullable=False),  # arguments after the interpreter
    Column("choices", JSON, nullable=False),  # what was asked for: the recipe, or the sources
    Column("state", String, nullable=False),  # queued, started, ended, removed; the rest is read from the folder
    Column("queued", Float),  # seconds since 1970: who comes next
    Column("launched", Float),  # when its process was begun, which may have died before it said anything
    Column("pid", Integer),
    Column("process_started", Float),  # tells a process from a later one of the same number
    Column("stop_asked", Float),
    Column("created", String, nullable=False),
)

# Files that were brought to predict with; classifiers that were trained here lie in their runs.
classifiers = Table(
    "classifiers",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("file", String, nullable=False),  # absolute
    Column("created", String, nullable=False),  # ISO 8601, UTC
    Column("removed", String),  # when; it can be had back for a while
)

corrections = Table(
    "corrections",
    metadata,
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("row", Integer, primary_key=True),  # 0-based
    Column("label", String, nullable=False),  # the class that the image shows; where excluded: the reason
    Column("made", String, nullable=False),
    Column("is_excluded", Boolean, nullable=False, server_default="0"),  # from training images
)
