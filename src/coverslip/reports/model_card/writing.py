"""The model card as Markdown."""

import re
from collections.abc import Iterable, Iterator, Sequence

from coverslip.reports import content
from coverslip.reports.model_card.item import Item
from coverslip.reports.model_card.metrics_reloaded import METRICS_RELOADED
from coverslip.reports.model_card.tripod import TRIPOD_AI
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.limits import limits
from coverslip.reports.sections.methods import methods, weights_words
from coverslip.reports.tables import estimate
from coverslip.reports.words import CI, headline, lead, listed, number, plural

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
