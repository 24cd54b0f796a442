"""The model card as Markdown: use, classifier, results, limits and methods of a run."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from coverslip.images.reader import PIXEL_SIZE_FACTOR, pixel_side
from coverslip.messages import text
from coverslip.reports.blocks import Block, MetricRows, Quotation, SectionText, Statements
from coverslip.reports.metric_rows import Cell, shown
from coverslip.reports.reported import ReportedRun, listed
from coverslip.reports.sections.classes import PER_CLASS
from coverslip.reports.sections.methods import METHODS, weights_words
from coverslip.reports.sections.results import LIMITS, NUMBERS
from coverslip.reports.verdict import lead, verdict_of_run
from coverslip.runs.classifier import TrainedOn

_INTENDED_USE = ("card-use", "card-users", "card-use-images")
_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|$~])")


def model_card_text(run: ReportedRun) -> str:
    """Return the model card from the files of the run; the intended use is left to its user."""
    return "\n".join(_lines(run)).rstrip() + "\n"


def _lines(run: ReportedRun) -> Iterator[str]:
    verdict = verdict_of_run(run)
    yield from (f"# {text('card-title', name=_escaped(run.run.folder.resolve().name))}", "", _about(run), "")
    yield from _use(run)
    yield from _section(text("card-title-classifier"), _bullets(_classifier(run)))
    below = " ".join([*(reason.claim for reason in verdict.further), *lead(run, verdict), verdict.next_sentence])
    yield from _section(text("card-title-results"), [_escaped(verdict.headline), "", _escaped(below)])
    for record in (NUMBERS, PER_CLASS, LIMITS, METHODS):
        content = record.content(run)
        yield from _section(content.title, chain.from_iterable(map(_block_lines, content.blocks)))


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
        if prepared.channel_names:
            facts.append((text("card-title-channels"), "; ".join(map(", ".join, prepared.channel_names))))
        facts.append((text("card-title-pixel-size"), _pixel_size(card.trained_on)))
    return facts


def _pixel_size(trained_on: TrainedOn) -> str:
    if trained_on.pixel_size_um is None or trained_on.pixel_side_um is None:
        return text("card-not-known")
    low, high = trained_on.pixel_side_um
    is_same = high <= PIXEL_SIZE_FACTOR * low
    median = pixel_side(trained_on.pixel_size_um)
    return text("card-pixel-size", is_same=is_same, smallest=low, median=median, largest=high)


def _block_lines(block: Block) -> Iterator[str]:
    """Yield the lines of a block; of what the report shows on request only, nothing."""
    match block:
        case MetricRows():
            yield from _table(block.columns, block.rows)
        case SectionText():
            if heading := block.heading or block.summary:
                yield from (f"### {heading}", "")
            if block.rows:
                yield from _table(block.columns, [*block.rows, *block.totals])
            for sentence in block.words:
                yield from (_escaped(sentence), "")
        case Statements():
            yield from _bullets([(each.claim, each.meaning) for each in block.rows])
        case Quotation() if not block.summary:
            for paragraph in block.paragraphs:
                yield from (_escaped(paragraph), "")


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    yield from (f"## {title}", "", *lines, "")


def _bullets(pairs: Iterable[tuple[str, str]]) -> list[str]:
    return [f"- **{_escaped(title)}** {_escaped(answer) or text('card-to-fill-in')}" for title, answer in pairs]


def _table(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"
    for row in rows:
        yield f"| {' | '.join(_escaped(shown(cell)) for cell in row)} |"
    yield ""


def _escaped(content: str) -> str:
    """Return a text on one line, with Markdown characters escaped."""
    return _MARKUP.sub(r"\\\1", " ".join(content.splitlines()))
