"""What the numbers of a run do not show."""

from collections.abc import Iterator
from pathlib import Path

from coverslip.evaluation import FEW_GROUPS_FOR_INTERVALS, FEWEST_GROUPS
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.record import Section, SectionText
from coverslip.reports.words import UNKNOWN_LABELS, listed, plural
from coverslip.runs.log.looks import looks_of

Limit = tuple[str, str]  # the claim, and what it means


def limits(run: ReportedRun) -> list[Limit]:
    """What the numbers do not show, gravest first; which of them hold depends on the run."""
    return [*_split_limits(run), *_looks_limits(run), *_size_limits(run), *_data_limits(run), *_lasting_limits(run)]


def _split_limits(run: ReportedRun) -> Iterator[Limit]:
    n_groups = run.metrics.n_groups
    part = "The run" if run.n_folds else "The test part"
    better = "" if run.n_folds else " Cross-validation folds, which test on every group once, use the data better."
    if run.n_folds:
        yield (
            "What was measured is not the classifier itself.",
            f"The numbers are those of {run.n_folds} networks, each trained without the images it was tested on. The "
            "classifier was trained in the same way on all images; it should do about as well, but no image is left to "
            "show it.",
        )
    if run.environment.allow_leakage:
        yield (
            "Training and test images may overlap.",
            "Leakage was allowed for this run: where the same pixels or groups stand on both sides, the numbers are "
            "too good.",
        )
    if run.labels_before:
        n = len(run.labels_before)
        yield (
            f"The labels of {plural(n, 'test image')} were corrected since the split was made.",
            "Where only what was called wrong was looked at again, numbers by the new labels are too good: those by "
            "the old ones are the fair ones.",
        )
    if run.recipe.split.run is not None and run.first_of_split is None:
        yield UNKNOWN_LABELS
    if run.metrics.split == "val":
        yield ("These are validation images.", "Choices were made on them, so the numbers are somewhat too good.")
    if not n_groups:
        yield (
            "No groups are known.",
            "If several images come from one patient, slide or plate, some of them were trained on while others are "
            "tested: the network may recognise the slide instead of the cell. Name the groups and train again.",
        )
    elif n_groups < FEWEST_GROUPS:
        yield (
            f"{part} has only {plural(n_groups, 'group')}.",
            "How well the classifier works on a new group cannot be estimated from so few: confidence intervals need "
            f"at least {FEWEST_GROUPS} groups.{better}",
        )
    elif n_groups < FEW_GROUPS_FOR_INTERVALS:
        yield (
            f"{part} has only {plural(n_groups, 'group')}.",
            f"How well it works on a new group rests on those few. The intervals allow for that.{better}",
        )


def _looks_limits(run: ReportedRun) -> Iterator[Limit]:
    """Where test numbers were asked for again and again, or set beside those of other runs."""
    looks = looks_of(run.run)
    if looks.compared_with:
        n = len(looks.compared_with) + 1
        yield (
            f"Its test numbers were set beside those of {plural(len(looks.compared_with), 'other training')}.",
            f"If it was chosen among {n} because of them, they are too good: of {n} equally good ones one looks best "
            "by luck. Choose by validation numbers, or keep further images aside for the end.",
        )
    elif looks.n > 2:
        yield (
            f"The test images were looked at {looks.n} times.",
            "Each choice that was made because of their numbers makes these a little too good.",
        )


def _size_limits(run: ReportedRun) -> Iterator[Limit]:
    n = run.metrics.n
    if n < 100:
        yield (f"There are only {plural(n, 'test image')}.", "One image more or less moves the numbers visibly.")
    counts = {name: scores.n for name, scores in run.metrics.per_class.items()}
    if absent := [name for name, count in counts.items() if count == 0]:
        yield ("Some classes have no test image.", f"Nothing is known about {listed(absent)}.")
    if rare := [f"{name} ({count})" for name, count in counts.items() if 0 < count < 10]:
        yield (
            "Some classes have fewer than 10 test images.",
            f"Their rows say little on their own: {listed(rare)}.",
        )
    present = [count for count in counts.values() if count]
    if present and max(present) >= 5 * min(present):
        yield (
            "Classes differ much in size.",
            f"The largest has {max(present) / min(present):.0f} times as many test images as the smallest, so "
            "accuracy is mostly about the large ones; balanced accuracy and macro-F1 are not.",
        )


def _data_limits(run: ReportedRun) -> Iterator[Limit]:
    if not run.initialisation_is_known:
        yield (
            "What the classifier at the start had seen is not known.",
            "Training started from a classifier that does not say which images it was trained on. If images kept "
            "aside here are among them, every number is too good.",
        )
    if not run.domains:
        yield (
            "All images are of one domain (one laboratory, microscope or stain, as far as coverslip was told).",
            "Another microscope, stain, laboratory or day can lower every number here. Evaluate the run on a "
            "labelled dataset from there before relying on it.",
        )
    else:
        yield (
            "Every domain tested was also trained on.",
            f"The numbers are for new images of {listed(run.domains)}. Images from elsewhere can do worse; "
            "evaluate the run on a labelled dataset from there, or leave one domain out of training to see how much.",
        )
        if not _shared_classes(run):
            yield (
                "No class is in two domains.",
                "Telling domains apart (by stain, colour or size) already rules out most wrong answers. The row of "
                "each domain shows how well its own classes are told apart; averages over all domains hide this.",
            )
    if run.run.inspection is not None and not run.run.inspection.are_copies_known:
        yield (
            "Near-duplicates were not searched for.",
            "Some of the test images may show what was trained on, turned, mirrored, cropped or saved again. With "
            "split.near_duplicates: together, a training finds them and keeps them in one part of the split.",
        )
    # What the recipe leaves out has a reason that begins so; nothing is wrong with those images.
    reasons = [row.reason for row in run.run.split if row.split == "left-out"]
    if n_left_out := sum(not reason.startswith("on request:") for reason in reasons):
        yield (
            f"{plural(n_left_out, 'image')} {'was' if n_left_out == 1 else 'were'} left out.",
            "They are listed with reasons in split.csv. If new images are as often unreadable or doubtful, that "
            "share get no prediction.",
        )
    for finding in run.run.inspection.findings if run.run.inspection is not None else ():
        if finding.limit:
            yield finding.text, finding.limit
    if run.recipe.scaling == "per-image":
        yield (
            "Intensity was erased.",
            "Each image was scaled to its own range; what differs only in brightness or amount of stain cannot be "
            "told apart.",
        )


def _shared_classes(run: ReportedRun) -> list[str]:
    """Classes that more than one domain has."""
    pairs = {(row.label, row.domain) for row in run.used}
    return [name for name in run.classes if sum(label == name for label, _ in pairs) > 1]


def _lasting_limits(run: ReportedRun) -> Iterator[Limit]:
    yield (
        "It knows only these classes.",
        "Whatever it is shown, be it dirt, a blurred field or a cell type that is not among the "
        f"{len(run.classes)}, it will call one of them.",
    )
    yield (
        "Classes were as frequent as in the images measured.",
        "Where a class is rarer, fewer of the images called it are it: precision falls, whatever the calibration says. "
        "Tell the classifier how frequent classes are when predicting, or measure it there.",
    )
    yield (
        "Labels were taken as they are.",
        "Where the people who labelled are wrong or disagree, so are the numbers; the most confident mistakes above "
        "are worth a second look.",
    )


LIMITS = Section(
    name="limits",
    title="What the numbers do not show",
    order=800,
    is_about_training=True,
    text=lambda run: SectionText([f"{claim} {meaning}" for claim, meaning in limits(run)]),
    shown=lambda run: {"limits": limits(run)},
    template=Path(__file__).with_name("limits.html"),
)
