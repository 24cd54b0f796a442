"""Suggest images to label next, as a table: `coverslip suggest` and `cs.suggest`."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from coverslip.audit.live import LiveFit, Suggestion, open_live, open_pool, row_slices
from coverslip.audit.selecting import reserved
from coverslip.datasets.index.opening import ImageSource
from coverslip.datasets.index.records import Dataset
from coverslip.errors import BadDataset, CoverslipError
from coverslip.events import Emit, show
from coverslip.files import check_replaceable
from coverslip.inference import load_classifier
from coverslip.notebooks import html_table
from coverslip.runs.documents import write_table
from coverslip.runs.folder import Run, open_run

SUGGESTION_COLUMNS = ("rank", "image_id", "path", "score", "reason")


@dataclass(frozen=True, slots=True)
class Suggestions:
    """Images to label, the most useful first, and the images that are reserved as test set."""

    suggestions: tuple[Suggestion, ...]
    reserved_test: tuple[str, ...]  # image_ids
    n_labeled: int  # images with a label, without reserved ones
    n_reserved_labeled: int
    n_unlabeled: int  # images without a label, without reserved ones

    def __repr__(self) -> str:
        """Return the number of images to label, and of those that have a label."""
        n, n_reserved = len(self.suggestions), len(self.reserved_test)
        of = f"{n:,} of {self.n_unlabeled:,} images without a label, {self.n_labeled:,} with a label"
        return f"Suggestions({of}; test set: {self.n_reserved_labeled:,} of {n_reserved:,} images with a label)"

    def _repr_html_(self) -> str:
        """Return the suggested images, for notebooks."""
        rows = [(each.rank, each.path, each.score, each.reason.english) for each in self.suggestions]
        return html_table(repr(self), ("rank", "path", "score", "reason"), rows)


def suggest(
    data: Dataset | ImageSource,
    *,
    run: Run | Path | str | None = None,
    n: int = 20,
    out: Path | str | None = None,
    group: str | None = None,
    group_pattern: str | None = None,
    device: str = "auto",
    emit: Emit = show,
) -> Suggestions:
    """Suggest images to label next, the most useful first.

    A random fifth of the images, or of their groups, is reserved as test set and never suggested. It depends on names
    only, so it stays the same while images are labeled or added. Images of the set `test` of a folder or table, or of
    the test set of the run, are reserved too; their training and validation images are not.

    Args:
        data: images of which some, or none, have a label.
        run: the run of a classifier, whose features and probabilities are used; None: pretrained features, and a
            linear probe on the images with a label, as of `live`.
        n: number of images to suggest.
        out: a CSV table of the suggestions, which replaces an earlier one, but no other file.
        group, group_pattern: as of `open_dataset`.
        device: the device of the network, as of `load_classifier`.
        emit: receives progress.

    Raises:
        BadDataset: there are no images, or no image without a label.
        CoverslipError: `n` is below 1, or `out` is another file.
        Stopped: on request; features that were computed stay in the cache.

    Examples:
        >>> suggested = cs.suggest("new/", n=2, device="cpu")
        >>> [each.rank for each in suggested.suggestions]
        [1, 2]
    """
    if n < 1:
        raise CoverslipError("no-number-of-suggestions", n=n)
    if out is not None:
        check_replaceable(Path(out), ",".join(SUGGESTION_COLUMNS).encode())  # before minutes of work
    opened = None if run is None else run if isinstance(run, Run) else open_run(run)
    dataset = open_pool(data, group, group_pattern)
    is_test = reserved(dataset, opened)
    if all(test or record.label is not None for record, test in zip(dataset.records, is_test, strict=True)):
        raise BadDataset("no-image-to-suggest", n_reserved=int(is_test.sum()))
    with open_live(dataset, is_test, run=opened, device=device, emit=emit) as live:
        by_run = None
        if opened is not None:
            classifier = load_classifier(opened, "cpu")
            features = live.images.features
            parts = [classifier.probabilities_of(features[rows]) for rows in row_slices(features)]
            logits = np.log(np.maximum(np.concatenate(parts), np.finfo(np.float32).tiny)).astype(np.float32)
            by_run = LiveFit(tuple(classifier.classes), logits)
        suggestions = live.suggest(n, by=by_run)
        are_labeled = np.array([label is not None for label in live.labels], bool)
        n_labeled, n_unlabeled = (int((each & ~live.is_test).sum()) for each in (are_labeled, ~are_labeled))
    if not suggestions:
        raise BadDataset("no-readable-image-to-suggest")
    if out is not None:
        write_table(
            Path(out),
            SUGGESTION_COLUMNS,
            (
                {
                    "rank": s.rank,
                    "image_id": s.image_id,
                    "path": s.path,
                    "score": f"{s.score:.6f}",
                    "reason": s.reason.english,
                }
                for s in suggestions
            ),
        )
    reserved_records = [record for record, test in zip(dataset.records, is_test, strict=True) if test]
    return Suggestions(
        suggestions=tuple(suggestions),
        reserved_test=tuple(record.image_id for record in reserved_records),
        n_labeled=n_labeled,
        n_reserved_labeled=sum(dataset.has_class(record) for record in reserved_records),
        n_unlabeled=n_unlabeled,
    )
