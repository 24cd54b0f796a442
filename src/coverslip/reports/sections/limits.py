"""The limitations of a run: what its metrics do not show."""

from collections.abc import Iterator
from pathlib import Path

from coverslip.evaluation import FEW_GROUPS_FOR_INTERVALS, FEWEST_GROUPS
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.training import Section, SectionText
from coverslip.reports.words import UNKNOWN_LABELS, count, group_words, listed, plural
from coverslip.runs.log.records import looks_of

Limit = tuple[str, str]  # the claim, and what it means


def limits(run: ReportedRun) -> list[Limit]:
    """Return the limitations that hold for the run, the most serious first."""
    return [*_split_limits(run), *_looks_limits(run), *_size_limits(run), *_data_limits(run), *_lasting_limits(run)]


def _split_limits(run: ReportedRun) -> Iterator[Limit]:
    n_groups = run.metrics.n_groups
    part = "The run" if run.n_folds else "The test set"
    better = "" if run.n_folds else " Cross-validation tests on every group and uses the data better."
    if run.n_folds:
        yield (
            "The classifier itself was not measured.",
            f"The metrics are those of {run.n_folds} networks, each trained without its test images. The classifier "
            "was trained in the same way on all images. Its performance should be similar, but no image is left to "
            "measure it.",
        )
    if run.environment.allow_leakage:
        yield (
            "Training and test images may overlap.",
            "Leakage was allowed for this run. If images or groups are in both sets, the metrics are too high.",
        )
    if run.labels_before:
        n = len(run.labels_before)
        yield (
            f"The labels of {plural(n, 'test image')} were corrected since the split was made.",
            "If only misclassified images were reviewed, metrics with the corrected labels may be too high, because "
            "wrong labels that agree with the classifier stay. Report the "
            "metrics with the earlier labels.",
        )
    if run.recipe.split.run is not None and run.first_of_split is None:
        yield UNKNOWN_LABELS
    if run.metrics.split == "val":
        yield ("The metrics are from validation images.", "Choices were based on them, so the metrics are too high.")
    if not n_groups:
        yield (
            "No groups are known.",
            "If several images come from one patient, slide or plate, some can be in the training set and others in "
            "the test set. The network may then recognize the slide instead of the cell, and the metrics are too high. "
            "Name the groups and train again.",
        )
    elif n_groups < FEWEST_GROUPS:
        yield (
            f"{part} has only {group_words(run.metrics)}.",
            "How well the classifier works on a new group cannot be estimated from so few: confidence intervals need "
            f"at least {FEWEST_GROUPS} groups.{better}",
        )
    elif n_groups < FEW_GROUPS_FOR_INTERVALS:
        yield (
            f"{part} has only {group_words(run.metrics)}.",
            f"The performance on new groups is estimated from these few groups.{better}",
        )


def _looks_limits(run: ReportedRun) -> Iterator[Limit]:
    """Where test metrics were computed repeatedly, or compared with those of other runs."""
    looks = looks_of(run.run)
    if looks.compared_with:
        n = len(looks.compared_with) + 1
        yield (
            f"Its test metrics were compared with those of {plural(len(looks.compared_with), 'other training')}.",
            f"If it was selected among {n} by these metrics, they are too high, because the best of {n} equal "
            "classifiers is the best by chance. Select by validation metrics, or keep an external test set.",
        )
    if looks.decided:
        yield (
            "The decision rule was changed after the test metrics were first computed.",
            "If it was chosen by these metrics, they are too high. Measure it on an external test set.",
        )
    n_computed = 1 + looks.evaluated + looks.decided
    if n_computed > 2:
        yield (
            f"Test metrics were computed {n_computed} times.",
            "Each choice that is based on test metrics makes them higher than the true performance.",
        )


def _size_limits(run: ReportedRun) -> Iterator[Limit]:
    n = run.metrics.n
    if n < 100:
        yield (f"There are only {plural(n, 'test image')}.", "A single image changes the metrics visibly.")
    counts = {name: scores.n for name, scores in run.metrics.per_class.items()}
    if absent := [name for name, count in counts.items() if count == 0]:
        yield ("Some classes have no test image.", f"Their performance is unknown: {listed(absent)}.")
    present = [count for count in counts.values() if count]
    if rare := [f"{name} ({count})" for name, count in counts.items() if 0 < count < 10]:
        which = "All" if len(rare) == len(present) else "Some"
        yield (f"{which} classes have fewer than 10 test images.", f"Their metrics are uncertain: {listed(rare)}.")
    if present and max(present) >= 5 * min(present):
        yield (
            "Class sizes are very different.",
            f"The largest class has {max(present) / min(present):.0f} times as many test images as the smallest. "
            "Accuracy depends mostly on the large classes; balanced accuracy and macro-F1 weight all classes equally.",
        )


def _data_limits(run: ReportedRun) -> Iterator[Limit]:
    if not run.initialisation_is_known:
        yield (
            "The training images of the initial classifier are not known.",
            "Training started from a classifier that does not record its training images. If test images are among "
            "them, all metrics are too high.",
        )
    if not run.domains:
        yield (
            "All images are from one domain.",
            "No other laboratory, microscope or stain was given. Images from another one can have lower metrics. "
            "Evaluate the run on a labeled external test set before you rely on it.",
        )
    else:
        of_test_images = {row.domain for row in run.used if row.split == run.metrics.split}
        tested = list(run.metrics.by_domain) or sorted(of_test_images)
        untested = [domain for domain in run.domains if domain not in tested]
        without = f" No test image is from {listed(untested)}." if untested else ""
        yield (
            "All test domains are also training domains.",
            f"The metrics apply to new images of {listed(tested)}.{without} Images from another domain can have lower "
            "metrics. Evaluate the run on a labeled external test set, or exclude one domain from training.",
        )
        if not _shared_classes(run):
            yield (
                "No class occurs in two domains.",
                "A classifier that recognizes the domain (by stain, color or size) already excludes most wrong "
                "classes. See the metrics per domain instead of the averages over all domains.",
            )
    if run.run.inspection is not None and not run.run.inspection.are_copies_known:
        yield (
            "Near-duplicates were not searched for.",
            "Some test images may be rotated, mirrored, cropped or recompressed copies of training images. With "
            "split.near_duplicates: together, a training finds them and keeps them in one set.",
        )
    # What the recipe leaves out has a reason that begins so; nothing is wrong with those images.
    reasons = [row.reason for row in run.run.split if row.split == "excluded"]
    if n_excluded := sum(not reason.startswith("on request:") for reason in reasons):
        yield (
            f"{plural(n_excluded, 'image')} {'was' if n_excluded == 1 else 'were'} excluded.",
            "split.csv lists them with reasons. New images with the same problems get no prediction.",
        )
    if n := run.n_excluded_by_hand:
        yield (
            f"{plural(n, 'image')} {'was' if n == 1 else 'were'} excluded by hand.",
            "If these were difficult images, the metrics are too high for new images, of which none is excluded.",
        )
    for finding in run.run.inspection.findings if run.run.inspection is not None else ():
        if finding.limit:
            yield finding.text, finding.limit
    if run.recipe.scaling == "per-image":
        yield (
            "Intensity was removed.",
            "Each image was scaled to its own range. Classes that differ only in brightness or amount of stain cannot "
            "be distinguished.",
        )


def _shared_classes(run: ReportedRun) -> list[str]:
    """Classes that more than one domain has."""
    pairs = {(row.label, row.domain) for row in run.used}
    return [name for name in run.classes if sum(label == name for label, _ in pairs) > 1]


def _lasting_limits(run: ReportedRun) -> Iterator[Limit]:
    yield (
        "The classifier predicts only these classes.",
        f"Dirt, a blurred field or another cell type also gets one of the {count(len(run.classes))} classes.",
    )
    yield (
        "Predictive values depend on the class proportions.",
        "If a class is rarer than in the measured images, its precision is lower. Set the expected class proportions "
        "for prediction, or evaluate on images with these proportions.",
    )
    yield (
        "Labels were not verified.",
        "Wrong labels make the metrics wrong. Review the most confident misclassifications.",
    )


LIMITS = Section(
    name="limits",
    title="Limitations",
    order=800,
    is_about_training=True,
    text=lambda run: SectionText([f"{claim} {meaning}" for claim, meaning in limits(run)]),
    shown=lambda run: {"limits": limits(run)},
    template=Path(__file__).with_name("limits.html"),
)
