"""What can be trained on: at least two classes, and images on every side of the split."""

from collections import Counter
from collections.abc import Container, Sequence

from coverslip.datasets.index import DECISIONS, SIDES, Dataset, counted, one_line, some
from coverslip.datasets.quality import Scan, Unreadable, single_groups
from coverslip.datasets.splits.splitting import Split
from coverslip.datasets.splits.wording import SIDE_TITLES
from coverslip.errors import BadDataset
from coverslip.messages import GroupBy, Set


def trained_classes(dataset: Dataset, split: Split) -> tuple[str, ...]:
    """The classes that training has images of, in the dataset's order: what a network has outputs for."""
    trained = {r.label for r, part in zip(dataset.records, split.parts, strict=True) if part == "train"}
    return tuple(label for label in dataset.classes if label in trained)


def check_class_names(dataset: Dataset, classes: Sequence[str]) -> None:
    """Refuse, from names alone, what no classifier can be trained on.

    Raises:
        BadDataset: there are fewer than two classes, or one has a name that predictions use for something else.
    """
    if len(classes) < 2:
        only = f"only one class, '{one_line(classes[0], 60)}'" if classes else "no class"
        known = len(dataset.classes)
        raise BadDataset(
            f"A classifier needs two classes, but there are usable training images of {only}"
            + (f" (of {known} in the data)" if known > 1 else ""),
            file=dataset.root,
            do="Add images of another class, each class in a folder of its own."
            if known < 2
            else "Inspect the dataset: its findings tell why the others cannot be used.",
        )
    reserved = sorted(DECISIONS.intersection(classes))
    if reserved:
        raise BadDataset(
            f"A class cannot be called '{reserved[0]}': that word says in predictions that no class was decided for",
            file=dataset.root,
            do="Give the class another name, for example with classes.rename in the recipe.",
        )


def check_groups(dataset: Dataset) -> None:
    """Refuse, from names alone, groups that leave no class anything to be tested on.

    Raises:
        BadDataset: each class lies in a single group, as it does where the groups are the classes themselves.
    """
    groups = single_groups(dataset)
    if not groups:
        return
    n_classes = len({record.label for record in dataset.records if dataset.has_class(record)})
    raise BadDataset(
        f"The groups are the classes themselves ({some(groups, 3)})"
        if len(groups) == n_classes
        else f"Each class lies in a single group ({some(groups, 3)})",
        file=dataset.root,
        do="A group is used either for training or for testing, so no class could be both learnt and tested. Group by "
        "what several classes have in common, such as the patient or slide, or train without groups.",
        remedies=(GroupBy(),),
    )


def check_no_class_is_empty(dataset: Dataset, trained: Container[str]) -> None:
    """Refuse classes that nothing can be learnt of.

    Args:
        dataset: the images.
        trained: the classes that training has images of.

    Raises:
        BadDataset: one has no image to train on: none is usable, or its images stand in other parts of the split.
    """
    empty = [name for name in dataset.classes if name not in trained]
    if empty:
        raise BadDataset(
            f"Training has no image of {'the class' if len(empty) == 1 else f'{len(empty)} classes'} {some(empty, 8)}",
            file=dataset.root,
            do="Leave such classes out, or give training images of them that can be read.",
            remedies=(Set("classes.drop", [*sorted(dataset.dropped), *empty]),),
            values={"classes": empty},
        )


def check_trainable(dataset: Dataset, scan: Scan, split: Split) -> None:
    """Refuse, before any work, what no classifier can be trained on.

    Raises:
        BadDataset: fewer than two classes to train on, one with a name that predictions use for something else, or an
            empty training, validation or test part.
    """
    if not scan.n_readable:
        first = next((f.reason for f in scan.facts if isinstance(f, Unreadable)), "there are no images")
        raise BadDataset(
            f"None of {counted(len(scan.facts), 'image')} could be read (the first: {one_line(first)})",
            file=dataset.root,
            do="Check that these are image files; inspecting them lists each with its reason.",
        )
    check_class_names(dataset, trained_classes(dataset, split))
    n = Counter(split.parts)
    for side in SIDES:
        if not n[side]:
            raise BadDataset(
                f"There are no images for the {SIDE_TITLES[side]} part",
                file=dataset.root,
                do="Give that part a share above 0 and enough images (without a predefined split, at least three "
                "groups).",
            )
