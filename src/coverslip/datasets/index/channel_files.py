"""Images with each channel in a separate file, recognized by names: `a_w1.tif` and `a_w2.tif` are one image."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from coverslip.datasets.index.records import Dataset, ImageRecord
from coverslip.datasets.names import one_line
from coverslip.images import MAX_CHANNEL_FILES, ReadPlan
from coverslip.messages import Note, note

# Marks that acquisition programs write: _w1, _w2DAPI, _ch00, _C0, -ch1, _channel1.
_USUAL_MARK = re.compile(
    r"[_\-. ](?:w|ch|c|chan|channel)_?\d{1,2}(?:[A-Za-z][A-Za-z0-9]*)?(?![A-Za-z0-9])", re.IGNORECASE
)
_LEAST_SHARE = 0.8  # of images that have all their files, for marks to count as those of channels


def with_plan(data: Dataset, plan: ReadPlan) -> Dataset:
    """Return the same images with another plan. If it names channel files, the files of an image are joined."""
    return with_channel_files(data, plan).read_with(plan)


def with_channel_files(data: Dataset, plan: ReadPlan) -> Dataset:
    """Return the images of a dataset with the files that are channels of one image joined, and notes about it.

    An image takes the position of its first file. It is named after the file of its first channel, and has the label,
    group and set of that file. Missing files are detected when the image is read. Files without any of the marks stay
    separate images, and so do images whose channels are already joined. A file that is listed again is in a further
    image.

    Args:
        data: images.
        plan: contains the marks of channel files, if there are any.
    """
    if plan.channel_files is None:
        return data
    joiner = _ChannelJoiner(plan.channel_files)
    records = joiner.records_of(data.records)
    return replace(data, records=tuple(records), notes=(*data.notes, *joiner.notes()))


class _ChannelJoiner:
    """Joins the channel files of each image, and counts cases for notes."""

    def __init__(self, marks: Sequence[str]) -> None:
        self._marks = marks
        longest_first = sorted(marks, key=len, reverse=True)
        self._any = re.compile(f"(?:{'|'.join(map(re.escape, longest_first))})(?![A-Za-z0-9])")
        self._n_files = self._n_images = self._n_different = 0
        self._ids_without_mark: list[str] = []

    def records_of(self, records: Iterable[ImageRecord]) -> list[ImageRecord]:
        """Return one record for each image."""
        images: list[list[tuple[int, ImageRecord]]] = []
        of_name: dict[object, list[tuple[int, ImageRecord]]] = {}
        n_listed: Counter[object] = Counter()  # times that a file is listed so far
        for record in records:
            mark = (
                None if record.in_memory is not None or record.plan.other_files else self._last_mark(record.path.name)
            )
            if mark is None:
                self._ids_without_mark += [] if record.plan.other_files else [record.image_id]
                images.append([(0, record)])
            else:
                name = _with_mark(record.path.name, mark, "")
                key = (record.path.parent, mark.start(), name, record.domain, record.plan)
                n_listed[key, mark.group()] += 1
                key_of_image = (*key, n_listed[key, mark.group()])
                if key_of_image not in of_name:
                    images.append(of_name.setdefault(key_of_image, []))
                of_name[key_of_image].append((self._marks.index(mark.group()), record))
        return [self._image(files) for files in images]

    def _image(self, files: list[tuple[int, ImageRecord]]) -> ImageRecord:
        channel, first = min(files, key=lambda file: file[0])
        mark = self._last_mark(first.path.name)
        if mark is None or first.plan.other_files or first.in_memory is not None:
            return first
        self._n_files += len(files)
        self._n_images += 1
        self._n_different += len({record.label for _, record in files}) > 1
        names = [_with_mark(first.path.name, mark, each) for each in self._marks]
        changed = replace(first, plan=first.plan.model_copy(update={"other_files": tuple(names[1:])}))
        if channel == 0:
            return changed
        identity = names[0].join(first.image_id.rsplit(first.path.name, 1))  # the first file does not exist
        group = identity if first.group == first.image_id else first.group
        return replace(changed, path=first.path.with_name(names[0]), image_id=identity, group=group)

    def _last_mark(self, name: str) -> re.Match[str] | None:
        return next(iter(reversed(list(self._any.finditer(name)))), None)

    def notes(self) -> list[Note]:
        """Return notes on the joined files, and on files that may not be joined as intended."""
        marks = ", ".join(f"'{one_line(mark, 40)}'" for mark in self._marks)
        notes = [note("channel-files", n_files=self._n_files, n_images=self._n_images, marks=marks)]
        if self._ids_without_mark:
            example = one_line(self._ids_without_mark[0], 80)
            notes.append(
                note("no-channel-mark", level="warning", n_images=len(self._ids_without_mark), example=example)
            )
        if self._n_different:
            notes.append(note("unlike-channel-labels", level="warning", n_images=self._n_different))
        return notes


@dataclass(frozen=True, slots=True)
class ChannelNames:
    """The marks in file names that seem to distinguish the channels of images."""

    marks: tuple[str, ...]  # in the order of channels
    n_files: int
    n_images: int
    example: tuple[str, ...]  # names of the files of one image


def channel_names(records: Sequence[ImageRecord]) -> ChannelNames | None:
    """Return the marks by which the files of most images differ, if all but a few names have one; else None."""
    marks_of: dict[tuple[Path, str], dict[str, str]] = defaultdict(dict)
    for record in records:
        if record.in_memory is None and not record.plan.other_files:
            last_mark = next(iter(reversed(list(_USUAL_MARK.finditer(record.path.name)))), None)
            if last_mark is not None:
                key = (record.path.parent, _with_mark(record.path.name, last_mark, "\0"))
                marks_of[key][last_mark.group()] = record.path.name
    if not marks_of:
        return None
    times = Counter(frozenset(marks) for marks in marks_of.values())
    marks, n_images = max(times.items(), key=lambda item: (item[1] * len(item[0]), sorted(item[0])))
    n_files = n_images * len(marks)
    if not 2 <= len(marks) <= MAX_CHANNEL_FILES or n_images < _LEAST_SHARE * len(marks_of):
        return None
    if n_files < _LEAST_SHARE * len(records):
        return None
    ordered = tuple(sorted(marks, key=lambda mark: [int(n) for n in re.findall(r"\d+", mark)]))
    example = next(names for names in marks_of.values() if names.keys() == marks)
    return ChannelNames(ordered, n_files, n_images, tuple(example[mark] for mark in ordered))


def _with_mark(name: str, mark: re.Match[str], replacement: str) -> str:
    return f"{name[: mark.start()]}{replacement}{name[mark.end() :]}"
