"""What a report says in words."""

from collections.abc import Callable, Sequence

from coverslip.augmentation import Copies
from coverslip.evaluation import FEW_GROUPS_FOR_INTERVALS, Evaluation, Metric
from coverslip.messages import duration
from coverslip.reports.reported import ReportedRun
from coverslip.runs import Augment, BudgetRecord, LearntOn
from coverslip.runs.log.records import looks_of
from coverslip.runs.recipe import phrases

N_HARDEST = 12  # classes or pairs of classes that are shown first where there are many
MANY_CLASSES = 20  # of more, tables of classes stand behind a fold

UNKNOWN_LABELS = (
    "The split is that of an earlier training, whose folder is not there any more.",
    "It is not known whether labels of test images were corrected since then. If so, the metrics may be too high.",
)
CI = "95%\N{NO-BREAK SPACE}CI"
DECISION_IMAGES: dict[LearntOn, str] = {
    "validation images": "validation images",
    "held-out training images": "images of all folds, each predicted by a linear probe that was trained without it",
    "the folds' images": "validation images of all folds, each predicted by its fold's network",
}


def percent(value: float) -> str:
    """0.951 as '95.1%'; never rounded up to a perfect 100."""
    shown = _percent(value, 1)
    return ("100" if value == 1 else "99.9" if shown == "100.0" else shown) + "%"


def whole_percent(value: float) -> str:
    """0.956 as '96%'; never rounded up to a perfect 100."""
    return f"{100 if value == 1 else min(int(_percent(value, 0)), 99)}%"


def _percent(value: float, digits: int) -> str:
    """Rounded as the share itself: 0.8625, which `number` shows as 0.863, as '86.3'."""
    return f"{100 * float(f'{value:.{digits + 2}f}'):.{digits}f}"


def number(value: float | None, digits: int = 3) -> str:
    """0.9514 as '0.951'; a dash where there is none."""
    return "–" if value is None else f"{value:z.{digits}f}".replace("-", "−")


def signed(value: float | None, digits: int = 3) -> str:
    """0.0514 as '+0.051': a difference; '0.000' if it rounds to zero."""
    size = number(value, digits)
    return f"+{size}" if value is not None and round(value, digits) > 0 else size


def spanned(low: float, high: float, shown: Callable[[float], str] = number) -> str:
    """'0.861–0.953', the ends of an interval; '−0.012 to +0.034' where an end has a sign."""
    ends = (shown(low), shown(high))
    return " to ".join(ends) if any(end[0] in "+−" for end in ends) else "–".join(ends)


def p_value(p: float | None) -> str:
    """'0.034'; '< 0.001' of less; a dash where there is none."""
    if p is None:
        return "–"
    return "<\N{NO-BREAK SPACE}0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def count(n: int) -> str:
    """1234 as '1,234'."""
    return f"{n:,}"


def plural(n: int, noun: str) -> str:
    many = noun if n == 1 else noun + ("es" if noun.endswith("s") else "s")
    return f"{count(n)} {many}"


def group_words(evaluation: Evaluation) -> str:
    """'7 groups and 25 images without a known group', over which intervals are made; empty where none are known."""
    if not evaluation.n_groups:
        return ""
    alone = f" and {plural(evaluation.n_ungrouped, 'image')} without a known group" if evaluation.n_ungrouped else ""
    return f"{plural(evaluation.n_named_groups or 0, 'group')}{alone}"


def headline(run: ReportedRun) -> str:
    """The result in one sentence."""
    matrix, n = run.metrics.confusion_matrix, run.metrics.n
    right = sum(matrix[k][k] for k in range(len(matrix)))
    kind = "held-out image" if run.n_folds else "test image" if run.metrics.split == "test" else "image"
    external = " of the external test set" if run.evaluation is not None and run.is_unseen else ""
    if right == n and n > 1:
        return f"All {plural(n, kind)}{external} are classified correctly."
    return f"{count(right)} of {plural(n, kind)}{external} {'is' if right == 1 else 'are'} classified correctly."


def lead(run: ReportedRun) -> list[str]:
    """The sentences below the headline."""
    accuracy, f1 = run.metrics["accuracy"], run.metrics["macro_f1"]
    sentences = [*overestimates(run), *filter(None, [_thresholds(run)])]
    sentences.append(f"Accuracy is {percent(accuracy.value or 0)}{_range(accuracy, percent)}.")
    if text := group_mean(run.metrics):
        sentences.append(text)
    if f1.value is not None:
        sentences.append(f"Macro-F1, the mean F1 over classes, is {number(f1.value)}{_range(f1, number)}.")
    if run.evaluation is None and (text := why_instant(run)):
        sentences.append(text)
    counts = [sum(row) for row in run.metrics.confusion_matrix]
    most = counts.index(max(counts))
    share = percent(counts[most] / max(sum(counts), 1))
    sentences.append(f"A classifier that always predicts “{run.classes[most]}” has an accuracy of {share}.")
    if text := against_majority_class(run.metrics):
        sentences.append(text)
    if run.metrics.n_groups:
        sentences.append(_groups(run))
    return sentences


def _thresholds(run: ReportedRun) -> str:
    """By which decision thresholds classes are predicted; empty where the most probable class is."""
    points = run.thresholds
    if points is None:
        return ""
    is_by_hand = run.rule == "threshold set by hand"
    if run.evaluation is not None:
        when = "" if is_by_hand else f" on {DECISION_IMAGES[run.calibration.learnt_on]}"
    else:
        when = " after the first test" if looks_of(run.run).decided else " before testing"
    if run.metrics.positive_class not in run.classes:
        return f"Each class has a decision threshold of its own, which was chosen{when}."
    point = points[run.classes.index(run.metrics.positive_class)]
    how = f"{'set by hand' if is_by_hand else 'chosen'}{when}"
    has_own = run.n_folds and run.evaluation is None and not is_by_hand
    folds = "; each fold has its own" if has_own else ""
    return f"“{run.metrics.positive_class}” is predicted from a probability of {point:.3g} on, {how}{folds}."


def against_majority_class(evaluation: Evaluation) -> str:
    """What must be said where always predicting the most frequent class is better, or may be; empty where it is not."""
    over = evaluation.over_majority_class
    if over is None or evaluation.against_majority_class in (None, "better"):
        return ""
    if evaluation.against_majority_class == "worse":
        return f"The classifier is WORSE than that: accuracy differs by {_points(over)}."
    return f"The difference from it, {_points(over)}, is not statistically significant."


def group_mean(evaluation: Evaluation) -> str:
    """The mean accuracy over groups; empty where it is close to that over images."""
    mean = evaluation.group_mean_accuracy
    if mean is None or mean.value is None or not evaluation.is_group_mean_different:
        return ""
    of_groups = f"{percent(mean.value)}{_range(mean, percent)}"
    return f"Averaged over {plural(mean.n_groups or 0, 'group')}, each with the same weight, accuracy is {of_groups}."


def _points(difference: Metric) -> str:
    """'+23.6 percentage points (95% CI 4.1 to 43.1)'."""
    low, high = difference.low, difference.high
    interval = "" if low is None or high is None else f" ({CI} {_signed(low)} to {_signed(high)})"
    return f"{_signed(difference.value or 0)} percentage points{interval}"


def _signed(share: float) -> str:
    return f"{100 * share:+.1f}".replace("-", "\N{MINUS SIGN}")


def why_instant(run: ReportedRun) -> str:
    """Why an instant classifier is the result, where fine-tuning was asked for; empty where it is not."""
    budget, kept = run.run.budget, "so the instant classifier is kept."
    if budget is not None and budget.ended == "no time to fine-tune":
        return " ".join(filter(None, [f"There was no time for fine-tuning, {kept}", time_for_all(budget)]))
    if budget is not None and budget.ended == "no time to fine-tune folds":
        return "There was no time to fine-tune all folds, so all of them keep the instant classifier."
    if budget is not None and budget.ended == "larger instant classifier":
        return f"Fine-tuning on images of {budget.image_size} px did not improve validation results, {kept}"
    if not run.n_frozen:
        return ""
    if run.is_no_epoch_done:
        return f"No epoch of fine-tuning was completed, {kept}"
    if run.n_folds:
        return f"In {run.n_frozen} of {run.n_folds} folds, fine-tuning did not improve validation results, {kept}"
    stage, ended = run.finetuning, ""
    if stage is not None and stage.stopped_because == "finished early":
        ended = f"was ended after {stage.epochs_run} of {plural(stage.epochs_planned, 'epoch')} and "
    return f"Fine-tuning {ended}did not improve validation results, {kept}"


def time_for_all(budget: BudgetRecord) -> str:
    """What time would have been enough; empty where that is not known, or was given."""
    if budget.sufficient_seconds is None:
        return ""
    for_all = f"About {duration(budget.sufficient_seconds)} would allow all {budget.epochs} epochs at full image size."
    return " ".join(filter(None, [budget.for_some, for_all]))


def overestimates(run: ReportedRun) -> list[str]:
    """Return why the metrics are too high, or may be: to be shown beside the headline."""
    return list(filter(None, [_leaking(run), relabelled(run)]))


def _leaking(run: ReportedRun) -> str:
    """Return how many groups and duplicates leak into the test set; empty where that was not allowed."""
    if run.evaluation is not None or not run.environment.allow_leakage:
        return ""
    n = run.n_test_leaks
    if not n:
        return "This may be an overestimate, because leakage was allowed."
    clusters = f"{count(n)} {'group or cluster' if n == 1 else 'groups or clusters'} of duplicates"
    return (
        f"This is an overestimate, because leakage was allowed: {clusters} {'is' if n == 1 else 'are'} in the test set "
        "and in the training or validation set."
    )


def relabelled(run: ReportedRun) -> str:
    """That numbers are by corrected labels, with the accuracy by those before; empty where they are not."""
    if not run.labels_before or run.tested is None:
        return ""
    n, rows = len(run.labels_before), run.tested.rows
    n_right = sum(row.predicted == run.labels_before.get(row.image_id, row.label) for row in rows)
    has = "has a different label" if n == 1 else "have different labels"
    return (
        "This may be too high, because labels were corrected after looking at misclassified images: "
        f"{plural(n, 'test image')} {has} than in the first training with this split. With the earlier labels, "
        f"accuracy is {percent(n_right / len(rows))}."
    )


def _groups(run: ReportedRun) -> str:
    """Which groups the measured images come from, and what training knew of them."""
    if run.evaluation is not None:  # their names may mean others there
        return f"The images come from {group_words(run.metrics)}."
    tested = [row.named_group for row in run.used if run.n_folds or row.split == "test"]
    words = f"The images come from {plural(len({*tested} - {''}), 'group')}"
    if n_alone := tested.count(""):
        words += f"; {plural(n_alone, 'image')} of them {'has' if n_alone == 1 else 'have'} no known group"
    if run.n_folds and not n_alone:
        return f"{words}. Each group was tested by a network that was trained without it."
    if run.environment.allow_leakage:
        return f"{words} of the test set."
    n_unknown = n_alone if run.n_folds else run.n_ungrouped_training
    if n_unknown:
        kind = "image" if run.n_folds else "training image"
        return (
            f"{words}. {plural(n_unknown, kind)} {'has' if n_unknown == 1 else 'have'} no known group, so nothing "
            "shows whether training and test images are of the same patient or slide."
        )
    return f"{words}. No image of these groups was used for training."


def without_group(run: ReportedRun) -> str:
    """That images without a known group may be of the groups of other sets; empty where every image has one."""
    n = run.n_ungrouped
    if not n:
        return ""
    return f"{plural(n, 'image')} {'has' if n == 1 else 'have'} no known group and may be of a group in another set"


def _range(metric: Metric, shown: Callable[[float], str]) -> str:
    if metric.low is None or metric.high is None:
        return ""
    return f" ({CI} {spanned(metric.low, metric.high, shown)})"


def interval_words(evaluation: Evaluation) -> str:
    """What confidence intervals cover, for readers who do not know the names of the methods."""
    units = "groups (such as patients or slides)" if evaluation.n_groups else "images"
    text = f"The {CI} covers how much the value would change with other {units} in the test set"
    folds = evaluation.folds
    text += " and other training images." if folds else "."
    if evaluation.n_groups and evaluation.n_groups < FEW_GROUPS_FOR_INTERVALS:
        text += f" It is approximate, because there are only {group_words(evaluation)}."
    if evaluation.n_groups:
        text += " No interval can show failures on groups that the test set does not contain."
    if folds:
        share = sum(fold.n_train for fold in folds.per_fold) / len(folds.per_fold) / evaluation.n
        text += (
            f" The value is that of the folds' classifiers, each trained on {whole_percent(share)} of the images. The "
            "final classifier, trained on all images, is usually a little better."
        )
    return text


def split_words(run: ReportedRun) -> str:
    """Which images the numbers are from."""
    split, n = run.metrics.split, len(run.labels_before)
    images = {
        "test": "test images" + (", which no choice was based on" if looks_of(run.run).n == 1 else ""),
        "val": "validation images, which choices were based on",
        "out-of-fold": "held-out images of cross-validation (out-of-fold)",
    }.get(split, f"the images of “{split}”")
    return f"{images}, {count(n)} of them relabeled after looking at misclassified images" if n else images


def listed(names: Sequence[str], at_most: int = 8) -> str:
    """'a, b and c', or the first few and how many more; nothing of nothing."""
    names = [*names[:at_most], f"{len(names) - at_most} more"] if len(names) > at_most else list(names)
    return "".join(names) if len(names) < 2 else f"{', '.join(names[:-1])} and {names[-1]}"


def is_numbered(run: ReportedRun) -> bool:
    """Whether classes are too many, or their names too long, to stand above columns."""
    return len(run.classes) > 8 or max(map(len, run.classes)) > 14


def by_labels(labels: str) -> str:
    """Whose labels numbers of two runs are by; empty where both have the same."""
    return {"first": ", by the first one's labels", "second": ", by the second one's labels"}.get(labels, "")


def copies_words(augment: Augment, n: int) -> str:
    """Which augmented copies of n training images a linear discriminant knows, in a sentence; empty where of none."""
    if not n:
        return ""
    copies, words = Copies.within(dict(augment)), phrases(augment)
    changes = ["rotation and mirroring without interpolation"] if len(copies.lossless) > 1 else []
    changes += [words[name] for name in copies.light_changes]
    return (
        f" The covariance of features within images, over augmented copies of {plural(n, 'training image')} "
        f"({', '.join(changes)}), was added to that within classes."
    )
