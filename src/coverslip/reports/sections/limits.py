"""The limitations of a run: what its metrics do not show."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from coverslip.evaluation import FEW_GROUPS_FOR_INTERVALS, FEWEST_GROUPS
from coverslip.messages import text
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.training import Section, SectionText
from coverslip.reports.words import group_words, listed, unknown_labels
from coverslip.runs.folder import test_set_accesses

Limit = tuple[str, str]  # the claim, and what it means
_FEW_IMAGES, _RARE = 100, 10  # minimum number of test images in total, and per class


def limits(run: ReportedRun) -> list[Limit]:
    """Return the limitations that hold for the run, the most serious first."""
    return [*_split_limits(run), *_access_limits(run), *_size_limits(run), *_data_limits(run), *_lasting_limits(run)]


def limit(code: str, **parameters: Any) -> Limit:
    """Return the claim of a message of the catalogue, and its attribute `.meaning`."""
    return text(code, **parameters), text(f"{code}.meaning", **parameters)


def _split_limits(run: ReportedRun) -> Iterator[Limit]:
    n_groups, has_folds = run.metrics.n_groups, bool(run.n_folds)
    if has_folds:
        yield limit("limit-classifier-not-measured", n_folds=run.n_folds)
    if run.environment.allow_leakage:
        yield limit("limit-leakage-allowed")
    if run.labels_before:
        yield limit("limit-relabeled", n_images=len(run.labels_before))
    if run.recipe.split.run is not None and run.first_of_split is None:
        yield unknown_labels()
    if run.metrics.split == "val":
        yield limit("limit-validation-images")
    groups = group_words(run.metrics)
    if not n_groups:
        yield limit("limit-no-groups")
    elif n_groups < FEWEST_GROUPS:
        yield limit("limit-too-few-groups", has_folds=has_folds, groups=groups, n_needed=FEWEST_GROUPS)
    elif n_groups < FEW_GROUPS_FOR_INTERVALS:
        yield limit("limit-few-groups", has_folds=has_folds, groups=groups)


def _access_limits(run: ReportedRun) -> Iterator[Limit]:
    """Return the limits of test metrics that were computed repeatedly, or compared with those of other runs."""
    accesses = test_set_accesses(run.run)
    if accesses.compared_with:
        yield limit("limit-compared-runs", n_others=len(accesses.compared_with), n_runs=len(accesses.compared_with) + 1)
    if accesses.decided:
        yield limit("limit-decision-after-test")
    n_computed = 1 + accesses.evaluated + accesses.decided
    if n_computed > 2:
        yield limit("limit-tested-repeatedly", n_times=n_computed)


def _size_limits(run: ReportedRun) -> Iterator[Limit]:
    n = run.metrics.n
    if n < _FEW_IMAGES:
        yield limit("limit-few-test-images", n_images=n)
    counts = {name: scores.n for name, scores in run.metrics.per_class.items()}
    if absent := [name for name, count in counts.items() if count == 0]:
        yield limit("limit-class-without-test-image", labels=listed(absent))
    present = [count for count in counts.values() if count]
    if rare := [f"{name} ({count})" for name, count in counts.items() if 0 < count < _RARE]:
        is_all = len(rare) == len(present)
        yield limit("limit-rare-classes", is_all=is_all, n_fewest=_RARE, labels=listed(rare))
    if present and max(present) >= 5 * min(present):
        yield limit("limit-class-imbalance", ratio=f"{max(present) / min(present):.0f}")


def _data_limits(run: ReportedRun) -> Iterator[Limit]:
    inspection = run.run.inspection
    if not run.initialization_is_known:
        yield limit("limit-unknown-initialization")
    if not run.domains:
        yield limit("limit-one-domain")
    else:
        of_test_images = {row.domain for row in run.used if row.split == run.metrics.split}
        tested = list(run.metrics.by_domain) or sorted(of_test_images)
        untested = [domain for domain in run.domains if domain not in tested]
        yield limit(
            "limit-training-domains", tested=listed(tested), untested=listed(untested), n_untested=len(untested)
        )
        if not _shared_classes(run):
            yield limit("limit-no-shared-class")
    if inspection is not None and not inspection.are_copies_known:
        yield limit("limit-near-duplicates")
    # Prefix of the reason for images that the recipe excludes. Nothing is wrong with those images.
    reasons = [row.reason for row in run.run.split if row.split == "excluded"]
    if n_excluded := sum(not reason.startswith("on request:") for reason in reasons):
        yield limit("limit-excluded-images", n_images=n_excluded)
    if n := run.n_excluded_by_hand:
        yield limit("limit-excluded-by-hand", n_images=n)
    for finding in inspection.findings if inspection is not None else ():
        if finding.limit:
            yield finding.text, finding.limit
    if run.recipe.scaling == "per-image":
        yield limit("limit-scaled-per-image")


def _shared_classes(run: ReportedRun) -> list[str]:
    """Return the classes of more than one domain."""
    pairs = {(row.label, row.domain) for row in run.used}
    return [name for name in run.classes if sum(label == name for label, _ in pairs) > 1]


def _lasting_limits(run: ReportedRun) -> Iterator[Limit]:
    yield limit("limit-known-classes", n_classes=len(run.classes))
    yield limit("limit-class-proportions")
    yield limit("limit-unverified-labels")


LIMITS = Section(
    name="limits",
    title="Limitations",
    order=800,
    is_about_training=True,
    text=lambda run: SectionText([f"{claim} {meaning}" for claim, meaning in limits(run)]),
    shown=lambda run: {"limits": limits(run)},
    template=Path(__file__).with_name("limits.html"),
)
