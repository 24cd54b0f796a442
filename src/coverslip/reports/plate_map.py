"""Map of the wells of a plate, colored by a proportion, as SVG."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from coverslip.errors import CoverslipError
from coverslip.evaluation.plates import Well, plate_size, wells_of
from coverslip.files import check_replaceable, write_text
from coverslip.reports.figures import shortened
from coverslip.reports.words import number

_CELL, _MARGIN, _TITLE, _LEGEND = 26, 28, 44, 46  # pixels
_LONGEST_TITLE = 44  # characters
_FONT = "font-family='Inter, Arial, sans-serif' font-size='11' fill='#333'"


def write_plate_map(samples: Sequence[str], shares: Mapping[str, Mapping[str, float | None]], file: Path) -> None:
    """Draw the wells of each plate as SVG, colored by the proportion of each class.

    Args:
        samples: whose names end in a well.
        shares: by class: the proportion in each sample; None: unknown.
        file: the image.

    Raises:
        CoverslipError: the samples are no wells; the file exists and is no SVG image, or cannot be written.
    """
    wells = wells_of(samples)
    if wells is None:
        raise CoverslipError("samples-are-no-wells", file=file, sample=samples[0])
    check_replaceable(file, b"<svg")
    write_text(file, plate_map(wells, shares))


def plate_map(wells: Mapping[str, Well], shares: Mapping[str, Mapping[str, float | None]]) -> str:
    """Return an SVG image with a plate for each class and plate.

    Args:
        wells: of each sample.
        shares: by class: the proportion in each sample; None: unknown.
    """
    plates = list(dict.fromkeys(well.plate for well in wells.values()))
    n_rows, n_columns = plate_size(list(wells.values()))
    width, height = _MARGIN + n_columns * _CELL + 10, _TITLE + n_rows * _CELL + _LEGEND
    parts = []
    for x, (name, of_class) in enumerate(shares.items()):
        largest = max((share for share in of_class.values() if share is not None), default=1.0) or 1.0
        for y, plate in enumerate(plates):
            on_plate = {sample: well for sample, well in wells.items() if well.plate == plate}
            title = f"{name} · {plate}" if plate else name
            drawn = _plate(shortened(title, _LONGEST_TITLE), on_plate, of_class, largest, (n_rows, n_columns))
            parts.append(f"<g transform='translate({x * width}, {y * height})'>{drawn}</g>")
    size = f"width='{len(shares) * width}' height='{len(plates) * height}'"
    background = "<rect width='100%' height='100%' fill='white'/>"  # texts are dark, also on a dark page
    return f"<svg xmlns='http://www.w3.org/2000/svg' {size} {_FONT}>{background}{''.join(parts)}</svg>\n"


def _plate(
    title: str,
    wells: Mapping[str, Well],
    shares: Mapping[str, float | None],
    largest: float,
    size: tuple[int, int],
) -> str:
    n_rows, n_columns = size
    parts = [f"<text x='{_MARGIN}' y='16' font-weight='600'>{escape(title)}</text>"]
    for k in range(n_columns):
        parts.append(f"<text x='{_MARGIN + (k + 0.5) * _CELL}' y='36' text-anchor='middle'>{k + 1}</text>")
    for k in range(n_rows):
        y = _TITLE + (k + 0.5) * _CELL + 4
        parts.append(f"<text x='{_MARGIN - 8}' y='{y}' text-anchor='end'>{chr(ord('A') + k)}</text>")
    by_place = {(well.row, well.column): sample for sample, well in wells.items()}
    for row in range(n_rows):
        for column in range(n_columns):
            sample = by_place.get((row, column))
            share = None if sample is None else shares[sample]
            tip = "" if sample is None else f"<title>{escape(sample)}: {number(share)}</title>"
            color = "none" if share is None else _color(share / largest)
            x, y = _MARGIN + (column + 0.5) * _CELL, _TITLE + (row + 0.5) * _CELL
            dash = " stroke-dasharray='2 2'" if share is None else ""
            parts.append(
                f"<circle cx='{x}' cy='{y}' r='{_CELL / 2 - 2}' fill='{color}' stroke='#999'{dash}>{tip}</circle>"
            )
    return "".join((*parts, _legend(largest, _TITLE + n_rows * _CELL + 10)))


def _legend(largest: float, top: int) -> str:
    boxes = ((_MARGIN + 10 * k, _color(k / 10)) for k in range(11))
    steps = [f"<rect x='{x}' y='{top}' width='10' height='10' fill='{color}'/>" for x, color in boxes]
    ends = f"<text x='{_MARGIN}' y='{top + 24}'>0</text>"
    return f"{''.join(steps)}{ends}<text x='{_MARGIN + 110}' y='{top + 24}' text-anchor='end'>{number(largest)}</text>"


def _color(share: float) -> str:
    """Return a color from white to dark blue, which readers without color vision distinguish too."""
    light, dark = (247, 251, 255), (8, 48, 107)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in zip(light, dark, strict=True))
