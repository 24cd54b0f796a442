"""Findings about what names of files and folders give away: groups, and files that are channels of one image."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from pydantic import JsonValue

from coverslip.datasets.index import Dataset, channel_names, one_line
from coverslip.datasets.quality.finding import Found
from coverslip.datasets.quality.name_groups import NameGroups, groups_in_names
from coverslip.datasets.quality.scanning import Scan
from coverslip.images import ImageFacts
from coverslip.messages import GroupBy, Set

_MOST_SHOWN = 5  # patterns
_LEAST_GREY = 0.8  # of images, for their files to be taken for channels


def hidden_groups(dataset: Dataset, scan: Scan) -> Iterator[Found]:
    """Images with related names share labels or looks beyond chance, and nobody named groups."""
    if dataset.has_groups:
        return
    telling = [groups for groups in groups_in_names(dataset, scan) if groups.is_telling]
    if confounded := [groups for groups in telling if groups.is_confounded]:
        yield _confounded(confounded)
    if usable := [groups for groups in telling if not groups.is_confounded]:
        yield _hidden(usable)


def _confounded(telling: Sequence[NameGroups]) -> Found:
    first = telling[0]
    example, where = one_line(first.example, 60), "File or folder names suggest"
    if first.column is not None:
        where = f"The column '{one_line(first.column, 60)}' suggests"
    same = f"each class lies in one of {first.n_groups:,} groups such as '{example}'"
    risk = "If they are patients, slides or batches, class and group cannot be told apart"
    return Found(
        text=f"{where} that {same}. {risk}, and the classifier may learn the group in place of the class.",
        do="Add images so that each class comes from several groups. Training cannot use these groups: no class could "
        "be in both training and test.",
        limit=f"{where} that {same}. {risk}: these results cannot show whether the classifier recognizes the class.",
        values=_values(telling),
    )


def _hidden(telling: Sequence[NameGroups]) -> Found:
    first = telling[0]
    what = "labels" if first.strength > first.looks else "size or brightness"
    groups = f"{first.n_groups:,} groups such as '{one_line(first.example, 60)}'"
    if first.column is None:
        where = f"File or folder names suggest {groups}. Patterns: {_patterns(telling[:_MOST_SHOWN])}."
    else:
        where = f"The column '{one_line(first.column, 60)}' suggests {groups}."
        if others := [f"'{one_line(each.column, 60)}' ({each.n_groups:,})" for each in telling[1:] if each.column]:
            where += f" Other columns: {', '.join(others[:_MOST_SHOWN])}."
    return Found(
        text=f"{where} Images of one group share {what} far more than expected by chance. They may come from one "
        "patient, slide or field.",
        do="Find out what the names mean. If they name patients, slides or fields, define groups; otherwise the "
        "results are too good.",
        remedies=(GroupBy(first.column),),
        limit=f"Images with related names (such as '{one_line(first.example, 60)}') share {what} far more than by "
        "chance, and no groups were named. If they come from one patient, slide or field, test images resemble "
        "training images, and the results here cannot be believed.",
        values=_values(telling),
    )


def _values(telling: Sequence[NameGroups]) -> dict[str, JsonValue]:
    first = telling[0]
    return {
        "pattern": first.pattern,
        "column": first.column,
        "p": first.p,
        "patterns": [asdict(groups) for groups in telling[:_MOST_SHOWN]],
    }


def _patterns(telling: Sequence[NameGroups]) -> str:
    """Patterns in single quotes, as a shell takes them, each with what it finds."""
    shown = (f"'{g.pattern}' ({g.n_groups:,} groups such as '{one_line(g.example, 60)}')" for g in telling if g.pattern)
    return ", ".join(shown)


def channel_files(dataset: Dataset, scan: Scan) -> Iterator[Found]:
    """Grey files that differ by the marks of channels in their names, each taken for an image."""
    names = channel_names(dataset.records)
    readable = [fact for fact in scan.facts if isinstance(fact, ImageFacts)]
    n_grey = sum(fact.n_channels == 1 for fact in readable)
    if names is None or n_grey < _LEAST_GREY * len(readable):
        return
    files = ", ".join(f"'{one_line(name, 60)}'" for name in names.example)
    yield Found(
        text=f"{names.n_files:,} files look like the channels of {names.n_images:,} images (such as {files}), but each "
        "is taken for an image of its own: channels of one image can then stand on both sides of a split.",
        do="If they are, take the files of an image as its channels.",
        remedies=(Set("channel_files", list(names.marks)),),
        limit="Files look like channels of the same images, but each was taken for an image; where they are, test "
        "images were partly seen in training.",
        values={"n_files": names.n_files, "n": names.n_images, "marks": list(names.marks)},
    )
