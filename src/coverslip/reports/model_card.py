"""The model card as Markdown, by the items of TRIPOD+AI and Metrics Reloaded.

Maier-Hein L, Reinke A et al. 2024. Metrics reloaded: recommendations for image analysis validation. Nature Methods
21:195-212. For tasks that name whole images; the questions are in our words.

Collins GS et al. 2024. TRIPOD+AI statement: updated guidance for reporting clinical prediction models that use
regression or machine learning methods. BMJ 385:e078378. The numbers are the guideline's, the subjects our words; all 52
were compared with a copy of the published checklist.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from coverslip.reports import content
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.dataset_flow import flow_of
from coverslip.reports.sections.images import image_kind
from coverslip.reports.sections.limits import limits
from coverslip.reports.sections.methods import methods, weights_words
from coverslip.reports.sections.numbers import decided
from coverslip.reports.tables import estimate
from coverslip.reports.words import (
    CI,
    count,
    group_words,
    headline,
    lead,
    listed,
    number,
    plural,
    split_words,
    without_group,
)
from coverslip.runs import Run

NOT_KNOWN = "not known"


def not_known(run: ReportedRun) -> str:
    """What no file of the run tells: its user must."""
    return NOT_KNOWN


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to report."""

    number: str  # in the guideline; empty where it has none
    subject: str  # in our words
    answer: Callable[[ReportedRun], str] = not_known


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
    return rules.get(run.recipe.decide_by, f"a threshold for a target {run.recipe.decide_by}, from validation images")


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


_OF_CALIBRATION = ("ece_expected", "ece_uncalibrated")  # what the calibration error is compared with


def _sources(run: ReportedRun) -> str:
    folders = [images.domain or images.root for images in run.environment.data]
    return f"{plural(len(run.run.split), 'image')} from {listed(folders)}; who took them, where and how: {NOT_KNOWN}"


def _quality(run: ReportedRun) -> str:
    inspection = run.run.inspection
    if inspection is None:
        return NOT_KNOWN
    findings = [finding.title.lower() for finding in inspection.findings if finding.severity != "advice"]
    copies = "duplicates and near-duplicates" if inspection.are_copies_known else "duplicates"
    looked = f"every image was decoded and looked at for damage, {copies}, and other faults"
    found = f"found: {'; '.join(sorted(set(findings)))}" if findings else "nothing grave was found"
    return f"{looked}; {found} (data.json)"


def _part(run: ReportedRun, k: int) -> str:
    return methods(run)[k]


def _outcome(run: ReportedRun) -> str:
    return f"the label of each image, one of: {listed(run.classes, 30)}; how labels were given: {NOT_KNOWN}"


def _predictors(run: ReportedRun) -> str:
    return f"the pixels of one image: {image_kind(run) or NOT_KNOWN}"


def _size(run: ReportedRun) -> str:
    counts = {name: scores.n for name, scores in run.metrics.per_class.items()}
    smallest = min(counts, key=lambda name: counts[name]) if counts else ""
    least = f"; of the smallest class, {smallest}, {counts[smallest]} were measured" if smallest else ""
    return f"all images that there were; no size was calculated beforehand. {count(run.metrics.n)} were measured{least}"


def _missing(run: ReportedRun) -> str:
    flow = flow_of(run)
    if not flow.left_out:
        return "no image was excluded"
    return "excluded: " + listed([f"{count(n)} {reason}" for reason, n in flow.left_out.items()]) + " (split.csv)"


def _clusters(run: ReportedRun) -> str:
    if not run.n_groups:
        return "no groups (patients, slides) were known"
    divided = "may be divided between parts" if run.environment.allow_leakage else "were never divided between parts"
    return "; ".join(filter(None, [f"{plural(run.n_groups, 'group')} {divided}", without_group(run)]))


def _measures(run: ReportedRun) -> str:
    return listed([metric.title for metric in content.metrics(run) if metric.name not in _OF_CALIBRATION], 30)


def _balance(run: ReportedRun) -> str:
    recipe = run.recipe
    return f"class weights: {recipe.class_weights}; sampling: {recipe.sampling}"


def _fairness(run: ReportedRun) -> str:
    if run.metrics.by_column:
        return f"numbers by {listed(list(run.metrics.by_column))} stand in the report"
    return f"no column of subgroups was given; fairness: {NOT_KNOWN}"


def _output(run: ReportedRun) -> str:
    return f"a class and a calibrated probability for each class. {decided(run)}".strip()


def _differences(run: ReportedRun) -> str:
    evaluations = [_named(evaluation) for evaluation in run.run.evaluations if evaluation.is_measured]
    own = f"numbers are from {split_words(run)}, of the same origin as the training images"
    return f"{own}; also measured on: {listed(evaluations)}" if evaluations else own


def _named(evaluation: Run) -> str:
    """The name of an evaluation, and how many of its images the classifier was trained on."""
    images = evaluation.evaluated_images
    seen = f" ({plural(images.n_seen, 'image')} used in training)" if images is not None and images.n_seen else ""
    return f"{evaluation.folder.name}{seen}"


def _groups_of_parts(run: ReportedRun) -> str:
    parts = flow_of(run).parts
    return listed([f"{part.title} {count(part.n)}" for part in parts]) + " images; classes by part: see the report"


def _specification(run: ReportedRun) -> str:
    return f"{run.recipe.model}; the folder classifier/ holds weights and all settings, recipe.yaml every choice"


def _performance(run: ReportedRun) -> str:
    shown = [
        f"{metric.title} {number(metric.value)}" + _interval(metric)
        for metric in content.metrics(run)
        if metric.is_headline and metric.name not in _OF_CALIBRATION
    ]
    return "; ".join(shown) + ". By class: above"


def _interval(metric: content.Measured) -> str:
    interval = estimate(metric).interval
    return f" ({CI} {interval})" if interval else ""


def _across(run: ReportedRun) -> str:
    if run.metrics.by_domain:
        return f"by domain ({listed(list(run.metrics.by_domain))}): see the report"
    return "folds differ as the report shows" if run.n_folds else NOT_KNOWN


def _poor_input(run: ReportedRun) -> str:
    card = run.run.card
    unfamiliar = "; those in which the network sees what it hardly saw in training are called unfamiliar"
    return (
        "files that cannot be read get no prediction and a reason; images unlike the training images in size, depth or "
        f"colour get a warning{unfamiliar if card is not None and card.familiarity is not None else ''}"
    )


def _software(run: ReportedRun) -> str:
    return f"coverslip {run.environment.coverslip}; recipe.yaml and environment.json repeat the training"


TRIPOD_AI = (
    Item("1", "Title: that a model is developed or evaluated, for whom, of what"),
    Item("2", "Abstract"),
    Item("3a", "Context: why the model is needed, and what there is already"),
    Item("3b", "Who it is for, and where in their work it is used"),
    Item("3c", "Known inequalities between groups of people"),
    Item("4", "Objectives: development, evaluation or both", lambda run: "development and internal evaluation"),
    Item("5a", "Sources of the data", _sources),
    Item("5b", "Dates of the data"),
    Item("6a", "Setting: number and place of centres"),
    Item("6b", "Who was eligible"),
    Item("6c", "Treatments received"),
    Item("7", "Preparation of the data and checks of quality", _quality),
    Item("8a", "What is predicted, and how it was assessed", _outcome),
    Item("8b", "Who assessed it, with what training"),
    Item("8c", "Whether those who assessed it were blinded"),
    Item("9a", "Choice of what the prediction is made from", _predictors),
    Item("9b", "How that was measured (microscope, stain, scanner)"),
    Item("9c", "Who measured it, if that takes judgement"),
    Item("10", "Size of the sample, and why", _size),
    Item("11", "Missing data", _missing),
    Item("12a", "How the data were divided", lambda run: _part(run, 0)),
    Item("12b", "How inputs were handled", lambda run: _part(run, 1).partition(". ")[0] + "."),
    Item("12c", "Kind of model, and how it was built and chosen", lambda run: _part(run, 1)),
    Item("12d", "Clusters, such as patients and centres", _clusters),
    Item("12e", "Measures of performance", _measures),
    Item("12f", "Whether the model was updated after evaluation", lambda run: "it was not trained further"),
    Item("12g", "How predictions are calculated", lambda run: _part(run, 2).partition(" All metrics")[0]),
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
    Item("24", "Results of updating", lambda run: "none"),
    Item("25", "What the results mean"),
    Item("26", "Limitations", lambda run: "see “Limitations”"),
    Item("27a", "What happens with poor or missing input", _poor_input),
    Item("27b", "What users must know and do"),
    Item("27c", "What should be studied next"),
)


_TO_FILL = "_To be filled in._"
_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|$~])")


def model_card_text(run: ReportedRun) -> str:
    """All that can be known from the run's files; what cannot is left to fill in, or told to be not known."""
    return "\n".join(_lines(run)).rstrip() + "\n"


def _lines(run: ReportedRun) -> Iterator[str]:
    yield from (f"# Model card: {_plain(run.run.folder.resolve().name)}", "", _about(run), "")
    yield from _use(run)
    yield from _section("The classifier", _bullets(_classifier(run)))
    yield from _section("Results", [_plain(headline(run)), "", _plain(" ".join(lead(run)))])
    yield from _table(("metric", "value", CI), _metric_rows(run))
    yield from _table(("class", "images", "precision", "recall", "specificity", "NPV", "F1"), _class_rows(run))
    yield from _section("Limitations", _bullets(limits(run)))
    yield from _section("Methods", [line for text in methods(run) for line in (_plain(text), "")])
    yield from _checklist(
        "TRIPOD+AI", "What to report of a prediction model (Collins et al. 2024, BMJ 385:e078378).", TRIPOD_AI, run
    )
    yield from _checklist(
        "Metrics Reloaded",
        "What decides which metrics tell something (Maier-Hein, Reinke et al. 2024, Nature Methods 21:195–212).",
        METRICS_RELOADED,
        run,
    )


def _about(run: ReportedRun) -> str:
    environment = run.environment
    return _plain(
        f"Written by coverslip {environment.coverslip} from the files of the run of {environment.started[:10]}. What "
        "no file tells is “not known”: fill it in before you pass the classifier on."
    )


def _use(run: ReportedRun) -> Iterator[str]:
    card = run.run.card
    yield from _section("Intended use", _bullets([("For what", ""), ("By whom", ""), ("On which images", "")]))
    if card is not None:
        yield from (f"**Not for:** {_plain(card.must_not_be_used_for)}", "")


def _classifier(run: ReportedRun) -> list[tuple[str, str]]:
    card = run.run.card
    said = [
        ("Network", run.recipe.model),
        ("Starting weights", weights_words(run) or "see “Methods”"),
        ("Classes", listed(run.classes, len(run.classes))),
    ]
    if card is not None:
        said.append(("Trained on", plural(card.trained_on.n_images, "image")))
        size = card.preprocessing.image_size
        said.append(("Takes", f"images of any size, brought to {size} × {size} pixels ({card.preprocessing.resize})"))
    return said


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
    return [f"- **{_plain(title)}** {_plain(text) or _TO_FILL}" for title, text in pairs]


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"
    for row in rows:
        yield f"| {' | '.join(map(_plain, row))} |"
    yield ""


def _plain(text: str) -> str:
    """Text that stays text in Markdown, on one line."""
    return _MARKUP.sub(r"\\\1", " ".join(text.splitlines()))
