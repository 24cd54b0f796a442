"""An external test set compared with the run's test set: what differs, and what makes the metrics too high."""

from collections.abc import Iterator

from coverslip.evaluation import METRICS, independent_difference
from coverslip.reports import content
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.record import Section, SectionText
from coverslip.reports.tables import below_values, estimate
from coverslip.reports.words import count, plural

_SETS = ("test set of the run", "external test set")
THRESHOLD_BY_HAND = (
    "The decision threshold was set by hand. If it was set after looking at the run's test results, the metrics on "
    "that test set are too high."
)


def _text(run: ReportedRun) -> SectionText:
    own = run.run.metrics.metrics if run.run.is_measured else {}
    names = [metric.name for metric in content.metrics(run) if metric.name in own and METRICS[metric.name].is_compared]
    differences = [independent_difference(own[name], run.metrics[name], _SETS) for name in names]
    rows = [
        (METRICS[name].title, estimate(run.metrics[name]), estimate(own[name]), estimate(difference, is_signed=True))
        for name, difference in zip(names, differences, strict=True)
    ]
    words = list(_doubts(run))
    if any(difference.low is not None for difference in differences):
        words.append(f"{below_values(rows)} A difference whose CI includes 0 is not statistically significant.")
    columns = ("metric", *reversed(_SETS), "difference") if rows else ()
    return SectionText(words, columns, rows)


def against_own_test(run: ReportedRun) -> str:
    """How the primary metric differs from that on the run's own test set; empty where both cannot be compared."""
    own = run.run.metrics.metrics if run.run.is_measured else {}
    name = run.metrics.primary
    if name not in own:
        return ""
    difference = independent_difference(own[name], run.metrics[name], _SETS)
    if difference.value is None or difference.low is None or difference.high is None:
        return ""
    title, interval = METRICS[name].title, f"{estimate(difference, is_signed=True)}"
    if difference.low <= 0 <= difference.high:
        return f"{title} does not differ from that on the run's own test set by more than chance: {interval}."
    is_worse = (difference.value < 0) == (METRICS[name].better == "higher")
    what = (
        "For images like these, use the metrics of the external test set. Training on some of them may help."
        if is_worse
        else "Check whether these images are easier, or known to the classifier."
    )
    return f"{title} is {'WORSE' if is_worse else 'better'} than on the run's own test set: {interval}. {what}"


def _doubts(run: ReportedRun) -> Iterator[str]:
    """What must be known of the images of both sets before their numbers are compared."""
    own = ReportedRun(run.run)
    if own.run.is_measured and own.rule == "threshold set by hand":
        yield THRESHOLD_BY_HAND
    if n := len(own.labels_before):
        yield (
            f"{plural(n, 'image')} of the run's test set {'was' if n == 1 else 'were'} relabeled after looking at "
            "misclassified images, so the metrics on that test set may be too high."
        )
    n_images = len(run.measured.predictions)
    n_labeled = sum(row.label is not None for row in run.measured.predictions)
    if n_labeled < n_images:
        yield (
            f"Only {count(n_labeled)} of {plural(n_images, 'image')} have a label. If these were chosen because the "
            "classifier was unsure of them, as in a review of predictions, the metrics are too low for the others."
        )
    images = run.measured.evaluated_images
    if images is not None and images.is_of_unfinished_training:
        yield (
            "Training had not ended when these images were measured: the metrics are of the classifier until then. "
            "Resume the training or end it, then evaluate again."
        )
    if images is None or not run.initialisation_is_known:
        yield "It is not known which of these images were used for training, so the metrics may be too high."
    if images is not None and images.n_seen:
        yield (
            f"{plural(images.n_seen, 'image')} or {'its' if images.n_seen == 1 else 'their'} duplicates were used for "
            "training. Metrics on such images are too high."
        )
    if images is not None and images.n_of_seen_groups:
        yield (
            f"{plural(images.n_of_seen_groups, 'image')} {'has' if images.n_of_seen_groups == 1 else 'have'} a group "
            "name that training images have too. If these are the same patients or slides, the metrics are too high "
            "for new ones."
        )
    if run.metrics.n_groups is None:
        yield (
            "No groups are known. If several of these images come from one patient or slide, the confidence intervals "
            "are too narrow."
        )


OWN_TEST = Section(
    name="own-test",
    title="Comparison with the run's test set",
    order=50,
    subtitle=lambda run: "same classifier, two test sets",
    applies=lambda run: run.evaluation is not None,
    text=_text,
)
