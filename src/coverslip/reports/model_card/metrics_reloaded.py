"""Metrics Reloaded: which properties of a task decide which metrics tell something about it.

Maier-Hein L, Reinke A et al. 2024. Metrics reloaded: recommendations for image analysis validation. Nature Methods
21:195-212. For tasks that name whole images; the questions are in our words.
"""

from coverslip.reports import content
from coverslip.reports.model_card.item import NOT_KNOWN, Item
from coverslip.reports.reported import ReportedRun
from coverslip.reports.words import group_words, listed, number, plural

_MANY_TIMES = 5  # the most frequent class over the rarest, from which on classes count as unequal


def _counts(run: ReportedRun) -> list[int]:
    return [scores.n for scores in run.metrics.per_class.values() if scores.n]


def _imbalance(run: ReportedRun) -> str:
    counts = _counts(run)
    if not counts:
        return NOT_KNOWN
    times = max(counts) / min(counts)
    word = "yes" if times >= _MANY_TIMES else "hardly"
    return f"{word}: the most frequent class has {times:.1f} times as many measured images as the rarest"


def _independence(run: ReportedRun) -> str:
    if not run.metrics.n_groups:
        return "not known: no groups were given, so the intervals take images as independent"
    return f"no: measured images are of {group_words(run.metrics)}, and intervals are made over groups"


def _rule(run: ReportedRun) -> str:
    rules = {
        "highest": "the most probable class",
        "roc": "operating points of the classes, from validation images",
        "threshold": "a threshold that was set by hand",
    }
    return rules.get(run.recipe.decide_by, f"a threshold for a wished {run.recipe.decide_by}, from validation images")


def _positive(run: ReportedRun) -> str:
    if run.metrics.positive_class:
        return (
            f"{run.metrics.positive_class} is the class that is looked for; how much worse one mistake is: {NOT_KNOWN}"
        )
    return NOT_KNOWN


def _label_errors(run: ReportedRun) -> str:
    found = run.run.label_errors
    if found is None:
        return "not known: nobody looked for them"
    return f"about {plural(found.n_suspected, 'label')} may be wrong (suspected_label_errors.json)"


def _told(run: ReportedRun, *names: str) -> str:
    values = {metric.name: metric for metric in content.metrics(run)}
    shown = [
        f"{values[name].title} {number(values[name].value)}"
        for name in names
        if name in values and values[name].value is not None
    ]
    return listed(shown, len(shown)) or "none could be had"


METRICS_RELOADED = (
    Item("", "Problem category", lambda run: "classification of whole images (or of crops around one object)"),
    Item("", "Number of classes", lambda run: str(len(run.classes))),
    Item("", "Are the classes of unequal interest?", _positive),
    Item("", "Are some confusions graver than others?"),
    Item("", "Are the classes unequally frequent?", _imbalance),
    Item("", "Are frequencies in use those of the images measured?"),
    Item("", "Are there errors in the labels?", _label_errors),
    Item("", "Are the test cases independent?", _independence),
    Item("", "Does the classifier give scores for each class?", lambda run: "yes, calibrated probabilities"),
    Item("", "How is a score made a decision?", _rule),
    Item(
        "",
        "Metrics over all classes, from decisions",
        lambda run: _told(run, "balanced_accuracy", "macro_f1", "mcc", "kappa", "accuracy"),
    ),
    Item("", "Metrics of each class", lambda run: "precision, recall, specificity, NPV, F1: table above"),
    Item("", "Metrics over all thresholds", lambda run: _told(run, "macro_auroc", "micro_auroc", "average_precision")),
    Item("", "Are probabilities right?", lambda run: _told(run, "ece", "calibration_slope", "brier", "log_loss")),
)
