"""Findings about groups: none, few, or such that a class goes with them."""

from collections.abc import Iterator

from coverslip.datasets.index import Dataset, counted, some
from coverslip.datasets.quality.facts import FEW_GROUPS_FOR_ONE_SPLIT, SOME_GROUPS, group_facts, single_groups
from coverslip.datasets.quality.finding import Found
from coverslip.datasets.quality.scanning import Scan
from coverslip.messages import GroupBy, Set

_FEWEST_GROUPS = 3  # of a class: one for each part
_LARGE_GROUP = 10  # images: a slide or patient rather than one field of view


def no_groups(dataset: Dataset, _: Scan) -> Iterator[Found]:
    """Nobody said which images belong together."""
    if not dataset.has_groups:
        yield Found(
            text="No groups are known. If several images come from one patient, slide or well, they stand in training "
            "and test, which flatters the numbers.",
            do="Say what belongs together, by a column of the table or a pattern in the names of files and folders.",
            remedies=(GroupBy(),),
        )


def classes_in_few_groups(dataset: Dataset, _: Scan) -> Iterator[Found]:
    """Classes that cannot be in every part."""
    groups = group_facts(dataset)
    scarce = [label for label, n in groups.groups_per_class.items() if n < _FEWEST_GROUPS] if groups else []
    if scarce:
        yield Found(
            text=f"{some(scarce)}: images from fewer than {_FEWEST_GROUPS} groups, so such a class cannot be in "
            "training, validation and test at once.",
            do="Add images of such a class from other groups, or leave it out.",
            values={"classes": list(scarce)},
        )


def confounded_groups(dataset: Dataset, _: Scan) -> Iterator[Found]:
    """Each class in one group: nothing tells a class from its group."""
    if groups := single_groups(dataset):
        yield Found(
            text=f"Each class lies in a single group ({some(groups, 3)}), so class and group cannot be told apart, and "
            "no class can be in both training and test.",
            do="Add images so that each class comes from several groups. Without them, train without groups: the "
            "classifier may then learn the group in place of the class, and the results cannot show it.",
            values={"groups": list(groups)},
        )


def few_groups(dataset: Dataset, _: Scan) -> Iterator[Found]:
    """So few that the choice of those tested on decides."""
    groups = group_facts(dataset)
    if not groups or groups.n_groups >= SOME_GROUPS:
        return
    is_for_folds = _FEWEST_GROUPS <= groups.n_groups < FEW_GROUPS_FOR_ONE_SPLIT and not dataset.has_predefined_split
    are_folds_usual = is_for_folds and min(groups.groups_per_class.values(), default=0) > 1  # else there may be none
    yield Found(
        text=f"There are only {counted(groups.n_groups, 'group')}: which of them fall into the test part matters much, "
        "and intervals will be wide and still approximate."
        + (" A training therefore tests on each of them once, in folds." if are_folds_usual else ""),
        do="Add images of other groups if you can." if are_folds_usual else "Folds test on every group once.",
        remedies=() if are_folds_usual else (Set("split.folds", 5),),
        values={"n_groups": groups.n_groups},
    )


def group_is_class(dataset: Dataset, _: Scan) -> Iterator[Found]:
    """Large groups of one class each: what tells groups apart tells classes apart."""
    groups = group_facts(dataset)
    if not groups or groups.images_per_group.median < _LARGE_GROUP or len(dataset.classes) < 2:
        return
    if groups.classes_per_group.max == 1:
        yield Found(
            text="Every group holds one class only, so the network could learn to tell the groups' staining or "
            "exposure apart instead of the classes.",
            do="Add groups that hold several classes: they show whether it does.",
        )
