"""What a section of the report is: a record, and a template where the plain one is not enough."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coverslip.reports.figure_numbers import Numbers
from coverslip.reports.reported import ReportedRun
from coverslip.reports.tables import Cell

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLAIN = Path(__file__).with_name("plain.html")  # words, then the table, then drawings


@dataclass(frozen=True, slots=True)
class SectionText:
    """What a section says, for whoever shows it: the plain template, the API, the app."""

    words: Sequence[str] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Cell]] = ()  # the first cell of each is its name
    text_columns: Sequence[str] = ()  # titles of columns, besides the first, that hold text instead of numbers


@dataclass(frozen=True, slots=True)
class Drawing:
    """One figure; `figures/NAME.png`, `.svg` and, of its numbers, `.csv`; and part of the page."""

    name: str
    title: str  # what is seen, for those who cannot see it
    figure: Callable[[], "Figure"]
    numbers: Callable[[], Numbers]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One part of the report."""

    name: str
    title: str
    order: int  # smaller ones stand further up
    subtitle: Callable[[ReportedRun], str] = lambda run: ""
    is_about_training: bool = False  # and not about measured images, which may be others than the run's own
    applies: Callable[[ReportedRun], bool] = lambda run: True
    text: Callable[[ReportedRun], SectionText] = lambda run: SectionText()
    drawings: Callable[[ReportedRun], Sequence[Drawing]] = lambda run: ()
    shown: Callable[[ReportedRun], Mapping[str, Any]] = lambda run: {}  # Any: what its own template takes besides
    template: Path = PLAIN
