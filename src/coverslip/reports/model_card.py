"""The model card as Markdown: use, classifier, results, limits and methods of a run."""

import re
from collections.abc import Iterable, Iterator, Sequence

from coverslip.evaluation.results import Metric
from coverslip.images.reader import PIXEL_SIZE_FACTOR, pixel_side
from coverslip.messages import text
from coverslip.reports import metric_rows
from coverslip.reports.metric_rows import column_titles, estimate
from coverslip.reports.reported import ReportedRun, listed
from coverslip.reports.sections.methods import methods, weights_words
from coverslip.reports.verdict import lead, verdict_of_run
from coverslip.runs.classifier import TrainedOn

_INTENDED_USE = ("card-use", "card-users", "card-use-images")
_CLASS_COLUMNS = (
    *("column-class", "column-images", "column-precision", "column-recall", "column-specificity", "column-npv"),
    "column-f1",
)
_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|$~])")


def model_card_text(run: ReportedRun) -> str:
    """Return the model card from the files of the run; the intended use is left to its user."""
    return "\n".join(_lines(run)).rstrip() + "\n"


def _lines(run: ReportedRun) -> Iterator[str]:
    verdict = verdict_of_run(run)
    yield from (f"# {text('card-title', name=_escaped(run.run.folder.resolve().name))}", "", _about(run), "")
    yield from _use(run)
    yield from _section(text("card-title-classifier"), _bullets(_classifier(run)))
    below = " ".join([*(reason.claim for reason in verdict.further), *lead(run, verdict)])
    yield from _section(text("card-title-results"), [_escaped(verdict.headline), "", _escaped(below)])
    yield from _table(column_titles("column-metric", "column-value", "column-interval"), _metric_rows(run))
    yield from _table(column_titles(*_CLASS_COLUMNS), _class_rows(run))
    yield from _section(
        text("report-title-limits"), _bullets([(reason.claim, reason.meaning) for reason in verdict.reasons])
    )
    yield from _section(
        text("report-title-methods"), [line for paragraph in methods(run) for line in (_escaped(paragraph), "")]
    )


def _about(run: ReportedRun) -> str:
    environment = run.environment
    return _escaped(text("card-about", version=environment.coverslip, date=environment.started[:10]))


def _use(run: ReportedRun) -> Iterator[str]:
    card = run.run.card
    yield from _section(text("card-title-use"), _bullets([(text(code), "") for code in _INTENDED_USE]))
    if card is not None:
        yield from (f"**{text('card-not-for')}** {_escaped(card.must_not_be_used_for)}", "")


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
        facts.append((text("card-title-pixel-size"), _pixel_size(card.trained_on)))
    return facts


def _pixel_size(trained_on: TrainedOn) -> str:
    if trained_on.pixel_size_um is None or trained_on.pixel_side_um is None:
        return text("card-not-known")
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


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    yield from (f"## {title}", "", *lines, "")


def _bullets(pairs: Iterable[tuple[str, str]]) -> list[str]:
    return [f"- **{_escaped(title)}** {_escaped(answer) or text('card-to-fill-in')}" for title, answer in pairs]


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"
    for row in rows:
        yield f"| {' | '.join(map(_escaped, row))} |"
    yield ""


def _escaped(content: str) -> str:
    """Return a text on one line, with Markdown characters escaped."""
    return _MARKUP.sub(r"\\\1", " ".join(content.splitlines()))
