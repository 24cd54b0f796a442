"""The verdict on a result: whether to use the classifier, and why, by one table of rules.

It is the headline of a result everywhere: report, pages, lists, cards, and the command line. The reasons of all rules
that apply are also the limitations of the result.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from coverslip.evaluation.comparison import independent_difference
from coverslip.evaluation.intervals import FEW_GROUPS_FOR_INTERVALS, FEWEST_GROUPS
from coverslip.evaluation.results import Evaluation, Metric
from coverslip.evaluation.table import METRICS
from coverslip.messages import text
from coverslip.reports.reported import (
    DUPLICATES,
    ReportedRun,
    group_mean,
    group_words,
    listed,
    number,
    percent,
    range_after,
    range_words,
    relabeled,
    threshold_words,
    value_words,
    why_instant,
)
from coverslip.runs.error_rates import error_rates
from coverslip.runs.folder import read_test_set_accesses
from coverslip.runs.recipe import protocol_code

Json = dict[str, Any]  # Any: values of parameters of messages
Use = Literal["yes", "care", "no"]
Severity = Literal["no", "care", "note"]  # what a reason means for use: do not use, use with care, or only to know

_SEVERITIES: tuple[Severity, ...] = ("no", "care", "note")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """A rule that applies to a result: a claim and its meaning."""

    code: str
    severity: Severity
    claim: str
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether to use a classifier, in a sentence or two, and all reasons, the most serious first."""

    use: Use
    headline: str
    reasons: tuple[Reason, ...]

    @property
    def further(self) -> tuple[Reason, ...]:
        """The reasons against use, or for care, besides that of the headline."""
        return tuple(reason for reason in self.reasons[1:] if reason.severity != "note")


Result = TypeVar("Result", Evaluation, ReportedRun)


@dataclass(frozen=True, slots=True)
class Rule(Generic[Result]):
    """A rule on results; its texts are the entry `code` of the catalogue, and the attribute `.meaning` of it."""

    code: str
    severity: Severity
    parameters: Callable[[Result], Iterator[Json]]  # of the texts, once for each time that the rule applies
    is_about_training: bool = False  # and not about measured images, which may be external

    def reasons(self, result: Result) -> Iterator[Reason]:
        """Yield a reason for each time that the rule applies."""
        for parameters in self.parameters(result):
            claim, meaning = (text(code, **parameters) for code in (self.code, f"{self.code}.meaning"))
            yield Reason(code=self.code, severity=self.severity, claim=claim, meaning=meaning)


def verdict_of_run(run: ReportedRun, *, has_notes: bool = True) -> Verdict:
    """Return the verdict on a run or an evaluation of it, with or without notes, for which larger files are read."""
    rules = tuple(
        rule
        for rule in RULES_OF_RUNS
        if (run.evaluation is None or not rule.is_about_training) and (has_notes or rule.severity != "note")
    )
    reasons = [*_reasons(RULES_OF_METRICS, run.metrics), *_reasons(rules, run)]
    return _verdict(reasons, counts_in_words(run))


def verdict_of_metrics(metrics: Evaluation) -> Verdict:
    """Return the verdict on a classifier of which only the metrics are known, as of an imported one."""
    return _verdict(_reasons(RULES_OF_METRICS, metrics), _score_text(metrics))


def _verdict(reasons: list[Reason], counts: str) -> Verdict:
    reasons.sort(key=lambda reason: _SEVERITIES.index(reason.severity))
    worst = reasons[0] if reasons else None
    use: Use = "yes" if worst is None or worst.severity == "note" else worst.severity
    first = counts if worst is None or use == "yes" else worst.claim
    return Verdict(use=use, headline=f"{text('verdict', use=use)} {first}", reasons=tuple(reasons))


def _reasons(rules: tuple[Rule[Result], ...], result: Result) -> list[Reason]:
    return [reason for rule in rules for reason in rule.reasons(result)]


def verdict_as_json(verdict: Verdict) -> Json:
    """Return a verdict for programs: reasons by their codes, the most serious first."""
    reasons = [{"code": reason.code, "severity": reason.severity} for reason in verdict.reasons]
    return {"use": verdict.use, "headline": verdict.headline, "reasons": reasons}


def counts_in_words(run: ReportedRun) -> str:
    """Return how many of the measured images are classified correctly."""
    return _score_text(run.metrics, "external" if run.evaluation is not None and run.is_unseen else "")


def _score_text(metrics: Evaluation, image_kind: str = "") -> str:
    matrix, n = metrics.confusion_matrix, metrics.n
    n_correct = sum(matrix[k][k] for k in range(len(matrix)))
    kind = "held-out" if metrics.folds is not None else image_kind or ("test" if metrics.split == "test" else "other")
    if n_correct == n and n > 1:
        return text("report-headline-all-correct", image_kind=kind, n_images=n)
    sentences = [text("report-headline", image_kind=kind, n_correct=n_correct, n_images=n)]
    for label, n_correct_of_class, n_of_class in _recalls(metrics)[:1]:
        numbers = {"n_correct": n_correct_of_class, "n_images": n_of_class}
        sentences.append(text("verdict-weakest-class", label=label, **numbers))
    return " ".join(sentences)


# Rules on metrics

_LOST, _FEWEST_OF_LOST = 0.1, 5  # recall up to which a class counts as never recognized, and its fewest images
_FEWEST = 10  # images of a class, or predictions, below which half of them wrong may be chance
_USELESS, _WEAK = 0.2, 0.5  # share of the way from chance to 1 that balanced accuracy reaches
_RANKED = 0.8  # macro-AUROC from which a low balanced accuracy is due to decision thresholds
_MOST_CLASSES = 3  # that are named
_VERY_FEW_IMAGES, _FEW_IMAGES, _RARE = 30, 100, 10  # test images in total, and per class
_VERY_FEW_GROUPS = 10
_MISCALIBRATED = 0.05  # calibration error above chance


def _when(is_true: bool, **parameters: Any) -> Iterator[Json]:
    if is_true:
        yield parameters


def _protocol(metrics: Evaluation) -> str:
    """Return a sentence for each step of a published protocol that the metrics depend on."""
    return " ".join(text(protocol_code(key)) for key in metrics.protocol)


def _share_words(share: Metric) -> str:
    return percent(share.value or 0) + range_after(share, percent)


def _above_chance(metrics: Evaluation) -> tuple[Metric, float, float] | None:
    """Return balanced accuracy, its chance level, and the share of the way from chance to 1.

    None if it is not measured, or if classes without test images make it incomparable with chance.
    """
    balanced, n_classes = metrics.metrics.get("balanced_accuracy"), len(metrics.classes)
    if balanced is None or balanced.value is None or len(_recalls(metrics)) < n_classes or n_classes < 2:
        return None
    return balanced, 1 / n_classes, (balanced.value - 1 / n_classes) / (1 - 1 / n_classes)


def _not_above_chance(metrics: Evaluation) -> Iterator[Json]:
    above, auroc = _above_chance(metrics), metrics.metrics.get("macro_auroc")
    if above is None or (auroc is not None and (auroc.value or 0) >= _RANKED):
        return
    balanced, chance, skill = above
    is_shown = balanced.low is None or balanced.low > chance
    kind = "not-shown" if not is_shown else "hardly" if (balanced.value or 0) < 2 * chance else "few"
    yield from _when(not is_shown or skill < _USELESS, kind=kind, value=_share_words(balanced), chance=percent(chance))


def _weak(metrics: Evaluation) -> Iterator[Json]:
    if above := _above_chance(metrics):
        balanced, chance, skill = above
        is_weak = skill < _WEAK and not any(_not_above_chance(metrics))
        yield from _when(is_weak, value=_share_words(balanced), chance=percent(chance))


def _recalls(metrics: Evaluation) -> list[tuple[str, int, int]]:
    """Return each class that has test images, with the number of recognized ones and of all, the worst first."""
    matrix = metrics.confusion_matrix
    rows = [(name, matrix[k][k], sum(matrix[k])) for k, name in enumerate(metrics.classes) if sum(matrix[k])]
    return sorted(rows, key=lambda row: (row[1] / row[2], -row[2]))


def _lost_classes(metrics: Evaluation) -> list[tuple[str, int, int]]:
    return [row for row in _recalls(metrics) if row[2] >= _FEWEST_OF_LOST and row[1] / row[2] <= _LOST]


def _counts_of_classes(rows: list[tuple[str, int, int]], code: str = "verdict-count-of-class") -> str:
    counts = [text(code, label=name, n_correct=n, n_images=n_all) for name, n, n_all in rows]
    return listed(counts, at_most=_MOST_CLASSES)


def _lost(metrics: Evaluation, *, is_of_many: bool) -> Iterator[Json]:
    """Yield the classes that are almost never recognized; the other classes are useful if they are the most of many."""
    lost = _lost_classes(metrics)
    has_many = len(_recalls(metrics)) > 3 * len(lost)
    yield from _when(bool(lost) and has_many == is_of_many, n_classes=len(lost), labels=_counts_of_classes(lost))


def _weak_classes(metrics: Evaluation) -> Iterator[Json]:
    lost = _lost_classes(metrics)
    weak = [row for row in _recalls(metrics) if row[2] >= _FEWEST and row[1] < row[2] / 2 and row not in lost]
    yield from _when(bool(weak), labels=_counts_of_classes(weak))


def _false_alarms(metrics: Evaluation) -> Iterator[Json]:
    matrix = metrics.confusion_matrix
    n_predicted = [sum(row[k] for row in matrix) for k in range(len(matrix))]
    rows = [(name, matrix[k][k], n_predicted[k]) for k, name in enumerate(metrics.classes) if sum(matrix[k])]
    wrong = sorted((row for row in rows if row[2] >= _FEWEST and row[1] < row[2] / 2), key=lambda row: row[1] / row[2])
    yield from _when(bool(wrong), labels=_counts_of_classes(wrong, "verdict-count-of-predictions"))


def _like_majority_class(metrics: Evaluation) -> Iterator[Json]:
    sizes, accuracy = _class_sizes(metrics), metrics.metrics.get("accuracy")
    result = metrics.against_majority_class
    if accuracy is None or accuracy.value is None or result in (None, "better") or len(_recalls(metrics)) < 2:
        return
    label = max(sizes, key=lambda name: sizes[name])
    share = sizes[label] / sum(sizes.values())
    is_worse = result == "worse"
    yield {"is_worse": is_worse, "label": label, "majority": percent(share), "accuracy": percent(accuracy.value)}


def _wide(metrics: Evaluation) -> Iterator[Json]:
    primary, record = metrics.metrics.get(metrics.primary), METRICS.get(metrics.primary)
    if primary is None or primary.low is None or primary.high is None or record is None or record.scale != "share":
        return
    ends = range_words(number(primary.low, primary.digits), number(primary.high, primary.digits))
    yield from _when(primary.is_wide, metric=record.title, interval=ends)


def _miscalibrated(metrics: Evaluation) -> Iterator[Json]:
    excess = metrics.metrics.get("ece_excess")
    is_shown = excess is not None and excess.low is not None and excess.low > _MISCALIBRATED
    yield from _when(is_shown, error=number(excess.value, 2) if excess is not None else "")


def _groups(metrics: Evaluation, least: int, end: int) -> Iterator[Json]:
    n = metrics.n_units or 0
    yield from _when(
        least <= n < end,
        has_folds=metrics.folds is not None,
        groups=group_words(metrics),
        n_needed=FEWEST_GROUPS,
    )


def _class_sizes(metrics: Evaluation) -> dict[str, int]:
    return {name: scores.n for name, scores in metrics.per_class.items()}


def _untested(metrics: Evaluation) -> Iterator[Json]:
    absent = [name for name, n in _class_sizes(metrics).items() if n == 0]
    yield from _when(bool(absent), labels=listed(absent))


def _rare(metrics: Evaluation) -> Iterator[Json]:
    sizes = [(name, n) for name, n in _class_sizes(metrics).items() if n]
    rare = [f"{name} ({n})" for name, n in sizes if n < _RARE]
    yield from _when(bool(rare), is_all=len(rare) == len(sizes), n_fewest=_RARE, labels=listed(rare))


def _imbalanced(metrics: Evaluation) -> Iterator[Json]:
    sizes = [n for n in _class_sizes(metrics).values() if n]
    yield from _when(
        bool(sizes) and max(sizes) >= 5 * min(sizes), ratio=f"{max(sizes) / min(sizes):.0f}" if sizes else ""
    )


RULES_OF_METRICS: tuple[Rule[Evaluation], ...] = (
    Rule("limit-no-test-image", "care", lambda metrics: _when(metrics.n == 0)),
    Rule("limit-leaks", "no", lambda metrics: _when(bool(metrics.n_leaks), n_clusters=metrics.n_leaks)),
    Rule("limit-not-above-chance", "no", _not_above_chance),
    Rule("limit-class-lost", "no", lambda metrics: _lost(metrics, is_of_many=False)),
    Rule("limit-class-lost-of-many", "care", lambda metrics: _lost(metrics, is_of_many=True)),
    Rule("limit-leakage-allowed", "care", lambda metrics: _when(metrics.n_leaks == 0)),
    Rule("limit-protocol", "care", lambda metrics: _when(bool(metrics.protocol), claim=_protocol(metrics))),
    Rule("limit-validation-images", "care", lambda metrics: _when(metrics.split == "val")),
    Rule("limit-wide-interval", "care", _wide),
    Rule("limit-few-test-images", "care", lambda metrics: _when(0 < metrics.n < _VERY_FEW_IMAGES, n_images=metrics.n)),
    Rule("limit-too-few-groups", "care", lambda metrics: _groups(metrics, 1, FEWEST_GROUPS)),
    Rule("limit-few-groups", "care", lambda metrics: _groups(metrics, FEWEST_GROUPS, _VERY_FEW_GROUPS)),
    Rule("limit-weak", "care", _weak),
    Rule("limit-weak-classes", "care", _weak_classes),
    Rule("limit-false-alarms", "care", _false_alarms),
    Rule("limit-like-majority-class", "care", _like_majority_class),
    Rule("limit-class-without-test-image", "care", _untested),
    Rule("limit-miscalibrated", "care", _miscalibrated),
    Rule("limit-no-groups", "note", lambda metrics: _when(not metrics.n_units)),
    Rule("limit-few-groups", "note", lambda metrics: _groups(metrics, _VERY_FEW_GROUPS, FEW_GROUPS_FOR_INTERVALS)),
    Rule(
        "limit-few-test-images",
        "note",
        lambda metrics: _when(_VERY_FEW_IMAGES <= metrics.n < _FEW_IMAGES, n_images=metrics.n),
    ),
    Rule("limit-rare-classes", "note", _rare),
    Rule("limit-class-imbalance", "note", _imbalanced),
)


# Rules on runs: on accesses to the test set, and the data

_UNFAMILIAR = 0.2  # share of the images of an external test set
_MUCH_LOWER = 0.2  # difference of balanced accuracy from that on the run's test set
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
    """Yield a significantly lower balanced accuracy, which does not depend on class proportions."""
    name = "balanced_accuracy"
    if run.evaluation is None or not run.run.is_measured:
        return
    before, after = run.run.metrics, run.metrics
    if name not in before.metrics or name not in after.metrics:
        return
    if {row[0] for row in _recalls(before)} != {row[0] for row in _recalls(after)}:
        return
    difference = independent_difference(before[name], after[name], ("own", "external"))
    if difference.value is None or difference.high is None:
        return
    yield from _when(
        difference.high < 0 and (difference.value <= -_MUCH_LOWER) == is_much,
        is_much=is_much,
        value=percent(after[name].value or 0),
        of_training=percent(before[name].value or 0),
    )


def _unfamiliar(run: ReportedRun) -> Iterator[Json]:
    rows = () if run.evaluation is None or run.tested is None else run.tested.rows
    n = sum(row.decision == "unfamiliar" for row in rows)
    yield from _when(n > _UNFAMILIAR * len(rows), n_unfamiliar=n, n_images=len(rows))


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
            yield {"claim": claim, "meaning": localized.limit or localized.do}


def _decided_after_test(run: ReportedRun) -> Iterator[Json]:
    yield from _when(read_test_set_accesses(run.run).decided > 0)


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
    if run.domains:
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
    # Prefix of the reason for images that the recipe excludes. Nothing is wrong with those images.
    reasons = [row.reason for row in run.run.split if row.split == "excluded"]
    n = sum(not reason.startswith("on request:") for reason in reasons)
    yield from _when(n > 0, n_images=n)


RULES_OF_RUNS: tuple[Rule[ReportedRun], ...] = (
    Rule("limit-used-in-training", "no", lambda run: _seen_images(run, are_many=True)),
    Rule("limit-used-in-training", "care", lambda run: _seen_images(run, are_many=False)),
    Rule("limit-groups-of-training", "care", _seen_groups),
    Rule("limit-above-grouped", "care", _above_grouped, is_about_training=True),
    Rule("limit-lower-than-own-test", "no", lambda run: _lower_than_own_test(run, is_much=True)),
    Rule("limit-lower-than-own-test", "care", lambda run: _lower_than_own_test(run, is_much=False)),
    Rule("limit-unfamiliar", "care", _unfamiliar),
    Rule("limit-relabeled", "care", _relabeled, is_about_training=True),
    Rule("report-unknown-labels", "care", _unknown_labels, is_about_training=True),
    Rule("limit-unknown-initialization", "care", lambda run: _when(not run.initialization_is_known)),
    Rule(
        "limit-decision-after-test",
        "care",
        _decided_after_test,
        is_about_training=True,
    ),
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
    Rule("limit-one-domain", "note", lambda run: _when(not run.domains), is_about_training=True),
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


def lead(run: ReportedRun, verdict: Verdict) -> list[str]:
    """Return the sentences below the headline and the further reasons."""
    accuracy, f1 = run.metrics["accuracy"], run.metrics["macro_f1"]
    counts = [sum(row) for row in run.metrics.confusion_matrix]
    most = counts.index(max(counts))
    share = percent(counts[most] / max(sum(counts), 1))
    sentences = [
        "" if verdict.use == "yes" else counts_in_words(run),
        threshold_words(run),
        text("report-accuracy", accuracy=f"{percent(accuracy.value or 0)}{range_after(accuracy, percent)}"),
        group_mean(run.metrics),
        "" if f1.value is None else text("report-macro-f1", f1=value_words(f1)),
        why_instant(run) if run.evaluation is None else "",
        text("report-majority-class", label=run.classes[most], accuracy=share),
        run.measured_groups if run.metrics.n_units else "",
    ]
    return list(filter(None, sentences))
