"""The result model: sections of blocks, which the HTML report, the pages and the command line render.

A section is a code, a title, a verdict and blocks: text with a table and figures, metrics, images, statements,
quotations or listings. `as_data` returns it for JSON: in the REST API, and in `results.json` of a run.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field
from pydantic.config import JsonDict

from coverslip.documented_fields import DocumentedFields
from coverslip.messages import text
from coverslip.registry import Registry
from coverslip.reports.figures import FigureData
from coverslip.reports.metric_rows import Cell, Estimate, MetricValue, estimate, reasons, shown
from coverslip.reports.reported import ReportedRun, with_interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from coverslip.runs.images import Picture

_MOST_OPEN_ROWS = 30


@dataclass(frozen=True, slots=True)
class FigureName(DocumentedFields):
    """A figure of the report: `figures/{name}.svg`, `.png` and `.csv` of the run or evaluation."""

    name: str
    title: str
    """Description of the figure for screen readers."""


@dataclass(frozen=True, slots=True)
class Drawing(FigureName):
    """A figure: part of the page, and written as `figures/NAME.png`, `.svg` and, with its data, `.csv`."""

    figure: "Callable[[], Figure]"
    numbers: Callable[[], FigureData] | None = None  # None: the figure is in pages without files


@dataclass(frozen=True, slots=True)
class SectionText:
    """Text, a table and figures."""

    words: Sequence[str] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Cell]] = ()  # the first cell of each row is its name
    text_columns: Sequence[str] = ()  # titles of columns, besides the first, that hold text instead of numbers
    heading: str = ""
    drawings: Sequence[Drawing] = ()
    pictures: Sequence[Path] = ()  # PNG files
    totals: Sequence[Sequence[Cell]] = ()  # rows of the table's foot
    summary: str = ""  # title of a table that is shown on request only
    kind: Literal["text"] = "text"

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show, even if there is a heading."""
        return not (self.words or self.rows or self.drawings or self.pictures)

    @property
    def folded(self) -> str:
        """The title of a table that is shown on request only, for example because it is long; empty: it is open."""
        is_long = len(self.rows) > _MOST_OPEN_ROWS
        return self.summary or (text("report-rows", n_rows=len(self.rows)) if is_long else "")


@dataclass(frozen=True, slots=True)
class MetricRows:
    """Metrics with their meaning and confidence interval."""

    metrics: Sequence[MetricValue]
    kind: Literal["metrics"] = "metrics"

    @property
    def columns(self) -> tuple[str, str]:
        """The titles of the columns of a table without the meanings."""
        return text("column-metric"), with_interval(text("column-value"))

    @property
    def rows(self) -> list[tuple[Cell, Cell]]:
        """The rows of this table."""
        return [(metric.title, estimate(metric)) for metric in self.metrics]


@dataclass(frozen=True, slots=True)
class Tile(DocumentedFields):
    """An image with its prediction."""

    image_id: str
    label: str
    predicted: str
    probability: float
    """Probability of the predicted class."""


@dataclass(frozen=True, slots=True)
class Gallery:
    """Images with their predictions."""

    tiles: Sequence[Tile]
    picture: "Callable[[str], Picture | None]"  # by image ID
    kind: Literal["gallery"] = "gallery"


@dataclass(frozen=True, slots=True)
class GalleryData:
    """Images with their predictions."""

    tiles: list[Tile]
    kind: Literal["gallery"] = "gallery"


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement with its explanation."""

    claim: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Statements:
    """Statements, each with its explanation."""

    rows: Sequence[Statement]
    kind: Literal["statements"] = "statements"


@dataclass(frozen=True, slots=True)
class Quotation:
    """Paragraphs for use in another text, or lines of a file below a title, which are shown on request only."""

    paragraphs: Sequence[str]
    summary: str = ""
    kind: Literal["quotation"] = "quotation"


Block = SectionText | MetricRows | Gallery | Statements | Quotation


@dataclass(frozen=True, slots=True)
class SectionContent:
    """A section of a result."""

    title: str
    blocks: Sequence[Block]
    name: str = ""
    subtitle: str = ""
    verdict: str = ""


def with_content(sections: Iterable[SectionContent]) -> Iterator[SectionContent]:
    """Yield sections without their empty blocks, and without those that have a title only."""
    for section in sections:
        blocks = [block for block in section.blocks if not (isinstance(block, SectionText) and block.is_empty)]
        if blocks or section.verdict:
            yield replace(section, blocks=blocks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A record of a section of the results of runs.

    To add a section, write it in a module of `reports/sections/`, list it in their `__init__.py`, and write its texts
    in `results.ftl` in all languages. The report, the pages and the command line then show it.
    """

    name: str
    title: Callable[[], str]
    order: int  # sections are sorted by it
    blocks: Callable[[ReportedRun], Iterable[Block]]
    subtitle: Callable[[ReportedRun], str] = lambda run: ""
    verdict: Callable[[ReportedRun], str] | None = None  # the result in a sentence, also where the section is empty
    is_about_training: bool = False  # and not about measured images, which may be external
    is_printed: bool = False  # by the command line after a training or an evaluation; others are in the report
    applies: Callable[[ReportedRun], bool] = lambda run: True

    def content(self, run: ReportedRun) -> SectionContent:
        """Return the section of a run."""
        verdict = self.verdict(run) if self.verdict else ""
        return SectionContent(self.title(), [*self.blocks(run)], self.name, self.subtitle(run), verdict)


SECTIONS: Registry[Section] = Registry("section", ())  # filled by `reports.sections`


@dataclass(frozen=True, slots=True)
class CellData(DocumentedFields):
    """A cell of a table, as text and, if it is a number, with its value and confidence interval."""

    text: str
    below: str = ""
    """A confidence interval or counts; empty if there are none."""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n_correct: int | None = None
    """Of `n_images`, if the value is a proportion of images."""
    n_images: int | None = None
    reason: str = ""
    """Why there is no value or interval."""


@dataclass(frozen=True, slots=True)
class TextData(DocumentedFields):
    """Text, a table and figures."""

    heading: str
    words: list[str]
    columns: list[str]
    text_columns: list[str]
    """Columns, besides the first, that contain text instead of numbers."""
    rows: list[list[CellData]]
    totals: list[list[CellData]]
    """Rows of the foot of the table."""
    reasons: list[str]
    """Reasons for missing numbers in rows, each once."""
    summary: str
    """Title of a table that is shown on request only; empty: it is open."""
    drawings: list[FigureName]
    """The available figures."""
    kind: Literal["text"] = "text"


BlockData = Annotated[TextData | MetricRows | GalleryData | Statements | Quotation, Field(discriminator="kind")]


def _describe_sections(schema: JsonDict) -> None:
    names = "; ".join(f"`{name}`: {record.title()}" for name, record in SECTIONS.items())
    schema["description"] = f"Of a run or evaluation: {names}. Empty if the section has no code."


@dataclass(frozen=True, slots=True)
class ReportSection(DocumentedFields):
    """A section of a result: a verdict and blocks."""

    name: Annotated[str, Field(json_schema_extra=_describe_sections)]
    title: str
    subtitle: str
    verdict: str
    """The result in a sentence; empty if there is none."""
    blocks: list[BlockData]


def as_data(section: SectionContent, figures: Path | None = None) -> ReportSection:
    """Return a section for JSON.

    Args:
        section: the section.
        figures: the folder of its figures, which lists those that are available; None: without figures.
    """
    blocks = [_block_data(block, figures) for block in section.blocks]
    return ReportSection(section.name, section.title, section.subtitle, section.verdict, blocks)


def _block_data(block: Block, figures: Path | None) -> BlockData:
    if isinstance(block, Gallery):
        return GalleryData([*block.tiles])
    if not isinstance(block, SectionText):
        return block
    return TextData(
        heading=block.heading,
        words=list(block.words),
        columns=list(block.columns) if block.rows else [],
        text_columns=list(block.text_columns),
        rows=[list(map(_cell_data, row)) for row in block.rows],
        totals=[list(map(_cell_data, row)) for row in block.totals],
        reasons=[*reasons([*block.rows, *block.totals]).values()],
        summary=block.folded,
        drawings=[
            FigureName(drawing.name, drawing.title)
            for drawing in block.drawings
            if figures is not None and (figures / f"{drawing.name}.svg").is_file()
        ],
    )


def _cell_data(cell: Cell) -> CellData:
    if not isinstance(cell, Estimate):
        return CellData(shown(cell), value=cell if isinstance(cell, int) else None)
    numbers = (cell.number, cell.low, cell.high, cell.n_correct, cell.n_images)
    return CellData(cell.value, cell.below, *numbers, cell.reason)
