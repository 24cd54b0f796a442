"""The model card as Markdown, by the items of TRIPOD+AI and Metrics Reloaded.

Maier-Hein L, Reinke A et al. 2024. Metrics reloaded: recommendations for image analysis validation. Nature Methods
21:195-212. Applied to image-level classification; the questions are paraphrased.

Collins GS et al. 2024. TRIPOD+AI statement: updated guidance for reporting clinical prediction models that use
regression or machine learning methods. BMJ 385:e078378. The numbers are the guideline's, the subjects are paraphrased;
all 52 were compared with a copy of the published checklist.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from coverslip.evaluation.results import Metric
from coverslip.images.reader import PIXEL_SIZE_FACTOR, pixel_side
from coverslip.messages import text
from coverslip.reports import metric_rows
from coverslip.reports.metric_rows import column_titles, estimate
from coverslip.reports.reported import (
    ReportedRun,
    count,
    group_words,
    interval_after,
    listed,
)
from coverslip.reports.sections.data import flow_of
from coverslip.reports.sections.images import image_kind
from coverslip.reports.sections.methods import methods, prediction_methods, preprocessing_methods, weights_words
from coverslip.reports.sections.results import uncertain_words
from coverslip.reports.verdict import lead, verdict_of_run
from coverslip.runs.classifier import TrainedOn
from coverslip.runs.folder import Run


def not_known(run: ReportedRun) -> str:
    """Return that no file of the run contains it: its user must fill it in."""
    return text("card-not-known")


@dataclass(frozen=True, slots=True)
class Item:
    """An item of a reporting guideline."""

    code: str  # of the message with its subject, which is paraphrased; for TRIPOD+AI, with the number of the item
    answer: Callable[[ReportedRun], str] = not_known

    @property
    def title(self) -> str:
        """Number in the guideline, if the item has one, and subject."""
        number = self.code.removeprefix("tripod-")
        return text(self.code) if number == self.code else f"{number} {text(self.code)}"


_MANY_TIMES = 5  # ratio of the most to the least frequent class from which classes count as imbalanced


def _counts(run: ReportedRun) -> list[int]:
    return [scores.n for scores in run.metrics.per_class.values() if scores.n]


def _imbalance(run: ReportedRun) -> str:
    counts = _counts(run)
    if not counts:
        return not_known(run)
    ratio = max(counts) / min(counts)
    return text("card-imbalance", is_unequal=ratio >= _MANY_TIMES, ratio=f"{ratio:.1f}")


def _independence(run: ReportedRun) -> str:
    return text("card-independence", has_groups=bool(run.metrics.n_units), groups=group_words(run.metrics))


def _rule(run: ReportedRun) -> str:
    return text("card-decision-rule", rule=run.recipe.decide_by)


def _positive(run: ReportedRun) -> str:
    if run.metrics.positive_class:
        return text("card-positive-class", label=run.metrics.positive_class, not_known=not_known(run))
    return not_known(run)


def _label_errors(run: ReportedRun) -> str:
    errors = run.run.label_errors
    return text("card-labels-not-checked") if errors is None else text("card-label-errors", n_labels=errors.n_suspected)


def _values(run: ReportedRun, *names: str) -> str:
    values = {metric.name: metric for metric in metric_rows.metrics(run)}
    metric_texts = [
        f"{values[name].title} {_value(values[name])}"
        for name in names
        if name in values and values[name].value is not None
    ]
    return listed(metric_texts, len(metric_texts)) or text("card-no-metric")


METRICS_RELOADED = (
    Item("metrics-reloaded-problem", lambda run: text("card-problem")),
    Item("metrics-reloaded-classes", lambda run: str(len(run.classes))),
    Item("metrics-reloaded-positive-class", _positive),
    Item("metrics-reloaded-confusion-costs"),
    Item("metrics-reloaded-imbalance", _imbalance),
    Item("metrics-reloaded-prevalence"),
    Item("metrics-reloaded-label-errors", _label_errors),
    Item("metrics-reloaded-independence", _independence),
    Item("metrics-reloaded-scores", lambda run: text("card-scores")),
    Item("metrics-reloaded-decision", _rule),
    Item(
        "metrics-reloaded-multi-class-metrics",
        lambda run: _values(run, "balanced_accuracy", "macro_f1", "mcc", "kappa", "accuracy"),
    ),
    Item("metrics-reloaded-class-metrics", lambda run: text("card-class-metrics")),
    Item(
        "metrics-reloaded-ranking-metrics",
        lambda run: _values(run, "macro_auroc", "micro_auroc", "average_precision"),
    ),
    Item(
        "metrics-reloaded-calibration", lambda run: _values(run, "ece_excess", "calibration_slope", "brier", "log_loss")
    ),
)


def _sources(run: ReportedRun) -> str:
    folders = [images.domain or Path(images.root).name for images in run.environment.data]
    return text("card-sources", n_images=len(run.run.split), folders=listed(folders), not_known=not_known(run))


def _quality(run: ReportedRun) -> str:
    inspection = run.run.inspection
    if inspection is None:
        return not_known(run)
    findings = [finding.title.lower() for finding in inspection.findings if finding.severity != "advice"]
    return text(
        "card-quality",
        has_near_duplicates=inspection.are_copies_known,
        has_findings=bool(findings),
        findings="; ".join(sorted(set(findings))),
    )


def _paragraph_of_methods(run: ReportedRun, k: int) -> str:
    return methods(run)[k]


def _outcome(run: ReportedRun) -> str:
    return text("card-outcome", labels=listed(run.classes, 30), not_known=not_known(run))


def _predictors(run: ReportedRun) -> str:
    return text("card-predictors", image_set=image_kind(run) or not_known(run))


def _size(run: ReportedRun) -> str:
    counts = {name: scores.n for name, scores in run.metrics.per_class.items()}
    smallest = min(counts, key=lambda name: counts[name]) if counts else ""
    return text(
        "card-sample-size",
        n_images=run.metrics.n,
        has_classes=bool(counts),
        label=smallest,
        n_smallest=counts.get(smallest, 0),
    )


def _missing(run: ReportedRun) -> str:
    flow = flow_of(run)
    if not flow.excluded:
        return text("card-none-excluded")
    return text("card-excluded", reasons=listed([f"{count(n)} {reason}" for reason, n in flow.excluded.items()]))


def _clusters(run: ReportedRun) -> str:
    if not run.n_groups:
        return text("card-no-groups")
    groups = text("card-groups", n_groups=run.n_groups, is_leaky=run.is_split_leaky)
    return "; ".join(filter(None, [groups, run.without_group]))


def _measures(run: ReportedRun) -> str:
    return listed([metric.title for metric in metric_rows.metrics(run)], 30)


def _balance(run: ReportedRun) -> str:
    return text("card-class-balance", weights=str(run.recipe.class_weights), sampling=run.recipe.sampling)


def _fairness(run: ReportedRun) -> str:
    if run.metrics.by_column:
        return text("card-subgroups", columns=listed(list(run.metrics.by_column)))
    return text("card-no-subgroups", not_known=not_known(run))


def _output(run: ReportedRun) -> str:
    return f"{text('card-output', has_validation=run.has_validation)} {uncertain_words(run)}".strip()


def _differences(run: ReportedRun) -> str:
    evaluations = [_named(evaluation) for evaluation in run.run.evaluations if evaluation.is_measured]
    return text(
        "card-evaluation-data",
        image_set=run.split_words,
        n_evaluations=len(evaluations),
        evaluations=listed(evaluations),
    )


def _named(evaluation: Run) -> str:
    """Return the name of an evaluation, and how many of its images the classifier was trained on."""
    images = evaluation.evaluated_images
    n_used_in_training = 0 if images is None else images.n_used_in_training or 0
    return text("card-evaluation", name=evaluation.folder.name, n_used_in_training=n_used_in_training)


def _groups_of_parts(run: ReportedRun) -> str:
    sets = flow_of(run).sets
    return text("card-images-of-sets", sets=listed([f"{part.title} {count(part.n)}" for part in sets]))


def _specification(run: ReportedRun) -> str:
    return text("card-specification", network=run.recipe.model)


def _performance(run: ReportedRun) -> str:
    metric_texts = [f"{metric.title} {_value(metric)}" for metric in metric_rows.metrics(run) if metric.is_headline]
    return text("card-performance", metrics="; ".join(metric_texts))


def _value(metric: metric_rows.Measured) -> str:
    cell = estimate(metric)
    return f"{cell.value}{interval_after(cell.interval)}"


def _differences_between_clusters(run: ReportedRun) -> str:
    if run.metrics.by_domain:
        return text("card-domains", domains=listed(list(run.metrics.by_domain)))
    return text("card-folds") if run.n_folds else not_known(run)


def _poor_input(run: ReportedRun) -> str:
    card = run.run.card
    return text("card-poor-input", has_ood=card is not None and card.ood is not None)


def _software(run: ReportedRun) -> str:
    return text("card-software", version=run.environment.coverslip)


TRIPOD_AI = (
    Item("tripod-1"),
    Item("tripod-2"),
    Item("tripod-3a"),
    Item("tripod-3b"),
    Item("tripod-3c"),
    Item("tripod-4", lambda run: text("card-objective")),
    Item("tripod-5a", _sources),
    Item("tripod-5b"),
    Item("tripod-6a"),
    Item("tripod-6b"),
    Item("tripod-6c"),
    Item("tripod-7", _quality),
    Item("tripod-8a", _outcome),
    Item("tripod-8b"),
    Item("tripod-8c"),
    Item("tripod-9a", _predictors),
    Item("tripod-9b"),
    Item("tripod-9c"),
    Item("tripod-10", _size),
    Item("tripod-11", _missing),
    Item("tripod-12a", lambda run: _paragraph_of_methods(run, 0)),
    Item("tripod-12b", preprocessing_methods),
    Item("tripod-12c", lambda run: _paragraph_of_methods(run, 1)),
    Item("tripod-12d", _clusters),
    Item("tripod-12e", _measures),
    Item("tripod-12f", lambda run: run.delivered_words or text("card-not-updated")),
    Item("tripod-12g", prediction_methods),
    Item("tripod-13", _balance),
    Item("tripod-14", _fairness),
    Item("tripod-15", _output),
    Item("tripod-16", _differences),
    Item("tripod-17"),
    Item("tripod-18a"),
    Item("tripod-18b"),
    Item("tripod-18c"),
    Item("tripod-18d"),
    Item("tripod-18e"),
    Item("tripod-18f", _software),
    Item("tripod-19"),
    Item("tripod-20a", _missing),
    Item("tripod-20b"),
    Item("tripod-20c", _groups_of_parts),
    Item("tripod-21", _groups_of_parts),
    Item("tripod-22", _specification),
    Item("tripod-23a", _performance),
    Item("tripod-23b", _differences_between_clusters),
    Item("tripod-24", lambda run: run.delivered_words or text("card-no-update")),
    Item("tripod-25"),
    Item("tripod-26", lambda run: text("card-limitations")),
    Item("tripod-27a", _poor_input),
    Item("tripod-27b"),
    Item("tripod-27c"),
)


_INTENDED_USE = ("card-use", "card-users", "card-use-images")
_CLASS_COLUMNS = (
    *("column-class", "column-images", "column-precision", "column-recall", "column-specificity", "column-npv"),
    "column-f1",
)
_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|$~])")


def model_card_text(run: ReportedRun) -> str:
    """Return the model card from the files of the run; other items are marked as not known or to be filled in."""
    return "\n".join(_lines(run)).rstrip() + "\n"


def _lines(run: ReportedRun) -> Iterator[str]:
    verdict = verdict_of_run(run)
    yield from (f"# {text('card-title', name=_plain(run.run.folder.resolve().name))}", "", _about(run), "")
    yield from _use(run)
    yield from _section(text("card-title-classifier"), _bullets(_classifier(run)))
    below = " ".join([*(reason.claim for reason in verdict.further), *lead(run, verdict)])
    yield from _section(text("card-title-results"), [_plain(verdict.headline), "", _plain(below)])
    yield from _table(column_titles("column-metric", "column-value", "column-interval"), _metric_rows(run))
    yield from _table(column_titles(*_CLASS_COLUMNS), _class_rows(run))
    yield from _section(
        text("report-title-limits"), _bullets([(reason.claim, reason.meaning) for reason in verdict.reasons])
    )
    yield from _section(
        text("report-title-methods"), [line for paragraph in methods(run) for line in (_plain(paragraph), "")]
    )
    yield from _checklist("TRIPOD+AI", text("card-tripod"), TRIPOD_AI, run)
    yield from _checklist("Metrics Reloaded", text("card-metrics-reloaded"), METRICS_RELOADED, run)


def _about(run: ReportedRun) -> str:
    environment = run.environment
    return _plain(text("card-about", version=environment.coverslip, date=environment.started[:10]))


def _use(run: ReportedRun) -> Iterator[str]:
    card = run.run.card
    yield from _section(text("card-title-use"), _bullets([(text(code), "") for code in _INTENDED_USE]))
    if card is not None:
        yield from (f"**{text('card-not-for')}** {_plain(card.must_not_be_used_for)}", "")


def _classifier(run: ReportedRun) -> list[tuple[str, str]]:
    card = run.run.card
    facts = [
        (text("card-network"), run.recipe.model),
        (text("card-initial-weights"), weights_words(run) or text("card-see-methods")),
        (text("card-classes"), listed(run.classes, len(run.classes))),
    ]
    if card is not None:
        prepared = card.preprocessing
        input_images = text("card-input", size=str(prepared.image_size), resize=prepared.resize)
        n_images = card.trained_on.n_images if card.tested is None else card.tested.n_images
        facts.append((text("card-title-training-images"), text("card-training-images", n_images=n_images)))
        if card.tested is not None:
            facts.append((text("card-title-delivered"), run.delivered_words))
        facts.append((text("card-title-input"), input_images))
        facts.append((text("card-title-pixel-size"), _pixel_size(card.trained_on) or not_known(run)))
    return facts


def _pixel_size(trained_on: TrainedOn) -> str:
    if trained_on.pixel_size_um is None or trained_on.pixel_side_um is None:
        return ""
    low, high = trained_on.pixel_side_um
    is_same = high <= PIXEL_SIZE_FACTOR * low
    median = pixel_side(trained_on.pixel_size_um)
    return text("card-pixel-size", is_same=is_same, smallest=low, median=median, largest=high)


def _metric_rows(run: ReportedRun) -> Iterator[tuple[str, ...]]:
    for metric in metric_rows.metrics(run):
        cell = estimate(metric)
        yield metric.title, cell.value, cell.interval or "–"


def _class_rows(run: ReportedRun) -> Iterator[tuple[str, ...]]:
    for name, scores in run.metrics.per_class.items():
        names = ("precision", "recall", "specificity", "npv", "f1")
        numbers = (scores.metrics.get(metric, Metric(value=None)) for metric in names)
        yield name, str(scores.n), *(estimate(metric).value for metric in numbers)


def _checklist(title: str, about: str, items: Sequence[Item], run: ReportedRun) -> Iterator[str]:
    yield from _section(title, [_plain(about)])
    rows = [(item.title, item.answer(run)) for item in items]
    yield from _table(column_titles("column-item", "column-answer"), rows)


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    yield from (f"## {title}", "", *lines, "")


def _bullets(pairs: Iterable[tuple[str, str]]) -> list[str]:
    return [f"- **{_plain(title)}** {_plain(answer) or text('card-to-fill-in')}" for title, answer in pairs]


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"
    for row in rows:
        yield f"| {' | '.join(map(_plain, row))} |"
    yield ""


def _plain(content: str) -> str:
    """Return a text on one line, with Markdown characters escaped."""
    return _MARKUP.sub(r"\\\1", " ".join(content.splitlines()))
