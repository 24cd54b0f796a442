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

from coverslip.messages import text
from coverslip.reports import content
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.dataset_flow import flow_of
from coverslip.reports.sections.images import image_kind
from coverslip.reports.sections.methods import methods, prediction_methods, preprocessing_methods, weights_words
from coverslip.reports.sections.results import decided, limits
from coverslip.reports.tables import estimate
from coverslip.reports.words import (
    CI,
    count,
    group_words,
    headline,
    lead,
    listed,
    number,
    split_words,
    without_group,
)
from coverslip.runs import Run


def not_known(run: ReportedRun) -> str:
    """Return that no file of the run contains it: its user must fill it in."""
    return text("card-not-known")


@dataclass(frozen=True, slots=True)
class Item:
    """An item of a reporting guideline."""

    number: str  # in the guideline; empty if the item has none
    subject: str  # paraphrased
    answer: Callable[[ReportedRun], str] = not_known


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
    return text("card-independence", has_groups=bool(run.metrics.n_groups), groups=group_words(run.metrics))


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
    values = {metric.name: metric for metric in content.metrics(run)}
    metric_texts = [
        f"{values[name].title} {number(values[name].value)}"
        for name in names
        if name in values and values[name].value is not None
    ]
    return listed(metric_texts, len(metric_texts)) or text("card-no-metric")


METRICS_RELOADED = (
    Item("", "Problem category", lambda run: text("card-problem")),
    Item("", "Number of classes", lambda run: str(len(run.classes))),
    Item("", "Are the classes of unequal interest?", _positive),
    Item("", "Are some confusions graver than others?"),
    Item("", "Are the classes unequally frequent?", _imbalance),
    Item("", "Are frequencies in use those of the images measured?"),
    Item("", "Are there errors in the labels?", _label_errors),
    Item("", "Are the test cases independent?", _independence),
    Item("", "Does the classifier give scores for each class?", lambda run: text("card-scores")),
    Item("", "How is a score made a decision?", _rule),
    Item(
        "",
        "Metrics over all classes, from decisions",
        lambda run: _values(run, "balanced_accuracy", "macro_f1", "mcc", "kappa", "accuracy"),
    ),
    Item("", "Metrics of each class", lambda run: text("card-class-metrics")),
    Item(
        "",
        "Metrics over all thresholds",
        lambda run: _values(run, "macro_auroc", "micro_auroc", "average_precision"),
    ),
    Item("", "Are probabilities right?", lambda run: _values(run, "ece", "calibration_slope", "brier", "log_loss")),
)


_OF_CALIBRATION = ("ece_expected", "ece_uncalibrated")  # reference values of the calibration error


def _sources(run: ReportedRun) -> str:
    folders = [images.domain or images.root for images in run.environment.data]
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


def _part(run: ReportedRun, k: int) -> str:
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
    if not flow.left_out:
        return text("card-none-excluded")
    return text("card-excluded", reasons=listed([f"{count(n)} {reason}" for reason, n in flow.left_out.items()]))


def _clusters(run: ReportedRun) -> str:
    if not run.n_groups:
        return text("card-no-groups")
    groups = text("card-groups", n_groups=run.n_groups, is_leaky=run.environment.allow_leakage)
    return "; ".join(filter(None, [groups, without_group(run)]))


def _measures(run: ReportedRun) -> str:
    return listed([metric.title for metric in content.metrics(run) if metric.name not in _OF_CALIBRATION], 30)


def _balance(run: ReportedRun) -> str:
    return text("card-class-balance", weights=str(run.recipe.class_weights), sampling=run.recipe.sampling)


def _fairness(run: ReportedRun) -> str:
    if run.metrics.by_column:
        return text("card-subgroups", columns=listed(list(run.metrics.by_column)))
    return text("card-no-subgroups", not_known=not_known(run))


def _output(run: ReportedRun) -> str:
    return f"{text('card-output')} {decided(run)}".strip()


def _differences(run: ReportedRun) -> str:
    evaluations = [_named(evaluation) for evaluation in run.run.evaluations if evaluation.is_measured]
    return text(
        "card-evaluation-data",
        image_set=split_words(run),
        n_evaluations=len(evaluations),
        evaluations=listed(evaluations),
    )


def _named(evaluation: Run) -> str:
    """Return the name of an evaluation, and how many of its images the classifier was trained on."""
    images = evaluation.evaluated_images
    n_used_in_training = 0 if images is None else images.n_used_in_training or 0
    return text("card-evaluation", name=evaluation.folder.name, n_used_in_training=n_used_in_training)


def _groups_of_parts(run: ReportedRun) -> str:
    sets = flow_of(run).parts
    return text("card-images-of-sets", sets=listed([f"{part.title} {count(part.n)}" for part in sets]))


def _specification(run: ReportedRun) -> str:
    return text("card-specification", network=run.recipe.model)


def _performance(run: ReportedRun) -> str:
    metric_texts = [
        f"{metric.title} {number(metric.value)}" + _interval(metric)
        for metric in content.metrics(run)
        if metric.is_headline and metric.name not in _OF_CALIBRATION
    ]
    return text("card-performance", metrics="; ".join(metric_texts))


def _interval(metric: content.Measured) -> str:
    interval = estimate(metric).interval
    return f" ({CI} {interval})" if interval else ""


def _across(run: ReportedRun) -> str:
    if run.metrics.by_domain:
        return text("card-domains", domains=listed(list(run.metrics.by_domain)))
    return text("card-folds") if run.n_folds else not_known(run)


def _poor_input(run: ReportedRun) -> str:
    card = run.run.card
    return text("card-poor-input", has_ood=card is not None and card.ood is not None)


def _software(run: ReportedRun) -> str:
    return text("card-software", version=run.environment.coverslip)


TRIPOD_AI = (
    Item("1", "Title: that a model is developed or evaluated, for whom, of what"),
    Item("2", "Abstract"),
    Item("3a", "Context: why the model is needed, and what there is already"),
    Item("3b", "Who it is for, and where in their work it is used"),
    Item("3c", "Known inequalities between groups of people"),
    Item("4", "Objectives: development, evaluation or both", lambda run: text("card-objective")),
    Item("5a", "Sources of the data", _sources),
    Item("5b", "Dates of the data"),
    Item("6a", "Setting: number and place of centers"),
    Item("6b", "Who was eligible"),
    Item("6c", "Treatments received"),
    Item("7", "Preparation of the data and checks of quality", _quality),
    Item("8a", "What is predicted, and how it was assessed", _outcome),
    Item("8b", "Who assessed it, with what training"),
    Item("8c", "Whether those who assessed it were blinded"),
    Item("9a", "Choice of what the prediction is made from", _predictors),
    Item("9b", "How that was measured (microscope, stain, scanner)"),
    Item("9c", "Who measured it, if that takes judgment"),
    Item("10", "Size of the sample, and why", _size),
    Item("11", "Missing data", _missing),
    Item("12a", "How the data were divided", lambda run: _part(run, 0)),
    Item("12b", "How inputs were handled", preprocessing_methods),
    Item("12c", "Kind of model, and how it was built and chosen", lambda run: _part(run, 1)),
    Item("12d", "Clusters, such as patients and centers", _clusters),
    Item("12e", "Measures of performance", _measures),
    Item("12f", "Whether the model was updated after evaluation", lambda run: text("card-not-updated")),
    Item("12g", "How predictions are calculated", prediction_methods),
    Item("13", "What was done about unequal classes", _balance),
    Item("14", "What was done about fairness", _fairness),
    Item("15", "What the model gives out, and thresholds", _output),
    Item("16", "How training and evaluation differ", _differences),
    Item("17", "Ethical approval and consent"),
    Item("18a", "Funding"),
    Item("18b", "Conflicts of interest"),
    Item("18c", "Protocol"),
    Item("18d", "Registration"),
    Item("18e", "Where the data are"),
    Item("18f", "Where the code is", _software),
    Item("19", "Part that patients and the public had"),
    Item("20a", "Flow of participants", _missing),
    Item("20b", "Characteristics of participants"),
    Item("20c", "How development and evaluation data compare", _groups_of_parts),
    Item("21", "Numbers in each analysis", _groups_of_parts),
    Item("22", "The whole model, so that it can be used", _specification),
    Item("23a", "Performance with intervals", _performance),
    Item("23b", "Differences between clusters", _across),
    Item("24", "Results of updating", lambda run: text("card-no-update")),
    Item("25", "What the results mean"),
    Item("26", "Limitations", lambda run: text("card-limitations")),
    Item("27a", "What happens with poor or missing input", _poor_input),
    Item("27b", "What users must know and do"),
    Item("27c", "What should be studied next"),
)


_TO_FILL = "_To be filled in._"
_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|$~])")


def model_card_text(run: ReportedRun) -> str:
    """Return the model card from the files of the run; other items are marked as not known or to be filled in."""
    return "\n".join(_lines(run)).rstrip() + "\n"


def _lines(run: ReportedRun) -> Iterator[str]:
    yield from (f"# Model card: {_plain(run.run.folder.resolve().name)}", "", _about(run), "")
    yield from _use(run)
    yield from _section("The classifier", _bullets(_classifier(run)))
    yield from _section("Results", [_plain(headline(run)), "", _plain(" ".join(lead(run)))])
    yield from _table(("metric", "value", CI), _metric_rows(run))
    yield from _table(("class", "images", "precision", "recall", "specificity", "NPV", "F1"), _class_rows(run))
    yield from _section("Limitations", _bullets(limits(run)))
    yield from _section("Methods", [line for paragraph in methods(run) for line in (_plain(paragraph), "")])
    yield from _checklist(
        "TRIPOD+AI", "What to report of a prediction model (Collins et al. 2024, BMJ 385:e078378).", TRIPOD_AI, run
    )
    yield from _checklist(
        "Metrics Reloaded",
        "Which metrics are informative (Maier-Hein, Reinke et al. 2024, Nature Methods 21:195–212).",
        METRICS_RELOADED,
        run,
    )


def _about(run: ReportedRun) -> str:
    environment = run.environment
    return _plain(text("card-about", version=environment.coverslip, date=environment.started[:10]))


def _use(run: ReportedRun) -> Iterator[str]:
    card = run.run.card
    yield from _section("Intended use", _bullets([("For what", ""), ("By whom", ""), ("On which images", "")]))
    if card is not None:
        yield from (f"**Not for:** {_plain(card.must_not_be_used_for)}", "")


def _classifier(run: ReportedRun) -> list[tuple[str, str]]:
    card = run.run.card
    facts = [
        ("Network", run.recipe.model),
        ("Initial weights", weights_words(run) or text("card-see-methods")),
        ("Classes", listed(run.classes, len(run.classes))),
    ]
    if card is not None:
        prepared = card.preprocessing
        input_images = text("card-input", size=str(prepared.image_size), resize=prepared.resize)
        facts.append(("Training images", text("card-training-images", n_images=card.trained_on.n_images)))
        facts.append(("Input", input_images))
    return facts


def _metric_rows(run: ReportedRun) -> Iterator[tuple[str, ...]]:
    for metric in content.metrics(run):
        yield metric.title, number(metric.value), estimate(metric).interval or "–"


def _class_rows(run: ReportedRun) -> Iterator[tuple[str, ...]]:
    for row in content.classes(run):
        numbers = (row.precision, row.recall, row.specificity, row.npv, row.f1)
        yield row.name, str(row.n), *map(number, numbers)


def _checklist(title: str, about: str, items: Sequence[Item], run: ReportedRun) -> Iterator[str]:
    yield from _section(title, [_plain(about)])
    rows = [(f"{item.number} {item.subject}".strip(), item.answer(run)) for item in items]
    yield from _table(("item", "answer"), rows)


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    yield from (f"## {title}", "", *lines, "")


def _bullets(pairs: Iterable[tuple[str, str]]) -> list[str]:
    return [f"- **{_plain(title)}** {_plain(answer) or _TO_FILL}" for title, answer in pairs]


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"
    for row in rows:
        yield f"| {' | '.join(map(_plain, row))} |"
    yield ""


def _plain(content: str) -> str:
    """Return a text on one line, with Markdown characters escaped."""
    return _MARKUP.sub(r"\\\1", " ".join(content.splitlines()))
