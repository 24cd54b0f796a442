"""Comparison of new images with the training images: differences, and stated or estimated class proportions.

Images that are listed several times: each is computed once, and has a row each time that it is listed.
"""

from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from coverslip.datasets.index.records import UNCERTAIN, UNFAMILIAR, ImageRecord, first_positions
from coverslip.datasets.names import natural_key, one_line
from coverslip.errors import BadDataset, CoverslipError, UnreadableImage
from coverslip.evaluation.ood import more_than_expected
from coverslip.evaluation.prevalence import chance_of_shares
from coverslip.evaluation.results import Metric
from coverslip.images.preprocessing import (
    PreprocessedImage,
    Preprocessing,
    are_numbers,
    channel_order,
    normalized_names,
)
from coverslip.images.reader import PIXEL_KEYS, ReadPlan, pixel_side
from coverslip.inference.summarising import SampleImages, proportions_of_images, why_not_corrected
from coverslip.messages import Message, Note, Rescale, Set, joined, message, note
from coverslip.runs.classifier import FIELD_FACTOR, ClassifierCard
from coverslip.runs.error_rates import error_rates
from coverslip.runs.folder import Run, is_run
from coverslip.runs.images import images_of
from coverslip.runs.predictions import Prediction
from coverslip.runs.status import OtherPixels

_SIZE_FACTOR = 2.0  # warning for images smaller or larger than all training images by this factor
_BY_CHANCE = 0.01  # warning for results that are less probable than this by chance
_FIELD = "field of view"  # the kind of difference of images that may be whole fields
_PIXEL_SIZE = "pixel size"
_OF_RECORD = ("image_id", "label", "field", "object_id", "sample", "about")  # that rows of an image need not share

Pair = tuple[Prediction, PreprocessedImage | UnreadableImage | None]  # None: an earlier row has the image


class Differences:
    """Counts images that differ from the training images, for one note per kind of difference."""

    def __init__(self, card: ClassifierCard) -> None:
        self._trained_on, self._preprocessing = card.trained_on, card.preprocessing
        size = card.trained_on.pixel_size_um
        self._trained_um = None if size is None else pixel_side(size)
        self._other_pixel_size: tuple[str, float] | None = None  # image_id and µm per pixel of the first such image
        self._n_rescaled = self._n_without_pixel_size = self._n_reordered = 0
        self._counts: Counter[Message | str] = Counter()
        self._reading_notes = Counter[Message]()  # of images that were read in an unusual way
        self._odd_size: tuple[str, str] | None = None  # width and height of the first image of unusual size
        self._ood = card.ood
        self._n_judged = self._n_unfamiliar = 0

    def count(self, record: ImageRecord, image: PreprocessedImage) -> Message | None:
        """Count the differences of an image and return their description, or None."""
        if image.note:
            self._reading_notes[image.note] += 1
        differences = list(self._differences_of(record, image))
        self._counts.update(difference for difference, _ in differences)
        warnings = [*self._pixel_size_warnings(record, image), *(warning for _, warning in differences)]
        if image.is_reordered:
            self._n_reordered += 1
            warnings.append(message("channels-reordered", names=_listed(image.channel_names)))
        return joined(warnings)

    def _pixel_size_warnings(self, record: ImageRecord, image: PreprocessedImage) -> Iterator[Message]:
        """Count the pixel size of an image, and yield a warning if it differs or the image is rescaled."""
        if self._trained_um is None or record.plan.has_physical_size:
            return
        if image.pixel_size_um is None:
            self._n_without_pixel_size += 1
            return
        um = pixel_side(image.pixel_size_um)
        if image.is_rescaled:
            self._n_rescaled += 1
            yield message("image-rescaled", um=um, trained_um=self._trained_um)
        elif self._trained_on.has_other_pixel_size(image.pixel_size_um):
            self._other_pixel_size = self._other_pixel_size or (record.image_id, um)
            self._counts[_PIXEL_SIZE] += 1
            yield message("pixel-size-differs", um=um, trained_um=self._trained_um)

    def count_decided(self, row: Prediction) -> None:
        """Count a predicted image."""
        self._n_judged += row.ood_score is not None
        self._n_unfamiliar += row.decision == UNFAMILIAR

    def _differences_of(self, record: ImageRecord, image: PreprocessedImage) -> Iterator[tuple[Message | str, Message]]:
        """Yield each difference as a kind for counting, and as a warning for the image."""
        trained_on = self._trained_on
        if image.dtype not in trained_on.dtypes:
            trained = joined((message("bit-depth", dtype=dtype) for dtype in trained_on.dtypes), "either-message")
            difference = message("bit-depth-differs", depth=message("bit-depth", dtype=image.dtype), trained=trained)
            yield difference, difference
        if image.n_channels not in trained_on.channels:
            trained = joined((message("color-mode", n_channels=n) for n in trained_on.channels), "either-message")
            mode = message("color-mode", n_channels=image.n_channels)
            difference = message("channels-differ", channels=mode, trained=trained)
            yield difference, difference
        if record.plan.has_physical_size:
            return
        width, height = str(image.width_px), str(image.height_px)
        if record.plan.region is None and trained_on.is_field(image.width_px, image.height_px):
            n = image.width_px * image.height_px // trained_on.usual_area_px
            yield _FIELD, message("image-is-field", width=width, height=height, n_times=n)
        elif not (_is_near(image.width_px, trained_on.width_px) and _is_near(image.height_px, trained_on.height_px)):
            low, high = (f"{trained_on.width_px[i]} x {trained_on.height_px[i]}" for i in (0, 1))
            trained = message("size-of-training-images", low=low, high=high, is_range=low != high)
            self._odd_size = self._odd_size or (width, height)
            first_width, first_height = self._odd_size
            yield (
                message("sizes-differ", width=first_width, height=first_height, trained=trained),
                message("size-differs", width=width, height=height, trained=trained),
            )
        if self._preprocessing.is_too_large(image.width_px, image.height_px):
            difference = message("larger-than-canvas", canvas_px=self._preprocessing.canvas_px)
            yield difference, difference

    def notes(self) -> list[Note]:
        """Return a note per kind of difference, then the notes on the reading of images."""
        reading_notes = [
            note("unusual-images", n_images=n, observation=observation)
            for observation, n in self._reading_notes.most_common()
        ]
        return [
            *self._unfamiliar(),
            *(self._note(difference, n) for difference, n in self._counts.most_common()),
            *self._on_pixel_sizes(),
            *([note("reordered-channels", level="warning", n_images=self._n_reordered)] if self._n_reordered else ()),
            *reading_notes,
        ]

    def _note(self, difference: Message | str, n: int) -> Note:
        if difference == _FIELD:
            return note("field-of-view", level="warning", n_images=n, factor=FIELD_FACTOR)
        if difference == _PIXEL_SIZE and self._other_pixel_size is not None:
            image_id, um = self._other_pixel_size
            size = {"image": one_line(image_id, 80), "um": um, "trained_um": self._trained_um}
            return note("other-pixel-size", level="warning", remedies=(Rescale(),), n_images=n, **size)
        return note("unlike-training", level="warning", n_images=n, difference=difference)

    def _on_pixel_sizes(self) -> Iterator[Note]:
        """Yield notes on images that were rescaled, and on images without a known pixel size."""
        if self._n_rescaled:
            yield note("rescaled-images", n_images=self._n_rescaled, trained_um=self._trained_um)
        if self._n_without_pixel_size:
            yield note("no-pixel-size", n_images=self._n_without_pixel_size, trained_um=self._trained_um)

    def _unfamiliar(self) -> Iterator[Note]:
        """Yield a note if more images are unfamiliar than expected by chance for images like the training images."""
        threshold, n, n_judged = self._ood, self._n_unfamiliar, self._n_judged
        if threshold is None or not n:
            return
        if more_than_expected(n, n_judged, threshold.n_beyond, threshold.n) > _BY_CHANCE:
            return
        expected = n_judged * (threshold.n_beyond + 1) / (threshold.n + 1)
        yield note(
            "unfamiliar-images",
            level="warning",
            n_images=n,
            n_predicted=n_judged,
            n_expected=round(expected, 1),
        )


def _is_near(size: int, range_of_training: tuple[int, int]) -> bool:
    low, high = range_of_training
    return low / _SIZE_FACTOR <= size <= high * _SIZE_FACTOR


def refuse_other_channels(record: ImageRecord, names: Sequence[str], preprocessing: Preprocessing) -> None:
    """Check that the channels of an image have the names of those of the training, unless its channels were chosen.

    The same names in another order are right if all channels are read, which are then reordered. Names that only count
    the channels, such as `Channel 1` and `Channel 2`, differ from others only by their order.

    Args:
        record: the image.
        names: of its channels as read; nothing if its file names none.
        preprocessing: of the classifier, with the names of the channels of the training images.

    Raises:
        BadDataset: the names differ, which says how to choose the channels.
    """
    is_chosen = "channels" in record.stated or record.plan.channels != preprocessing.plan.channels
    trained, plain = preprocessing.channel_names, normalized_names(names)
    if is_chosen or not names or not trained or plain in map(normalized_names, trained):
        return
    order = channel_order(names, trained)
    if order is not None and record.plan.channels is None:
        return
    if order is None and any(are_numbers(normalized_names(each)) for each in (names, *trained)):
        return
    choice = list(names) if order is None else [names[k] for k in order]
    raise BadDataset(
        "other-channel-names",
        file=record.path,
        remedies=(Set("images.channels", choice),),
        names=_listed(names),
        trained=_listed(trained[0]),
    )


def _listed(names: Sequence[str]) -> str:
    return one_line(", ".join(names), 200)


def other_pixels(
    plans: Iterable[ReadPlan], trained: Iterable[ReadPlan], names: Sequence[Sequence[str]] = ()
) -> tuple[OtherPixels, ...]:
    """Return the differences between the pixels of files that are read and those that were read in training.

    If several planes, for example, were read in training, as tables of objects state them, they are no choice. Then
    only images that have none of them in common with the training differ.

    Args:
        plans: of the images.
        trained: of the training images.
        names: of the channels of the training images. Channels that are chosen by these names are those of the
            training.
    """
    of_images, of_training = _cells_of(plans, names), _cells_of(trained)
    differences = []
    for key, cells in of_images.items():
        trained_cells = of_training[key]
        if (
            cells
            and trained_cells
            and (cells - trained_cells if len(trained_cells) == 1 else cells.isdisjoint(trained_cells))
        ):
            values, trained_values = (tuple(sorted(each, key=natural_key)) for each in (cells, trained_cells))
            differences.append(OtherPixels(key=key, values=values, trained=trained_values))
    return tuple(differences)


def _cells_of(plans: Iterable[ReadPlan], names: Sequence[Sequence[str]] = ()) -> dict[str, set[str]]:
    cells: dict[str, set[str]] = {key: set() for key in PIXEL_KEYS}
    trained_names = set(map(normalized_names, names))
    for plan in plans:
        for key in PIXEL_KEYS:
            if key == "series" and plan.region is not None:
                continue  # each series is a field with its objects
            if key != "channels" or normalized_names(tuple(map(str, plan.channels or ()))) not in trained_names:
                cells[key].add(plan.cell(key))
    return cells


def plans_of_training(run: Run, card: ClassifierCard) -> list[ReadPlan]:
    """Return the plans of the training images, as a table states planes of each.

    If the images were removed, return the plan that all had alike; without a run, that of the classifier.

    Args:
        run: the run of the classifier, or any other folder.
        card: of the classifier.
    """
    plans: list[ReadPlan] = []
    if is_run(run.folder):
        with suppress(CoverslipError, OSError):
            plans = [run.training_hashes.plan]
        with suppress(CoverslipError, OSError):  # images of the training were removed
            if not all(Path(source).is_dir() for source in run.environment.opened.sources):  # folders state no planes
                plans = [record.plan for record in images_of(run).records]
    return plans or [card.preprocessing.plan]


def note_on_pixels(differences: Sequence[OtherPixels]) -> Note | None:
    """Return the note on differences between the pixels that are read and those of the training, or None."""
    if not differences:
        return None
    listed = joined(each.difference for each in differences)
    return note("other-pixels", level="warning", keys=len(differences), differences=listed)


_MIN_REST = 1e-6
_MAX_IMAGES = 20_000  # a random selection, so that memory does not grow with the number of images
_SEED = 0  # of this selection
_MAX_NAMED = 4  # classes in a note
_MAX_LISTED = 12  # classes in an error


def stated_shares(card: ClassifierCard, prevalence: Mapping[str, float]) -> tuple[float, ...]:
    """Return (K,) proportions of all classes. Classes without a stated proportion divide the rest as in training.

    Raises:
        CoverslipError: a class does not exist, or the proportions do not fit into 1.
    """
    if unknown := [name for name in prevalence if name not in card.classes]:
        raise CoverslipError(
            "unknown-class-of-prevalence", name=unknown[0], classes=", ".join(card.classes[:_MAX_LISTED])
        )
    if bad := [name for name, share in prevalence.items() if not 0 < share < 1]:
        raise CoverslipError("prevalence-out-of-range", name=bad[0])
    rest, are_all_named = 1 - sum(prevalence.values()), len(prevalence) == len(card.classes)
    if rest < _MIN_REST if not are_all_named else abs(rest) > 1e-3:
        raise CoverslipError("prevalence-not-one" if are_all_named else "prevalence-leaves-nothing")
    unstated = sum(p for name, p in zip(card.classes, card.prior, strict=True) if name not in prevalence)
    return tuple(
        prevalence.get(name, rest * p / unstated if unstated else p)
        for name, p in zip(card.classes, card.prior, strict=True)
    )


def note_on_thresholds(card: ClassifierCard) -> Note | None:
    """Return the note that stated class proportions disable the thresholds; None if the classifier has none."""
    if card.operating_points is None:
        return None
    thresholds = dict(zip(card.classes, card.operating_points, strict=True))
    return note("thresholds-set-aside", thresholds=thresholds)


class EstimatedShares:
    """Estimates the class proportions among predicted images, which are those of one sample in `summarise`.

    The test of their difference uses a random selection of many images. Any image is selected with the same
    probability, whatever their order (Vitter 1985, Random Sampling with a Reservoir).

    Args:
        card: of the classifier, with the proportions that its probabilities assume.
        run: of the classifier; any other folder: its errors are not known.
        is_adapted: whether probabilities and decisions are those for stated proportions.
    """

    def __init__(self, card: ClassifierCard, run: Run, *, is_adapted: bool = False) -> None:
        self._card, self._is_adapted = card, is_adapted
        is_known = is_run(run.folder) and run.is_measured and run.predictions_file.is_file()
        self._rates = error_rates(run, card.classes) if is_known else None
        self._number_of = {name: k for k, name in enumerate(card.classes)}
        self._sums = np.zeros(len(card.classes))
        self._decisions = Counter[str]()
        self._probabilities: list[tuple[float, ...]] = []
        self._generator = np.random.default_rng(_SEED)
        self._n = 0

    def add(self, row: Prediction) -> None:
        """Count a predicted image."""
        if not row.probabilities:
            return
        self._n += 1
        if self._n <= _MAX_IMAGES:
            self._probabilities.append(row.probabilities)
        elif (position := int(self._generator.integers(self._n))) < _MAX_IMAGES:
            self._probabilities[position] = row.probabilities
        self._decisions[row.decision] += 1
        if row.decision in (UNCERTAIN, UNFAMILIAR):
            self._sums += np.array(row.probabilities) / sum(row.probabilities)
        else:
            self._sums[self._number_of[row.predicted or ""]] += 1

    def by_class(self) -> dict[str, Metric]:
        """Return the proportion of each class with its interval, or the reason why there is none."""
        classes = self._card.classes
        reason = message("shares-of-stated-proportions") if self._is_adapted else None
        if not self._n:
            reason = message("summary-sample-without-images")
        reason = reason or why_not_corrected(self._rates, self._n, self._decisions[UNFAMILIAR])
        if reason:
            return dict.fromkeys(classes, Metric(value=None, reason=reason))
        images = SampleImages(self._sums, self._n, self._decisions)
        proportions = proportions_of_images(images, classes, self._rates)
        return {name: proportions.classes[name].shown for name in classes}

    def note(self) -> Note | None:
        """Return the note that proportions differ significantly from those that the probabilities assume, or None."""
        shares = self.by_class()
        priors = dict(zip(self._card.classes, self._card.prior, strict=True))
        differing = [
            (abs(share.value - priors[name]), name, share)
            for name, share in shares.items()
            if share.value is not None and not (share.low or 0) <= priors[name] <= (share.high or 0)
        ]
        if not differing or chance_of_shares(self._all_probabilities, self._card.prior) > _BY_CHANCE:
            return None
        largest = sorted(differing, reverse=True, key=lambda each: each[:2])[:_MAX_NAMED]
        proportions = [
            message(
                "class-proportion",
                name=one_line(name),
                value=share.value,
                low=share.low,
                high=share.high,
                assumed=priors[name],
            )
            for _, name, share in largest
        ]
        values = {name: share.value for _, name, share in largest}
        return note("other-prevalence", proportions=joined(proportions), values=values)

    @property
    def _all_probabilities(self) -> np.ndarray:
        """The (n, K) probabilities."""
        return np.array(self._probabilities, dtype=np.float64).reshape(-1, len(self._card.classes))


class DistinctImages:
    """The distinct images of a list, of which any may be listed again.

    Args:
        records: the list.
    """

    def __init__(self, records: Sequence[ImageRecord]) -> None:
        self._all, self._first = records, first_positions(records)
        is_first = self._first == np.arange(len(records))
        self.positions: list[int] = np.flatnonzero(is_first).tolist()  # of `self.records` in the list
        self.records = records if is_first.all() else tuple(records[k] for k in self.positions)
        self._n_later = Counter(self._first[~is_first].tolist())  # further rows, by position of the first one

    def every_row(self, pairs: Iterator[Pair]) -> Generator[Pair]:
        """Yield a row for each listed image, in their order.

        Args:
            pairs: the rows of `records`.
        """
        rows: dict[int, Prediction] = {}  # that further images need
        listed = zip(self._all, self._first.tolist(), strict=True) if self._n_later else ()
        for k, (record, first) in enumerate(listed):
            if first == k:
                row, image = next(pairs)
                if self._n_later[k]:
                    rows[k] = row
                yield row, image
            else:
                self._n_later[first] -= 1
                row = rows[first] if self._n_later[first] else rows.pop(first)
                of_record = {name: getattr(record, name) for name in _OF_RECORD}
                yield replace(row, **of_record, repeats=row.image_id), None
        yield from pairs  # all, if none is listed again; else this only ends the iterator
