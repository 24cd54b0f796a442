"""The verdict on a classifier: whether to use it, why, and what would change it, by one table of rules.

It is the headline everywhere: report, pages, lists, cards, and the command line. The reasons of all rules that apply
are also the limitations of the result.

A rule on a metric compares one end of its 95% confidence interval with a limit. If the interval is on the wrong side,
the fault is shown. If the interval includes the limit, the test is too small to exclude the fault, which the reason
says. Numbers of images or errors decide nothing by themselves, except that a class counts as lost if none of many
images is recognized.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import numpy as np

from coverslip.evaluation.comparison import independent_difference
from coverslip.evaluation.intervals import FEWEST_GROUPS, exact_ends, share_of_images
from coverslip.evaluation.results import LEVEL, Evaluation, Metric
from coverslip.evaluation.table import METRICS
from coverslip.messages import has_entry, localized_number, message, text
from coverslip.reports.metric_rows import estimate
from coverslip.reports.reported import (
    DUPLICATES,
    ReportedRun,
    group_mean,
    group_words,
    listed,
    number,
    percent,
    range_after,
    read_run,
    relabeled,
    threshold_words,
    whole_percent,
    why_instant,
)
from coverslip.runs.error_rates import error_rates
from coverslip.runs.folder import Run, is_run, read_test_set_accesses
from coverslip.runs.recipe import protocol_code
from coverslip.runs.results import Evidence, StoredReason, evidence_of_classifier, metrics_of_classifier

Json = dict[str, Any]  # Any: values of parameters of messages
Use = Literal["yes", "care", "unknown", "no"]
Severity = Literal["no", "unknown", "care", "note"]
"""What a reason means for use: do not use, not known whether to use, use with care, or only to know."""
Action = Literal[
    "",
    "adapt",
    "check-labels",
    "choose-threshold",
    "inspect",
    "label-more",
    "name-groups",
    "test-more",
    "train-without-leakage",
]
"""What a user can do about a reason; empty: no single action."""

_SEVERITIES: tuple[Severity, ...] = ("no", "unknown", "care", "note")
# Faults that are not excluded; after those that are shown.
_GUESSING = "limit-not-above-chance"  # then what is not excluded says nothing more, nor does the largest class
_NOT_EXCLUDED = ("limit-unsure-classes", "limit-unsure-predictions", "limit-wide-interval", "limit-unsure-average")
# Labels are suspect in many trainings with correct labels, too, above all where classes are hard to recognize.
_AFTER_SHOWN, _LAST = ("limit-wrong-labels",), ("limit-possibly-wrong-labels",)

# Limits, of ends of 95% confidence intervals.

LOST_RECALL = 0.2  # upper end of the recall up to which a class counts as lost
HALF = 0.5  # of the images of a class, of its predictions, or of the way from chance to 1
USELESS = 1 / 3  # upper end of the share of the way from chance to 1 that balanced accuracy reaches
RANKED = 0.75  # lower end of macro-AUROC, above which thresholds are the cause of a low balanced accuracy
MANY_MISSED = 0.75  # upper end of the recall up to which many images are missed, whatever further test images show
MOST_WIDTH = 0.2  # of the intervals of accuracy and the primary metric
MOST_UNLIKE_GROUPS = 0.25  # upper end of the share of groups of a kind that no tested group shows
FEW_UNLIKE_GROUPS = 0.1
MISCALIBRATED = 0.05  # nearer end of mean probability minus accuracy, or lower end of the excess calibration error
MUCH_LOWER = 0.1  # less: upper end of the difference of mean recall to that on the own test set
UNFAMILIAR = 0.2  # lower end of the share of the images of an external test set
WRONG_LABELS = 0.02  # lower end of the share of the clearest images that have a label of another class
MANY_WRONG_LABELS = 0.1  # in the same way
MARKED_RECALL, MARKED_SPECIFICITY = 0.75, 0.85  # lower ends, of a class by the border of the images alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """A rule that applies to a result: a claim and its meaning."""

    code: str
    severity: Severity
    claim: str
    meaning: str
    action: Action
    next_step: str  # what would change it, and the button or command that does it; empty if nothing is known to


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether to use a classifier, in a sentence or two, and all reasons, the most serious first."""

    use: Use
    headline: str
    reasons: tuple[Reason, ...]

    @property
    def action(self) -> Action:
        """The action of the next step; empty if no single one does it."""
        return "" if self._first is None else self._first.action

    @property
    def next_step(self) -> str:
        """What would change the verdict, with the button or command that does it; empty if nothing is known to."""
        return "" if self._first is None else self._first.next_step

    @property
    def _first(self) -> Reason | None:
        """The first reason with a next step; elsewhere, a result below that at home is a matter of adapting first."""
        with_step = [reason for reason in self.reasons if reason.next_step]
        return next((reason for reason in with_step if reason.code == _LOWER), next(iter(with_step), None))

    @property
    def next_sentence(self) -> str:
        """The next step for a place without a title, or empty."""
        return text("verdict-next", step=self.next_step) if self.next_step else ""

    @property
    def further(self) -> tuple[Reason, ...]:
        """The reasons against use, or for care, besides that of the headline."""
        return tuple(reason for reason in self.reasons[1:] if reason.severity != "note")


# Parameters of all texts, unless a rule gives others.
_USUAL: Json = {
    "classes": "none",
    "predicted": "none",
    "confused": "none",
    "n_needed": 0,
    "has_groups": False,
    "has_folds": False,
    "can_have_folds": False,
}


Result = TypeVar("Result", Evaluation, ReportedRun)


@dataclass(frozen=True, slots=True)
class Rule(Generic[Result]):
    """A rule on results; its texts are the entry `code` of the catalogue, and its attributes `.meaning` and `.next`.

    Without `.next`, the next step is that of the action. `parameters` can contain another `action`, or `next`.
    """

    code: str
    severity: Severity
    parameters: Callable[[Result], Iterator[Json]]  # of the texts, once for each time that the rule applies
    action: Action = ""
    is_about_training: bool = False  # and not about measured images, which may be external

    def reasons(self, result: Result) -> Iterator[Reason]:
        """Yield a reason for each time that the rule applies."""
        metrics = result if isinstance(result, Evaluation) else result.metrics
        # Cross-validation would test more images. External images have a name that is none of a set.
        can_have_folds = metrics.split in ("test", "val")
        for parameters in self.parameters(result):
            facts = {"has_groups": bool(metrics.n_units), "has_folds": metrics.folds is not None}
            yield self.reason({**facts, **parameters, "can_have_folds": can_have_folds})

    def reason(self, parameters: Json) -> Reason:
        """Return the reason with these parameters of its texts."""
        parameters = {**_USUAL, **parameters}
        action: Action = parameters.get("action", self.action)
        step = parameters.get("next", "") if self.severity != "note" else ""
        if has_entry(f"{self.code}.next") and self.severity != "note":
            step = text(f"{self.code}.next", **parameters)
        elif action:
            step = text("verdict-action", **{**parameters, "action": action})
        claim, meaning = (text(code, **parameters) for code in (self.code, f"{self.code}.meaning"))
        return Reason(
            code=self.code, severity=self.severity, claim=claim, meaning=meaning, action=action, next_step=step
        )


def verdict_of_run(run: ReportedRun, *, has_notes: bool = True) -> Verdict:
    """Return the verdict on a run or an evaluation of it, with or without notes, for which larger files are read."""
    rules = tuple(
        rule
        for rule in RULES_OF_RUNS
        if (run.evaluation is None or not rule.is_about_training) and (has_notes or rule.severity != "note")
    )
    return verdict_of(run.metrics, _reasons(rules, run), is_external=run.evaluation is not None)


def verdict_of_classifier(path: Path) -> Verdict | None:
    """Return the verdict on a classifier without notes on its run; None if its metrics are not known.

    Args:
        path: a run folder, or a `.coverslip` file, in which the reasons are stored that its run gives.
    """
    if is_run(path):
        return verdict_of_run(read_run(path), has_notes=False) if Run(path).is_measured else None
    metrics, evidence = metrics_of_classifier(path), evidence_of_classifier(path)
    if metrics is None:
        return None
    rules = {(rule.code, rule.severity): rule for rule in RULES_OF_RUNS}
    stored = [(rules.get((each.code, each.severity)), each.parameters) for each in evidence.reasons]
    reasons: list[Reason] = []
    for rule, parameters in stored:
        with suppress(KeyError, TypeError, ValueError):  # stored by another version
            reasons += [] if rule is None else [rule.reason(parameters)]
    return verdict_of(metrics, reasons)


def evidence_of(run: ReportedRun) -> Evidence:
    """Return the reasons that a run gives besides its metrics, with which its classifier is exported."""
    rules = [rule for rule in RULES_OF_RUNS if rule.severity != "note"]
    applied = [(rule, _without_file_names(parameters)) for rule in rules for parameters in rule.parameters(run)]
    verdict = verdict_of(run.metrics, [rule.reason(parameters) for rule, parameters in applied])
    reasons = (StoredReason(code=rule.code, severity=rule.severity, parameters=each) for rule, each in applied)
    return Evidence(use=verdict.use, headline=verdict.headline, reasons=tuple(reasons))


def _without_file_names(parameters: Json) -> Json:
    """Return the parameters of a reason for an export: only the title of a finding, whose text can name files."""
    title = parameters.get("title")
    return {**parameters, "claim": title, "meaning": title} if title else parameters


def verdict_of(metrics: Evaluation, reasons: Sequence[Reason] = (), *, is_external: bool = False) -> Verdict:
    """Return the verdict on a classifier.

    Args:
        metrics: of the test images, or of external ones.
        reasons: of its run, by `RULES_OF_RUNS`.
        is_external: whether the images are an external test set.
    """
    reasons = [*reasons, *_reasons(RULES_OF_METRICS, metrics)]  # causes first
    if any(reason.code == _GUESSING for reason in reasons):
        reasons = [reason for reason in reasons if reason.code not in (*_NOT_EXCLUDED, "limit-like-majority-class")]
    reasons.sort(
        key=lambda reason: (
            _SEVERITIES.index(reason.severity),
            reason.code in _LAST,
            reason.code in _NOT_EXCLUDED,
            reason.code in _AFTER_SHOWN,
        )
    )
    worst = reasons[0] if reasons else None
    use: Use = "yes" if worst is None or worst.severity == "note" else worst.severity
    if worst is not None and worst.code == _EXTERNAL:
        is_usable = all(reason.severity == "note" for reason in reasons if reason.code != _EXTERNAL)
        sentences = [text("verdict-own-images", is_usable=is_usable), worst.claim]
    elif worst is not None and use != "yes":
        sentences = [text("verdict", use=use, is_external=is_external, has_groups=False), worst.claim]
    else:
        weakest = [row for row in shares_of_classes(metrics, "recall")[:1] if (row[1].value or 0) < 1]
        sentences = [text("verdict", use=use, is_external=is_external, has_groups=bool(metrics.n_units))]
        sentences += [_score_text(metrics, "external" if is_external else "")]
        sentences += [text("verdict-weakest-class", label=label, **_counts(recall)) for label, recall in weakest]
    return Verdict(use=use, headline=" ".join(sentences), reasons=tuple(reasons))


def _reasons(rules: tuple[Rule[Result], ...], result: Result) -> list[Reason]:
    return [reason for rule in rules for reason in rule.reasons(result)]


def verdict_as_json(verdict: Verdict) -> Json:
    """Return a verdict for programs: reasons by their codes, the most serious first."""
    reasons = [{"code": reason.code, "severity": reason.severity} for reason in verdict.reasons]
    return {"use": verdict.use, "headline": verdict.headline, "reasons": reasons, "next": verdict.next_step}


def counts_in_words(run: ReportedRun) -> str:
    """Return how many of the measured images are classified correctly."""
    return _score_text(run.metrics, "external" if run.evaluation is not None and run.is_unseen else "")


def _score_text(metrics: Evaluation, image_kind: str = "") -> str:
    matrix, n = metrics.confusion_matrix, metrics.n
    n_correct = sum(matrix[k][k] for k in range(len(matrix)))
    kind = "held-out" if metrics.folds is not None else image_kind or ("test" if metrics.split == "test" else "other")
    if n_correct == n and n > 1:
        return text("report-headline-all-correct", image_kind=kind, n_images=n)
    return text("report-headline", image_kind=kind, n_correct=n_correct, n_images=n)


# Rules on metrics

_MOST_CLASSES = 3  # that are named
_ENOUGH = 30  # test images of a class; then the interval of its recall is narrower than .4
_ENOUGH_MISSED = 20  # test images of a class none of which is recognized, so that it counts as lost
_LARGEST = 1.5  # times the mean size of the classes, above which accuracy depends most on one of them
_FEW_IMAGES, _RARE = 100, 10  # test images in total, and per class, for notes


def _when(is_true: bool, **parameters: Any) -> Iterator[Json]:
    if is_true:
        yield parameters


def _protocol(metrics: Evaluation) -> Iterator[Json]:
    """Yield a sentence for each step of a published protocol that the metrics depend on."""
    claim = " ".join(text(protocol_code(key)) for key in metrics.protocol)
    yield from _when(bool(claim), claim=claim, n_steps=len(metrics.protocol))


def _share_words(share: Metric) -> str:
    return percent(share.value or 0) + range_after(share, percent)


@dataclass(frozen=True, slots=True)
class _Skill:
    """Balanced accuracy, and the ends of its interval as shares of the way from chance to 1."""

    balanced: Metric
    chance: float
    low: float
    high: float

    @property
    def words(self) -> Json:
        """The parameters of the texts."""
        half = percent(self.chance + HALF * (1 - self.chance))
        return {"value": _share_words(self.balanced), "chance": percent(self.chance), "half": half}


def _skill(metrics: Evaluation) -> _Skill | None:
    """Return the skill, or None if classes without test images make it incomparable with chance.

    Without an interval, since there are too few groups, both ends are those of the value.
    """
    balanced, n_classes = metrics.metrics.get("balanced_accuracy"), len(metrics.classes)
    is_complete = len(shares_of_classes(metrics, "recall")) == n_classes
    if balanced is None or balanced.value is None or not is_complete or n_classes < 2:
        return None
    chance, ends = 1 / n_classes, (balanced.low, balanced.high)
    low, high = (((balanced.value if end is None else end) - chance) / (1 - chance) for end in ends)
    return _Skill(balanced, chance, low, high)


def _is_above_chance(metrics: Evaluation) -> bool:
    """Return whether predictions depend on the true class, by any of four measures that are constant by chance."""
    n_classes = len(metrics.classes)
    by_chance = {"balanced_accuracy": 1 / n_classes, "kappa": 0.0, "mcc": 0.0, "macro_auroc": 0.5}
    measured = ((metrics.metrics.get(name), chance) for name, chance in by_chance.items())
    return any(each is not None and each.low is not None and each.low > chance for each, chance in measured)


def _not_above_chance(metrics: Evaluation, *, is_known: bool) -> Iterator[Json]:
    """Yield if the classifier is not shown to be better than guessing, or is shown to be hardly better.

    Args:
        metrics: of the test images.
        is_known: whether it is shown not to be good; otherwise, there are too few images to say.
    """
    skill = _skill(metrics)
    auroc = metrics.metrics.get("macro_auroc")
    if skill is None or skill.balanced.low is None or (auroc is not None and (auroc.low or 0) > RANKED):
        return
    is_shown = _is_above_chance(metrics)
    if not is_known:
        yield from _when(not is_shown and skill.high >= HALF, **skill.words)
    elif skill.high < (USELESS if is_shown else HALF):
        predicted = [sum(column) for column in zip(*metrics.confusion_matrix, strict=True)]
        kappa = metrics.metrics.get("kappa")
        if is_shown:
            yield {"kind": "hardly", **skill.words}
        elif max(predicted) == metrics.n:
            yield {"kind": "constant", "n_images": metrics.n, "label": metrics.classes[predicted.index(metrics.n)]}
        elif kappa is not None and kappa.high is not None and kappa.high < 0:
            by_chance = sum(n * scores.n for n, scores in zip(predicted, metrics.per_class.values(), strict=True))
            words = {"value": _share_words(metrics["accuracy"]), "chance": percent(by_chance / metrics.n**2)}
            yield {"kind": "worse", "action": "", **words}
        else:
            yield {"kind": "not-shown", **skill.words}


def _mostly_wrong(metrics: Evaluation) -> Iterator[Json]:
    """Yield if the mean recall is below one half, unless it is hardly better than guessing."""
    skill = _skill(metrics)
    if skill is not None and skill.balanced.high is not None and skill.balanced.high < HALF:
        yield from _when(not any(True for rule in _CHANCE_RULES for _ in rule(metrics)), **skill.words)


def _weak(metrics: Evaluation, *, is_known: bool) -> Iterator[Json]:
    """Yield if balanced accuracy is, or may be, less than half the way from chance to 1, unless other rules say so."""
    skill = _skill(metrics)
    weak = (partial(_lost, is_of_many=False), partial(_lost, is_of_many=True), partial(_weak_classes, is_known=True))
    rules = (*_CHANCE_RULES, _mostly_wrong) if is_known else (*_CHANCE_RULES, *weak, _wide)
    if skill is not None and skill.low < HALF and not any(True for rule in rules for _ in rule(metrics)):
        yield from _when((skill.high < HALF) == is_known, **skill.words)


def shares_of_classes(metrics: Evaluation, name: Literal["recall", "precision"]) -> list[tuple[str, Metric]]:
    """Return recall or precision of each class for which it says something, the least first.

    If there are too few groups for an interval, it is that of single images, which is too narrow.
    """
    has_test = {label for label, scores in metrics.per_class.items() if scores.n}
    # Precision says something about a class without test images too, if images of several classes were predicted.
    labels = metrics.per_class if name == "precision" and len(has_test) > 1 else has_test
    rows = [(label, scores.metrics[name]) for label, scores in metrics.per_class.items() if label in labels]
    rows = [(label, _with_interval(share)) for label, share in rows if share.n_images]
    return sorted(rows, key=lambda row: (row[1].value or 0, -(row[1].n_images or 0)))


def _with_interval(share: Metric) -> Metric:
    is_computed = share.low is not None or share.n_correct is None or share.n_images is None
    return share if is_computed else share_of_images(share.n_correct or 0, share.n_images or 0)


def _ends(share: Metric) -> tuple[float, float]:
    return (0.0 if share.low is None else share.low), (1.0 if share.high is None else share.high)


def _counts(share: Metric) -> Json:
    return {"n_correct": share.n_correct, "n_images": share.n_images}


def _shares_in_words(rows: list[tuple[str, Metric]], code: str = "verdict-count-of-class") -> Json:
    """Return the parameters of texts on classes: their shares, and their names."""
    # The counts say how many images there are.
    intervals = [range_after(replace(share, n_images=None), percent) for _, share in rows]
    words = [
        text(code, label=label, interval=interval, **_counts(share))
        for (label, share), interval in zip(rows, intervals, strict=True)
    ]
    names = [text("verdict-class", label=label) for label, _ in rows]
    shares, classes = (listed(each, at_most=_MOST_CLASSES) for each in (words, names))
    return {"labels": shares, "classes": classes, "n_classes": len(rows)}


def _lost_classes(metrics: Evaluation) -> list[tuple[str, Metric]]:
    """Return the classes of which almost no image is recognized, or none of many, whatever the groups of these."""
    rows = shares_of_classes(metrics, "recall")
    missed = {label for label, recall in rows if not recall.value and (recall.n_images or 0) >= _ENOUGH_MISSED}
    return [(label, recall) for label, recall in rows if label in missed or _ends(recall)[1] < LOST_RECALL]


def _lost(metrics: Evaluation, *, is_of_many: bool) -> Iterator[Json]:
    """Yield the classes that are almost never recognized; the other classes are useful if they are the most of many."""
    lost = _lost_classes(metrics)
    has_many = len(shares_of_classes(metrics, "recall")) > 3 * len(lost)
    yield from _when(bool(lost) and has_many == is_of_many, **_shares_in_words(lost))


def _is_unknown_of_two(metrics: Evaluation, recall: Metric) -> bool:
    """Return whether the interval of the recall of one of two classes contains most values."""
    return len(metrics.classes) == 2 and recall.is_useless


def _unknown_of_two(metrics: Evaluation) -> Iterator[Json]:
    """Yield the classes of two whose recall is not known: each is half of the task."""
    rows = [row for row in shares_of_classes(metrics, "recall") if _is_unknown_of_two(metrics, row[1])]
    yield from _when(bool(rows), is_below=False, n_needed=_ENOUGH, **_shares_in_words(rows))


def _weak_classes(metrics: Evaluation, *, is_known: bool) -> Iterator[Json]:
    """Yield the classes of which fewer than half of the images are, or may be, recognized.

    Where the recall itself is below one half, or certainly not high, more test images would hardly help, but more
    training images may.
    """
    lost = {label for label, _ in _lost_classes(metrics)}
    rows = [row for row in shares_of_classes(metrics, "recall") if row[0] not in lost and _ends(row[1])[0] < HALF]
    rows = [row for row in rows if (_ends(row[1])[1] < HALF) == is_known and not _is_unknown_of_two(metrics, row[1])]
    has_many_missed = {label for label, recall in rows if (recall.value or 0) < HALF or _ends(recall)[1] < MANY_MISSED}
    for is_below in (True, False):
        if of_kind := [row for row in rows if (row[0] in has_many_missed) == is_below]:
            action = "label-more" if is_below else "test-more"
            confused = _confused(metrics, [label for label, _ in of_kind]) if is_below else ()
            yield {
                "is_below": is_below,
                "action": action,
                "n_needed": _n_needed([recall for _, recall in of_kind]),
                "confused": listed([text("verdict-class", label=label) for label in confused]) or "none",
                **_shares_in_words(of_kind),
            }


def _confused(metrics: Evaluation, labels: Sequence[str]) -> tuple[str, ...]:
    """Return the first two of these classes of which most errors are the other one."""
    wrong = np.array(metrics.confusion_matrix, dtype=float)
    np.fill_diagonal(wrong, 0)
    position = {label: metrics.classes.index(label) for label in labels}
    for first, second in combinations(labels, 2):
        pair = position[first], position[second]
        if all(2 * wrong[row, column] > wrong[row].sum() for row, column in (pair, pair[::-1])):
            return first, second
    return ()


def _false_alarms(metrics: Evaluation, *, is_known: bool) -> Iterator[Json]:
    """Yield the classes of which half of the predictions or more are, or may be, wrong.

    If most are right, classes are not named whose recall may be too low as well.
    """
    named = {label for label, recall in shares_of_classes(metrics, "recall") if _ends(recall)[0] < HALF}
    rows = [row for row in shares_of_classes(metrics, "precision") if _ends(row[1])[0] < HALF]
    rows = [row for row in rows if (row[1].value or 0) < HALF or row[0] not in named]
    rows = [row for row in rows if (_ends(row[1])[1] < HALF) == is_known]
    if rows:
        words = _shares_in_words(rows, "verdict-count-of-predictions")
        # Only classifiers of two classes have a threshold to choose.
        action = {"action": "label-more"} if is_known and len(metrics.classes) > 2 else {}
        n_needed = _n_needed([precision for _, precision in rows])
        yield {**words, **action, "predicted": words["classes"], "classes": "none", "n_needed": n_needed}


def _n_needed(shares: Sequence[Metric]) -> int:
    """Return the images of a class at which an interval is about as wide as an exact one of 30; 0 if all have so many.

    Intervals that include the differences between folds are wider, and need more images. Groups need more groups.
    """
    needed = 0
    for share in shares:
        n, (low, high) = share.n_images or 0, _ends(share)
        first, last = exact_ends(share.value or 0, n) if n else (0.0, 1.0)
        ratio = 1.0 if share.n_groups else max(1.0, (high - low) / (last - first))
        # The width falls with the number of images if all or none are right, else with its square root.
        enough = 10 * math.ceil(_ENOUGH * ratio ** (1 if share.value in (0, 1) else 2) / 10 - 0.1)
        needed = max(needed, enough if n < enough else 0)
    return needed


def _like_majority_class(metrics: Evaluation) -> Iterator[Json]:
    """Yield if accuracy is not above the share of a class that is much larger than the mean of the classes."""
    sizes, accuracy = _class_sizes(metrics), metrics.metrics.get("accuracy")
    result = metrics.against_majority_class
    if accuracy is None or accuracy.value is None or result in (None, "better") or sum(map(bool, sizes.values())) < 2:
        return
    label = max(sizes, key=lambda name: sizes[name])
    share = sizes[label] / sum(sizes.values())
    is_worse = result == "worse"
    is_largest = share * sum(map(bool, sizes.values())) > _LARGEST
    yield from _when(
        is_largest, is_worse=is_worse, label=label, majority=percent(share), accuracy=percent(accuracy.value)
    )


def _wide(metrics: Evaluation) -> Iterator[Json]:
    """Yield the wider interval of accuracy and the primary metric, if it is a share."""
    names = [name for name in ("accuracy", metrics.primary) if name in METRICS and METRICS[name].scale == "share"]
    measured = [(metrics.metrics[name], METRICS[name].title) for name in names if name in metrics.metrics]
    widest, title = max(measured, key=lambda row: row[0].width, default=(Metric(value=None), ""))
    if widest.width > MOST_WIDTH and widest.low is not None and widest.high is not None:
        low, high = map(whole_percent if widest.n_images else partial(number, digits=2), (widest.low, widest.high))
        yield {"metric": title, "low": low, "high": high}


def _miscalibrated(metrics: Evaluation, *, is_too_low: bool) -> Iterator[Json]:
    """Yield a mean probability that is too high, or else a calibration error above chance; or one that is too low.

    Too low probabilities are on the safe side: more predictions are uncertain, and none is trusted too much.
    """
    gap, excess = (metrics.metrics.get(name, Metric(value=None)) for name in ("confidence_gap", "ece_excess"))
    if gap.high is not None and gap.high < -MISCALIBRATED:
        yield from _when(is_too_low, kind="low", error=number(abs(gap.value or 0), 2))
    elif is_too_low:
        return
    elif gap.low is not None and gap.low > MISCALIBRATED:
        yield {"kind": "high", "error": number(gap.value, 2)}
    elif excess.low is not None and excess.low > MISCALIBRATED:
        yield {"kind": "both", "error": number(excess.value, 2)}


def _too_few_groups(metrics: Evaluation) -> Iterator[Json]:
    is_few = 0 < (metrics.n_units or 0) < FEWEST_GROUPS
    yield from _when(is_few, n_needed=FEWEST_GROUPS, **_group_words(metrics))


def _few_groups(metrics: Evaluation, least: float, end: float) -> Iterator[Json]:
    """Yield if the upper end of the share of groups of a kind that no tested group shows is in this range."""
    n = metrics.n_units or 0
    share = 1 - (1 - LEVEL) ** (1 / n) if n >= FEWEST_GROUPS else 0.0
    yield from _when(least < share <= end, share=percent(share), **_group_words(metrics))


def _group_words(metrics: Evaluation) -> Json:
    return {"has_folds": metrics.folds is not None, "groups": group_words(metrics)}


def _class_sizes(metrics: Evaluation) -> dict[str, int]:
    return {name: scores.n for name, scores in metrics.per_class.items()}


def _untested(metrics: Evaluation) -> Iterator[Json]:
    absent = [name for name, n in _class_sizes(metrics).items() if n == 0]
    classes = listed([text("verdict-class", label=label) for label in absent], at_most=_MOST_CLASSES)
    yield from _when(bool(absent), classes=classes, n_needed=_ENOUGH)


def _rare(metrics: Evaluation) -> Iterator[Json]:
    sizes = [(name, n) for name, n in _class_sizes(metrics).items() if n]
    rare = [f"{name} ({n})" for name, n in sizes if n < _RARE]
    yield from _when(bool(rare), is_all=len(rare) == len(sizes), n_fewest=_RARE, labels=listed(rare))


def _imbalanced(metrics: Evaluation) -> Iterator[Json]:
    sizes = [n for n in _class_sizes(metrics).values() if n]
    yield from _when(
        bool(sizes) and max(sizes) >= 5 * min(sizes), ratio=f"{max(sizes) / min(sizes):.0f}" if sizes else ""
    )


_CHANCE_RULES = (partial(_not_above_chance, is_known=True), partial(_not_above_chance, is_known=False))

RULES_OF_METRICS: tuple[Rule[Evaluation], ...] = (
    Rule(_GUESSING, "no", _CHANCE_RULES[0], "label-more"),
    Rule("limit-mostly-wrong", "no", _mostly_wrong, "label-more"),
    Rule("limit-class-lost", "no", lambda metrics: _lost(metrics, is_of_many=False), "label-more"),
    Rule("limit-no-test-image", "unknown", lambda metrics: _when(metrics.n == 0)),
    Rule(
        "limit-leaks",
        "unknown",
        lambda metrics: _when(bool(metrics.n_leaks), n_clusters=metrics.n_leaks),
        "train-without-leakage",
    ),
    Rule("limit-too-few-groups", "unknown", _too_few_groups, "test-more"),
    Rule("limit-chance-not-excluded", "unknown", _CHANCE_RULES[1], "test-more"),
    Rule("limit-unsure-classes", "unknown", _unknown_of_two, "test-more"),
    Rule("limit-class-lost-of-many", "care", lambda metrics: _lost(metrics, is_of_many=True), "label-more"),
    Rule("limit-leakage-allowed", "care", lambda metrics: _when(metrics.n_leaks == 0), "train-without-leakage"),
    Rule("limit-protocol", "care", _protocol, "test-more"),
    Rule("limit-validation-images", "care", lambda metrics: _when(metrics.split == "val"), "test-more"),
    Rule("limit-weak-classes", "care", lambda metrics: _weak_classes(metrics, is_known=True), "label-more"),
    Rule("limit-false-alarms", "care", lambda metrics: _false_alarms(metrics, is_known=True), "choose-threshold"),
    Rule("limit-unsure-classes", "care", lambda metrics: _weak_classes(metrics, is_known=False), "test-more"),
    Rule("limit-unsure-predictions", "care", lambda metrics: _false_alarms(metrics, is_known=False), "test-more"),
    Rule("limit-wide-interval", "care", _wide, "test-more"),
    Rule("limit-few-groups", "care", lambda metrics: _few_groups(metrics, MOST_UNLIKE_GROUPS, 1), "test-more"),
    Rule("limit-weak", "care", lambda metrics: _weak(metrics, is_known=True), "label-more"),
    Rule("limit-unsure-average", "care", lambda metrics: _weak(metrics, is_known=False), "test-more"),
    Rule("limit-class-without-test-image", "care", _untested, "test-more"),
    Rule("limit-miscalibrated", "care", lambda metrics: _miscalibrated(metrics, is_too_low=False)),
    Rule("limit-miscalibrated", "note", lambda metrics: _miscalibrated(metrics, is_too_low=True)),
    Rule("limit-no-groups", "note", lambda metrics: _when(not metrics.n_units), "name-groups"),
    Rule(
        "limit-few-groups",
        "note",
        lambda metrics: _few_groups(metrics, FEW_UNLIKE_GROUPS, MOST_UNLIKE_GROUPS),
    ),
    Rule("limit-few-test-images", "note", lambda metrics: _when(0 < metrics.n < _FEW_IMAGES, n_images=metrics.n)),
    Rule("limit-like-majority-class", "note", _like_majority_class),
    Rule("limit-rare-classes", "note", _rare),
    Rule("limit-class-imbalance", "note", _imbalanced),
)


# Rules on runs: on accesses to the test set, and the data

_SEEN = 0.1  # share of the evaluated images that were used in training
_MOST_RATES = 50  # classes whose error rates are drawn, which takes the square of their number in memory
_UNGROUPED = 0.1  # share of the images of a run without a known group
SERIOUS_FINDINGS = (
    "channel-files",
    "group-is-class",
    "hidden-groups",
    "no-signal",
    "shortcut",
)


_ACTION_OF_FINDING: dict[str, Action] = {"hidden-groups": "name-groups", "shortcut": "inspect"}


def _above_grouped(run: ReportedRun) -> Iterator[Json]:
    """Yield the value of a grouped split if sets can share groups and the run is like an image-level split.

    The estimate is that of instant classifiers, so it says nothing about a fine-tuned network.
    """
    leakage, training = run.leakage_estimate, run.training
    if leakage is None or leakage.metric not in run.metrics.metrics or training is None or training.chosen != "instant":
        return
    if not run.is_split_leaky and run.n_ungrouped < _UNGROUPED * len(run.used):
        return
    value = run.metrics[leakage.metric].value
    image_level, grouped = leakage.image_level.value, leakage.grouped.value
    if value is None or image_level is None or grouped is None or (leakage.difference.low or 0) <= 0:
        return
    yield from _when(
        abs(value - image_level) < abs(value - grouped),
        metric=METRICS[leakage.metric].title,
        value=number(value, 2),
        grouped=number(grouped, 2),
    )


def _seen_images(run: ReportedRun, *, are_many: bool) -> Iterator[Json]:
    images = None if run.evaluation is None else run.evaluation.evaluated_images
    n = 0 if images is None else images.n_used_in_training
    yield from _when(n > 0 and (n >= _SEEN * run.metrics.n) == are_many, n_images=n)


def _seen_groups(run: ReportedRun) -> Iterator[Json]:
    images = None if run.evaluation is None else run.evaluation.evaluated_images
    yield from _when(
        images is not None and images.n_of_seen_groups > 0, n_images=0 if images is None else images.n_of_seen_groups
    )


def _lower_than_own_test(run: ReportedRun, *, is_much: bool) -> Iterator[Json]:
    """Yield a significantly lower mean recall of the classes of both sets, which does not depend on their sizes."""
    if run.evaluation is None or not run.run.is_measured:
        return
    before, after = (dict(shares_of_classes(metrics, "recall")) for metrics in (run.run.metrics, run.metrics))
    labels = [label for label in before if label in after]
    if not labels or any(True for metrics in (run.run.metrics, run.metrics) for _ in _too_few_groups(metrics)):
        return
    of_training, external = (_mean([recalls[label] for label in labels]) for recalls in (before, after))
    difference = independent_difference(of_training, external, ("own", "external"))
    if difference.value is None or difference.high is None:
        return
    yield from _when(
        difference.high < 0 and (difference.high < -MUCH_LOWER) == is_much,
        is_much=is_much,
        are_all_classes=run.classes_of_both_sets is None,
        value=percent(external.value or 0),
        of_training=percent(of_training.value or 0),
    )


def _mean(shares: Sequence[Metric]) -> Metric:
    """Return the mean of independent shares, with the interval by the variances that their intervals imply.

    Source: Zou and Donner 2008, Construction of confidence limits about effect measures (MOVER).
    """
    value, n = sum(share.value or 0 for share in shares) / len(shares), len(shares)
    below, above = (sum((_ends(share)[end] - (share.value or 0)) ** 2 for share in shares) ** 0.5 / n for end in (0, 1))
    return Metric(value=value, low=max(0.0, value - below), high=min(1.0, value + above))


def _external_tests(run: ReportedRun) -> Iterator[Json]:
    """Yield the external tests that fail: the classifier is of no use there, or significantly worse."""
    for evaluation in run.run.evaluations:
        if not evaluation.is_measured:
            continue
        test = ReportedRun(run.run, evaluation)
        of_test = [
            (rule.severity, rule.code, each) for rule in _RULES_OF_EXTERNAL_TESTS for each in rule.parameters(test)
        ]
        of_metrics = [
            (rule.severity, rule.code, each) for rule in RULES_OF_METRICS for each in rule.parameters(test.metrics)
        ]
        claims = [
            (severity != "no", message(code, **each))
            for severity, code, each in (*of_test, *of_metrics)
            if severity == "no" or code == _LOWER
        ]
        if claims:
            is_worse, claim = min(claims, key=lambda row: row[0])
            yield {"name": evaluation.folder.name, "is_useless": not is_worse, "claim": asdict(claim)}


def _adapted(run: ReportedRun, severity: Severity) -> Iterator[Json]:
    """Yield the accuracy in the laboratory that a classifier was adapted to: unknown, shown to be low, or measured."""
    adapted = run.run.adaptation
    if adapted is None:
        return
    if (accuracy := adapted.accuracy) is None or accuracy.high is None:
        yield from _when(severity == "unknown", n_images=adapted.n_images)
        return
    are_all_labeled = adapted.n_labels >= adapted.n_images
    yield from _when(
        severity == ("no" if accuracy.high < HALF else "care"),
        n_labels=adapted.n_labels,
        n_right=adapted.n_right,
        n_right_before=adapted.n_right_before,
        is_of_one_group=adapted.n_groups == 1,
        are_all_labeled=are_all_labeled,
        action="test-more" if are_all_labeled else "adapt",
        accuracy=_share_words(accuracy),
    )


def _unfamiliar(run: ReportedRun) -> Iterator[Json]:
    rows = () if run.evaluation is None or run.tested is None else run.tested.rows
    share = share_of_images(sum(row.decision == "unfamiliar" for row in rows), len(rows))
    is_shown = share.low is not None and share.low > UNFAMILIAR
    yield from _when(is_shown, n_unfamiliar=share.n_correct, n_images=share.n_images)


def _wrong_labels(run: ReportedRun, *, are_many: bool) -> Iterator[Json]:
    checks = run.run.checks
    if checks is not None and (low := _ends(checks.wrong_labels)[0]) > WRONG_LABELS:
        yield from _when((low > MANY_WRONG_LABELS) == are_many, share=_share_words(checks.wrong_labels))


def _marks(run: ReportedRun) -> Iterator[Json]:
    """Yield the classes that the border alone recognizes in most images, and that it hardly predicts for others."""
    probes = () if run.run.checks is None else run.run.checks.border
    marks = [
        (probe.label, probe.recall)
        for probe in probes
        if _ends(probe.recall)[0] > MARKED_RECALL and _ends(probe.specificity)[0] > MARKED_SPECIFICITY
    ]
    yield from _when(bool(marks), **_shares_in_words(marks))


def _relabeled(run: ReportedRun) -> Iterator[Json]:
    sentence = relabeled(run)
    yield from _when(bool(sentence), claim=sentence)


def _unknown_labels(run: ReportedRun) -> Iterator[Json]:
    yield from _when(run.recipe.split.run is not None and run.first_of_split is None)


def _findings(run: ReportedRun, *, are_serious: bool) -> Iterator[Json]:
    inspection = run.run.inspection
    for finding in () if inspection is None else inspection.findings:
        if run.is_split_leaky and finding.code in DUPLICATES:  # their texts say that the split kept them together
            continue
        is_serious = finding.code in SERIOUS_FINDINGS
        if is_serious == are_serious and (is_serious or finding.limit):
            localized = finding.localized()
            claim = localized.limit if finding.code == "hidden-groups" else localized.text
            action = _ACTION_OF_FINDING.get(finding.code, "")
            yield {
                "claim": claim,
                "meaning": localized.limit or localized.do,
                "title": f"{localized.title}.",
                "action": action,
                "next": "" if action else localized.do,
            }


def _decided_after_test(run: ReportedRun) -> Iterator[Json]:
    yield from _when(read_test_set_accesses(run.run).decided > 0)


def _threshold_not_measured(run: ReportedRun) -> Iterator[Json]:
    """Yield once if test metrics are by the folds' thresholds, with the results of the classifier's own threshold."""
    points, positive = run.calibration.operating_points, run.metrics.positive_class
    if not run.n_folds or run.evaluation is not None or run.rule != "chosen threshold" or points is None:
        return
    if positive not in run.classes:
        yield {"has_point": False}
        return
    point = points[run.classes.index(positive)]
    yield {
        "has_point": point.sensitivity is not None,
        "label": positive,
        "threshold": localized_number(f"{point.threshold:.3g}"),
        "sensitivity": "" if point.sensitivity is None else percent(point.sensitivity),
        "specificity": "" if point.specificity is None else percent(point.specificity),
    }


def _not_distinguished(run: ReportedRun) -> Iterator[Json]:
    """Yield once if `summarise` does not correct proportions by the test images, although each class has some."""
    classes = () if run.tested is None else run.run.predictions.classes
    if 0 < len(classes) <= _MOST_RATES:
        yield from _when(error_rates(run.run, classes).reason == "summary-uninformative")


def _compared_runs(run: ReportedRun) -> Iterator[Json]:
    n = len(read_test_set_accesses(run.run).compared_with)
    yield from _when(n > 0, n_others=n, n_runs=n + 1)


def _tested_repeatedly(run: ReportedRun) -> Iterator[Json]:
    accesses = read_test_set_accesses(run.run)
    n_computed = 1 + accesses.evaluated + accesses.decided
    yield from _when(n_computed > 2, n_times=n_computed)


def _domains(run: ReportedRun) -> Iterator[Json]:
    if run.domains and not run.recipe.split.by_domain:
        of_test_images = {row.domain for row in run.used if row.split == run.metrics.split}
        tested = list(run.metrics.by_domain) or sorted(of_test_images)
        untested = [domain for domain in run.domains if domain not in tested]
        yield {"tested": listed(tested), "untested": listed(untested), "n_untested": len(untested)}


def _no_shared_class(run: ReportedRun) -> Iterator[Json]:
    if run.domains:
        pairs = {(row.label, row.domain) for row in run.used}
        yield from _when(all(sum(label == name for label, _ in pairs) < 2 for name in run.classes))


def _near_duplicates_unknown(run: ReportedRun) -> Iterator[Json]:
    inspection = run.run.inspection
    yield from _when(inspection is not None and not inspection.are_copies_known)


def _excluded(run: ReportedRun) -> Iterator[Json]:
    # Nothing is wrong with images that the recipe excludes, or that have no label.
    reasons = [row.reason for row in run.run.split if row.split == "excluded"]
    n = sum(not reason.startswith(("on request:", "no label")) for reason in reasons)
    yield from _when(n > 0, n_images=n)


_LOWER, _EXTERNAL = "limit-lower-than-own-test", "limit-external-test"
_RULES_OF_EXTERNAL_TESTS: tuple[Rule[ReportedRun], ...] = (
    Rule(_LOWER, "no", lambda run: _lower_than_own_test(run, is_much=True), "adapt"),
    Rule("limit-used-in-training", "unknown", lambda run: _seen_images(run, are_many=True), "test-more"),
    Rule("limit-used-in-training", "care", lambda run: _seen_images(run, are_many=False), "test-more"),
    Rule("limit-groups-of-training", "care", _seen_groups, "test-more"),
    Rule(_LOWER, "care", lambda run: _lower_than_own_test(run, is_much=False), "adapt"),
    Rule("limit-unfamiliar", "care", _unfamiliar, "adapt"),
)
RULES_OF_RUNS: tuple[Rule[ReportedRun], ...] = (
    *_RULES_OF_EXTERNAL_TESTS,
    Rule(_EXTERNAL, "care", _external_tests, "adapt", is_about_training=True),
    Rule("limit-adapted", "no", lambda run: _adapted(run, "no"), "adapt", is_about_training=True),
    Rule("limit-adapted-unchecked", "unknown", lambda run: _adapted(run, "unknown"), "adapt", is_about_training=True),
    Rule("limit-adapted", "care", lambda run: _adapted(run, "care"), "adapt", is_about_training=True),
    Rule("limit-mark", "unknown", _marks, is_about_training=True),
    Rule("limit-wrong-labels", "care", partial(_wrong_labels, are_many=True), "check-labels", is_about_training=True),
    Rule(
        "limit-possibly-wrong-labels",
        "care",
        partial(_wrong_labels, are_many=False),
        "check-labels",
        is_about_training=True,
    ),
    Rule("limit-above-grouped", "care", _above_grouped, "name-groups", is_about_training=True),
    Rule("limit-relabeled", "care", _relabeled, "test-more", is_about_training=True),
    Rule("report-unknown-labels", "care", _unknown_labels, "test-more", is_about_training=True),
    Rule("limit-unknown-initialization", "care", lambda run: _when(not run.initialization_is_known), "test-more"),
    Rule("limit-threshold-not-measured", "care", _threshold_not_measured, "test-more", is_about_training=True),
    Rule("limit-decision-after-test", "care", _decided_after_test, "test-more", is_about_training=True),
    Rule("limit-finding", "care", lambda run: _findings(run, are_serious=True), is_about_training=True),
    Rule(
        "limit-classifier-not-measured",
        "note",
        lambda run: _when(run.n_folds > 0, n_folds=run.n_folds),
        is_about_training=True,
    ),
    Rule("limit-classes-not-distinguished", "note", _not_distinguished, is_about_training=True),
    Rule("limit-compared-runs", "note", _compared_runs, is_about_training=True),
    Rule("limit-tested-repeatedly", "note", _tested_repeatedly, is_about_training=True),
    Rule(
        "limit-one-domain",
        "note",
        lambda run: _when(
            not run.domains and run.run.adaptation is None and not any(each.is_measured for each in run.run.evaluations)
        ),
        is_about_training=True,
    ),
    Rule("limit-training-domains", "note", _domains, is_about_training=True),
    Rule("limit-no-shared-class", "note", _no_shared_class, is_about_training=True),
    Rule("limit-near-duplicates", "note", _near_duplicates_unknown, is_about_training=True),
    Rule("limit-excluded-images", "note", _excluded, is_about_training=True),
    Rule(
        "limit-excluded-by-hand",
        "note",
        lambda run: _when(run.n_excluded_by_hand > 0, n_images=run.n_excluded_by_hand),
        is_about_training=True,
    ),
    Rule("limit-finding", "note", lambda run: _findings(run, are_serious=False), is_about_training=True),
    Rule("limit-scaled-per-image", "note", lambda run: _when(run.recipe.scaling == "per-image")),
    Rule("limit-known-classes", "note", lambda run: _when(True, n_classes=len(run.classes))),
    Rule("limit-class-proportions", "note", lambda run: _when(True)),
    Rule("limit-unverified-labels", "note", lambda run: _when(True)),
)


def set_titles() -> tuple[str, str]:
    """Return the titles of both sets whose metrics are compared."""
    return text("column-own-test-set"), text("column-external-test-set")


def against_own_test(run: ReportedRun) -> str:
    """Return how the primary metric differs from that on the run's test set; empty if both cannot be compared."""
    name = run.metrics.primary
    if not run.run.is_measured or name not in run.run.metrics.metrics:
        return ""
    of_training, external = run.on_both_sets
    difference = independent_difference(of_training[name], external[name], set_titles())
    if difference.value is None or difference.low is None or difference.high is None:
        return ""
    is_worse = (difference.value < 0) == (METRICS[name].better == "higher")
    is_same = difference.low <= 0 <= difference.high
    return text(
        "verdict-against-own-test",
        metric=METRICS[name].title,
        difference=str(estimate(difference, is_signed=True)),
        result="same" if is_same else "worse" if is_worse else "better",
    )


def without_groups(metrics: Evaluation, *, is_external: bool = False) -> str:
    """Return what it means that no groups were given; empty if they were, or if there is no result."""
    is_of_images = metrics.n and not metrics.n_units
    return text("verdict-without-groups", is_external=is_external) if is_of_images else ""


def _in_new_domain(run: ReportedRun) -> str:
    """Return the metric in domains that the classifiers were trained without; empty if they were not tested so."""
    domains = run.metrics.by_domain if run.evaluation is None and run.recipe.split.by_domain else {}
    name = run.metrics.primary
    values = [each.metrics[name].value for each in domains.values() if name in each.metrics]
    scores = [value for value in values if value is not None]
    if not scores:
        return ""
    numbers = (sum(scores) / len(scores), min(scores), max(scores))
    mean, lowest, highest = (str(estimate(Metric(value=each), digits=2)) for each in numbers)
    title = METRICS[name].title
    return text("report-new-domain", metric=title, mean=mean, n=len(scores), lowest=lowest, highest=highest)


def lead(run: ReportedRun, verdict: Verdict) -> list[str]:
    """Return the sentences below the headline and the further reasons."""
    accuracy = run.metrics["accuracy"]
    counts = [sum(row) for row in run.metrics.confusion_matrix]
    most = counts.index(max(counts))
    share = percent(counts[most] / max(sum(counts), 1))
    is_better = run.metrics.against_majority_class == "better"
    is_said = any(reason.code == _LOWER for reason in verdict.reasons)
    is_at_home = run.evaluation is None and run.run.adaptation is not None
    sentences = [
        text("report-at-home") if is_at_home else "",
        _in_new_domain(run),
        "" if verdict.use == "yes" else counts_in_words(run),
        threshold_words(run),
        text("report-accuracy", accuracy=f"{percent(accuracy.value or 0)}{range_after(accuracy, percent)}"),
        text("report-folds-intervals") if run.metrics.folds is not None else "",
        group_mean(run.metrics),
        why_instant(run) if run.evaluation is None else "",
        "" if is_better else text("report-majority-class", label=run.classes[most], accuracy=share),
        run.measured_groups if run.metrics.n_units else "",
        without_groups(run.metrics, is_external=run.evaluation is not None),
        "" if run.evaluation is None or is_said else against_own_test(run),
    ]
    return list(filter(None, sentences))
