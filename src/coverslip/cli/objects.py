"""`coverslip objects` and `coverslip export-objects`: objects in fields of view, and their predictions for others."""

from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from coverslip.cli._options import AsJson, argument, check_groups, columns_of, option, usage_error
from coverslip.messages import text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from coverslip.objects.collecting import ObjectsSummary
    from coverslip.objects.finding import FinderSettings
    from coverslip.objects.tables_of_programs import ObjectTablePreview

_MOST_CLASSES = 12
_MOST_COLUMNS = 30
_MOST_FIELDS = 12  # in a preview


def objects(
    fields: Annotated[list[str], argument("FIELDS", "help-objects-fields")],
    masks: Annotated[list[Path] | None, option("--masks PATH", "help-objects-masks")] = None,
    outlines: Annotated[list[Path] | None, option("--outlines PATH", "help-objects-outlines")] = None,
    points: Annotated[list[Path] | None, option("--points PATH", "help-objects-points")] = None,
    finder: Annotated[str | None, option("--finder NAME", "help-objects-finder")] = None,
    settings: Annotated[list[str] | None, option("--finder-set KEY=VALUE", "help-objects-finder-set")] = None,
    size_px: Annotated[float | None, option("--size PIXELS", "help-objects-size", min=1)] = None,
    size_um: Annotated[float | None, option("--size-um UM", "help-objects-size-um")] = None,
    columns: Annotated[str | None, option("--columns NAME=COLUMN,...", "help-objects-columns")] = None,
    out: Annotated[Path, option("--out FILE", "help-objects-out")] = Path("objects.csv"),
    unit: Annotated[Literal["px", "um"] | None, option("--unit", "help-objects-unit")] = None,
    pixel_size_um: Annotated[float | None, option("--pixel-size-um UM", "help-objects-pixel-size")] = None,
    group: Annotated[str | None, option("--group COLUMN", "help-objects-group")] = None,
    group_pattern: Annotated[str | None, option("--group-pattern RE", "help-objects-group-pattern")] = None,
    measure: Annotated[bool, option("--measure", "help-objects-measure")] = False,
    dry_run: Annotated[bool, option("--dry-run", "help-objects-dry-run")] = False,
    as_json: AsJson = False,
) -> None:
    r"""List the objects in fields of view.

    Reads the objects that another program detected in your fields of view, or finds them itself, and writes one table
    with a row per object.
    `train`, `predict` and `inspect` take this table in place of images. The objects of a field stay in the same set.

    Examples:

      coverslip objects fields/ --masks masks/ --out objects.csv

      coverslip objects fields/ --outlines annotations.geojson --dry-run

      coverslip objects fields/ --points spots.csv --columns x=Pos_X,y=Pos_Y,path=Slide --unit um --size-um 12

      coverslip objects plate/ --masks masks/ --group-pattern '(?P<plate>P\d+)_(?P<well>[A-H]\d+)'

      coverslip objects plate/ --outlines MyExpt_Nuclei.csv --out objects.csv

      coverslip objects fields/ --points points/ --size 80 --out objects.csv

      coverslip objects fields/ --finder classical --finder-set diameter=12 --finder-set unit=um

      coverslip objects fields/ --masks masks/ --measure

      coverslip train objects.csv --set crop_margin=0.2
    """
    if sum(map(bool, (masks, outlines, points, finder))) != 1:
        raise usage_error("usage-object-source", hint="--masks")
    check_groups(group, group_pattern)
    from coverslip.cli._show import notes_console, print_json
    from coverslip.cli.progress import shown_progress
    from coverslip.datasets.columns import TableChoices
    from coverslip.errors import CoverslipError
    from coverslip.objects.collecting import collect_objects, preview_first_table

    mapping = columns_of(columns)
    try:
        with shown_progress(notes_console()) as emit:
            summary = collect_objects(
                list(fields),
                masks=masks,
                outlines=outlines,
                points=points,
                finder=finder,
                finder_settings=_finder_settings(settings or ()),
                size_px=size_px,
                size_um=size_um,
                columns=mapping,
                unit=unit,
                out=None if dry_run else out,
                pixel_size_um=pixel_size_um,
                group=group,
                group_pattern=group_pattern,
                measure=measure,
                emit=emit,
            )
    except CoverslipError:
        if dry_run and (files := outlines or points):
            with suppress(CoverslipError):
                table = preview_first_table([each.expanduser() for each in files], TableChoices(mapping, unit))
                if table is not None:
                    _show_table(table, notes_console())
        raise
    if as_json:
        print_json({"format_version": 1, "file": None if dry_run else out, **asdict(summary)})
    else:
        _show_objects(summary, None if dry_run else out)


def _finder_settings(settings: "Sequence[str]") -> "FinderSettings | None":
    """Return the settings of a finder; None: none is given.

    Raises:
        typer.BadParameter: a setting is not KEY=VALUE, or its value is not allowed.
    """
    from pydantic import ValidationError

    from coverslip.objects.finding import FinderSettings

    if not settings:
        return None
    pairs = [setting.partition("=") for setting in settings]
    values = {key.strip(): value.strip() for key, _, value in pairs}
    keys = ", ".join(FinderSettings.model_fields)
    try:
        channel = {"channel": int(values["channel"])} if values.get("channel", "").isdecimal() else {}
        return FinderSettings.model_validate({**values, **channel})
    except ValidationError as error:
        key = ".".join(map(str, error.errors()[0]["loc"]))
        reason = error.errors()[0]["msg"]
        raise usage_error("usage-finder-setting", hint="--finder-set", key=key, reason=reason, keys=keys) from error


def _show_objects(summary: "ObjectsSummary", file: Path | None) -> None:
    from coverslip.cli._show import results_console
    from coverslip.datasets.names import one_line

    console, counts = results_console(), summary.n_of_field.values()
    lines = [
        text(
            "command-objects",
            n_objects=summary.n_objects,
            n_fields=len(counts),
            fewest=min(counts),
            most=max(counts),
            n_at_edge=summary.n_at_edge,
        )
    ]
    for code, spread in (("command-object-sizes", summary.side_px), ("command-object-areas", summary.area_um2)):
        if spread is not None:
            lines.append(text(code, smallest=spread[0], median=spread[1], largest=spread[2]))
    if summary.n_of_label:
        listed = [f"{one_line(name, 60)} ({n:,})" for name, n in summary.n_of_label.items()]
        n_more = len(listed) - _MOST_CLASSES
        listed = [*listed[:_MOST_CLASSES], *([f"… +{n_more}"] if n_more > 0 else [])]
        lines.append(text("command-object-classes", classes=", ".join(listed)))
    if file is not None:
        lines.append(text("command-result-table", file=file))
    for line in lines:
        console.print(line, soft_wrap=True)
    if file is None:
        if summary.table is not None:
            _show_table(summary.table, console)
        _show_fields(summary, console)


def _show_table(table: "ObjectTablePreview", console: "Console") -> None:
    """Show the columns of a table that are used, with their first values."""
    from coverslip.cli._show import filled_table
    from coverslip.datasets.names import some

    rows = []
    for meaning, column in table.meanings.items():
        at = table.columns.index(column)
        values = ", ".join(row[at] for row in table.first_rows if at < len(row))
        rows.append((meaning, column, "µm" if meaning in table.in_um else "", values))
    console.print(text("command-objects-table", file=table.file, kind=table.kind, n_rows=table.n_rows), soft_wrap=True)
    headings = [
        text("command-objects-column-meaning"),
        text("command-objects-column-name"),
        text("command-objects-column-unit"),
        text("command-objects-column-first"),
    ]
    if rows:
        console.print(filled_table(headings, rows, text_columns=headings))
    unused = [column for column in table.columns if column not in table.meanings.values()]
    if unused:
        listed = some(unused, _MOST_COLUMNS)
        console.print(text("command-objects-unused-columns", columns=listed), soft_wrap=True)


def _show_fields(summary: "ObjectsSummary", console: "Console") -> None:
    """Show the first fields with their numbers of objects, their groups and further columns."""
    from coverslip.cli._show import filled_table
    from coverslip.datasets.names import one_line

    more = list(dict.fromkeys(name for field in summary.fields for name, _ in field.about))
    headings = [text("command-objects-column-field"), text("column-objects")]
    headings += [text("command-objects-column-group"), *map(one_line, more)]
    rows = [
        (
            one_line(field.name),
            f"{summary.n_of_field[field.name]:,}",
            field.group,
            *(dict(field.about).get(name, "") for name in more),
        )
        for field in summary.fields[:_MOST_FIELDS]
    ]
    console.print(filled_table(headings, rows, text_columns=headings[2:]))


def export_objects(
    predictions: Annotated[Path, argument("PREDICTIONS", "help-export-objects-predictions")],
    objects: Annotated[Path, option("--objects FILE", "help-export-objects-objects")],
    to: Annotated[
        Literal["geojson", "label-tiff", "rois", "coco", "labelme", "cellprofiler", "ome-tiff"],
        option("--to", "help-export-objects-to"),
    ],
    out: Annotated[Path, option("--out PATH", "help-export-objects-out")],
    margin: Annotated[str, option("--margin", "help-export-objects-margin")] = "0",
    mask_neighbors: Annotated[bool, option("--mask-neighbors", "help-export-objects-mask-neighbors")] = False,
    t: Annotated[int, option("--t", "help-export-objects-t", min=0)] = 0,
    z: Annotated[str, option("--z PLANE", "help-export-objects-z")] = "0",
    as_json: AsJson = False,
) -> None:
    """Export predicted objects to the program in which you see their fields.

    Examples:

      coverslip export-objects predictions.csv --objects objects.csv --to geojson --out qupath/

      coverslip export-objects predictions.csv --objects objects.csv --to rois --out imagej/

      coverslip export-objects predictions.csv --objects objects.csv --to cellprofiler --out classes.csv

      coverslip export-objects predictions.csv --objects objects.csv --to ome-tiff --margin 0.2 --out crops/
    """
    from coverslip import pipeline
    from coverslip.cli._show import notes_console, print_json, results_console
    from coverslip.cli.progress import shown_progress

    with shown_progress(notes_console()) as emit:
        files = pipeline.export_objects(
            predictions,
            objects=objects,
            to=to,
            out=out,
            margin=margin,
            mask_neighbors=mask_neighbors,
            t=t,
            z=z,
            emit=emit,
        )
    if as_json:
        print_json({"format_version": 1, "files": [str(file) for file in files]})
    else:
        line = text("command-result-export", path=str(out), n_files=len(files))
        results_console().print(line, soft_wrap=True)
