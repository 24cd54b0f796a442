"""What a report says in words."""

from collections.abc import Callable, Sequence

from coverslip.evaluation import Metric
from coverslip.reports.reported import ReportedRun

N_HARDEST = 12  # classes or pairs of classes that are shown first where there are many
MANY_CLASSES = 20  # of more, tables of classes stand behind a fold

UNKNOWN_LABELS = (
    "The split is that of an earlier training, which is not there any more.",
    "Whether labels of test images were corrected since then is not known. If they were, the numbers are too good.",
)


def percent(value: float) -> str:
    """0.951 as '95.1 %'; never rounded up to a perfect 100."""
    shown = f"{100 * value:.1f}"
    return ("100" if value == 1 else "99.9" if shown == "100.0" else shown) + "\N{NO-BREAK SPACE}%"


def number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def count(n: int) -> str:
    """1234 as '1 234'."""
    return f"{n:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def plural(n: int, noun: str) -> str:
    many = noun if n == 1 else noun + ("es" if noun.endswith("s") else "s")
    return f"{count(n)} {many}"


def headline(run: ReportedRun) -> str:
    """The result in one sentence."""
    matrix, n = run.metrics.confusion_matrix, run.metrics.n
    right = sum(matrix[k][k] for k in range(len(matrix)))
    images = f"{plural(n, 'image')} it had never seen" if run.is_unseen else plural(n, "image")
    return f"Of {images}, it named {'all' if right == n else count(right)} correctly."


def lead(run: ReportedRun) -> list[str]:
    """The sentences below the headline."""
    accuracy, f1, n_groups = run.metrics["accuracy"], run.metrics["macro_f1"], run.metrics.n_groups
    sentences = [f"Accuracy is {percent(accuracy.value or 0)}{_range(accuracy, percent)}."]
    if f1.value is not None:
        words = "Macro-F1, where a rare class counts as much as a frequent one, is"
        sentences.append(f"{words} {number(f1.value)}{_range(f1, number)}.")
    if told := relabelled(run):
        sentences.append(told)
    if run.is_no_epoch_done and run.n_frozen and run.evaluation is None:
        sentences.append("No epoch of fine-tuning was done, so the instant classifier was kept.")
    elif run.n_frozen and run.evaluation is None:
        where = f"In {run.n_frozen} of {run.n_folds} folds fine-tuning" if run.n_folds else "Fine-tuning"
        sentences.append(f"{where} did not do better on validation images, so the instant classifier was kept.")
    counts = [sum(row) for row in run.metrics.confusion_matrix]
    most = counts.index(max(counts))
    share = percent(counts[most] / max(sum(counts), 1))
    sentences.append(f"Always answering “{run.classes[most]}” would be right for {share}.")
    if run.metrics.is_no_better_than_one_answer:
        sentences.append("No better is shown: that lies within the interval of the accuracy, or above.")
    if n_groups:
        sentences.append(f"The images come from {plural(n_groups, 'group')}{_which_groups(run)}.")
    return sentences


def relabelled(run: ReportedRun) -> str:
    """That numbers are by corrected labels, with the accuracy by those before; empty where they are not."""
    if not run.labels_before or run.tested is None:
        return ""
    n, rows = len(run.labels_before), run.tested.rows
    n_right = sum(row.predicted == run.labels_before.get(row.image_id, row.label) for row in rows)
    has = "has another label" if n == 1 else "have other labels"
    return (
        f"That is after correcting mistakes that were looked at, and so too good: {plural(n, 'test image')} {has} than "
        f"in the first training with this split. By the labels of then accuracy is {percent(n_right / len(rows))}."
    )


def _which_groups(run: ReportedRun) -> str:
    """What training knew of the groups of the measured images."""
    if run.evaluation is not None:  # their names may mean others there
        return ""
    if run.n_folds:
        return " each of which was tested by a network that had not seen it"
    return " of the test part" if run.environment.allow_leakage else " to which no training image belongs"


def _range(metric: Metric, shown: Callable[[float], str]) -> str:
    if metric.low is None or metric.high is None:
        return ""
    return f" ({100 * metric.level:.0f}\N{NO-BREAK SPACE}% interval {shown(metric.low)} to {shown(metric.high)})"


def split_words(run: ReportedRun) -> str:
    """Which images the numbers are from."""
    split, n = run.metrics.split, len(run.labels_before)
    images = {
        "test": "test images, which no choice has seen",
        "val": "validation images, on which choices were made",
        "out-of-fold": "images held out in turn (out-of-fold)",
    }.get(split, f"the images of “{split}”")
    return f"{images}, {count(n)} of them relabelled after mistakes were looked at" if n else images


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
