"""`coverslip demo`: the complete workflow on synthetic images."""

import json
import shlex
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coverslip.cli._options import option
from coverslip.messages import ChooseOther, text

if TYPE_CHECKING:
    from rich.console import Console

    from coverslip.synthetic_cells import FieldSet, SampleSet

MARK = "demo.json"  # marks the folder of a demo, which may be overwritten
SLIDE = r"slide\d+"
N_IMAGES = 720
N_NEW_IMAGES, N_NEW_SLIDES = 140, 4
N_FIELDS, N_NEW_FIELDS = 30, 8  # one of each slide, two of each new slide
SAMPLE = rf"(?P<sample>{SLIDE})"
# Nuclei absorb red light, and granules do not. Lobes of a nucleus belong together.
NUCLEI = ("--finder", "classical", "--finder-set", "channel=0", "--finder-set", "split=false")
CROP = "crop_size=96"  # pixels: a cell with its cytoplasm
SETTINGS = ["stage=instant"]  # fine-tuning takes more than three minutes on two cores


def demo(
    context: typer.Context,
    out: Annotated[Path, option("--out FOLDER", "help-demo-out")] = Path("demo"),
    fields: Annotated[bool, option("--fields", "help-demo-fields")] = False,
) -> None:
    """Train and predict on synthetic images, offline.

    Draws 720 synthetic images of seven types of blood cells from 60 slides, checks them, trains a classifier, tests it
    on slides it was not trained on, finds a label error, predicts images of four new slides and computes their class
    proportions. Each step is a command of coverslip, which is printed.

    With --fields, the demo begins with fields of view: it finds the cells in them, trains with those of 30 slides, and
    computes the class proportions of four new slides.

    Examples:

      coverslip demo --out demo

      coverslip demo --fields --out demo_fields
    """
    is_replaced = (out / MARK).is_file()
    _clear(out)
    from coverslip.cli._show import notes_console, results_console

    stdout = results_console()
    if is_replaced:
        notes_console().print(text("command-demo-replaced", folder=out), markup=False, soft_wrap=True)
    stdout.print(text("command-demo-synthetic"), style="bold")
    (_demo_fields if fields else _demo_images)(context, stdout, out)


def _demo_images(context: typer.Context, stdout: "Console", out: Path) -> None:
    from coverslip.cli._show import notes_console
    from coverslip.cli.progress import shown_progress
    from coverslip.synthetic_cells import SEVEN_CLASSES, write_new_images, write_sample_images

    images, new, run = out / "images", out / "new", out / "run"
    with shown_progress(notes_console()) as emit:
        samples = write_sample_images(images, design=SEVEN_CLASSES, n_images=N_IMAGES, emit=emit)
        new_samples = write_new_images(
            new,
            design=SEVEN_CLASSES,
            n_images=N_NEW_IMAGES,
            n_slides=N_NEW_SLIDES,
            folder_per_slide=True,
            emit=emit,
        )

    _show_and_run(context, stdout, "inspect", images, "--group-pattern", SLIDE)
    settings = [part for setting in SETTINGS for part in ("--set", setting)]
    _show_and_run(context, stdout, "train", images, "--group-pattern", SLIDE, *settings, "--out", run)
    _show_and_run(context, stdout, "label-errors", run, "--out", out / "label_errors.csv")
    _show_mislabeled(stdout, samples, run)
    _show_and_run(context, stdout, "predict", run, new, "--out", out / "predictions.csv")
    _show_and_run(
        *(context, stdout, "summarise", out / "predictions.csv", "--by", "folder", "--run", run),
        *("--report", out / "proportions.html"),
    )
    labels_of = {slide: Counter[str]() for slide in new_samples.slides}
    for file, label in new_samples.drawn.items():
        if file not in new_samples.broken:
            labels_of[file.parent.name][label] += 1
    _show_drawn(stdout, labels_of)
    stdout.print(f"\n{text('command-demo-results', folder=out)}", markup=False, soft_wrap=True)


def _demo_fields(context: typer.Context, stdout: "Console", out: Path) -> None:
    from coverslip.cli._show import notes_console
    from coverslip.cli.progress import shown_progress
    from coverslip.synthetic_cells import N_SLIDES, UNEVEN_FIVE_CLASSES, write_fields

    run, objects, new_objects = out / "run", out / "objects.csv", out / "new_objects.csv"
    predictions, n_new_slides = out / "predictions.csv", N_NEW_FIELDS // 2
    with shown_progress(notes_console()) as emit:
        fields = write_fields(
            out / "fields", range(1, N_FIELDS + 1), design=UNEVEN_FIVE_CLASSES, n_per_slide=1, emit=emit
        )
        new_slides = range(N_SLIDES + 1, N_SLIDES + n_new_slides + 1)
        new_fields = write_fields(out / "new", new_slides, design=UNEVEN_FIVE_CLASSES, emit=emit)

    _show_and_run(context, stdout, "objects", out / "fields", *NUCLEI, "--group-pattern", SAMPLE, "--out", objects)
    _label_objects(objects, fields)
    stdout.print(text("command-demo-labeled", file=objects), markup=False, soft_wrap=True)
    settings = [part for setting in (CROP, *SETTINGS) for part in ("--set", setting)]
    _show_and_run(context, stdout, "train", objects, *settings, "--out", run)
    _show_and_run(context, stdout, "objects", out / "new", *NUCLEI, "--group-pattern", SAMPLE, "--out", new_objects)
    _show_and_run(context, stdout, "predict", run, new_objects, "--out", predictions)
    _show_and_run(
        *(context, stdout, "export-objects", predictions, "--objects", new_objects),
        *("--to", "geojson", "--out", out / "geojson"),
    )
    for file in new_fields.cells:
        _draw_overlay(file, out / "geojson" / f"{file.stem}.geojson", out / "overlays" / file.name)
    _show_and_run(
        *(context, stdout, "summarise", predictions, "--by", "sample", "--run", run),
        *("--report", out / "proportions.html"),
    )
    labels_of = {file.name.partition("_")[0]: Counter[str]() for file in new_fields.cells}
    for file, cells in new_fields.cells.items():
        labels_of[file.name.partition("_")[0]].update(label for _, _, label in cells)
    _show_drawn(stdout, labels_of)
    stdout.print(f"\n{text('command-demo-fields-results', folder=out)}", markup=False, soft_wrap=True)


def _show_and_run(context: typer.Context, stdout: "Console", *words: str | Path) -> None:
    """Print a command and run it.

    Raises:
        typer.Exit: the command was interrupted.
        CoverslipError: the command failed.
    """
    command = list(map(str, words))
    stdout.print(f"\n$ coverslip {shlex.join(command)}", style="bold", markup=False, highlight=False, soft_wrap=True)
    code = context.find_root().command.main(command, prog_name="coverslip", standalone_mode=False)
    if code:
        raise typer.Exit(code)


def _show_mislabeled(stdout: "Console", samples: "SampleSet", run: Path) -> None:
    """Say whether the images that the demo put into a wrong folder are among the suspected label errors."""
    from coverslip.runs.folder import open_run

    errors = open_run(run).label_errors
    suspected = [] if errors is None else [image.image_id for image in errors.images[: errors.n_suspected]]
    for file in samples.mislabeled:
        image_id = file.relative_to(samples.folder).as_posix()
        rank = suspected.index(image_id) + 1 if image_id in suspected else 0
        line = text("command-demo-mislabeled", image=image_id, drawn=samples.drawn[file], rank=rank)
        stdout.print(line, markup=False, soft_wrap=True)


def _show_drawn(stdout: "Console", labels_of: dict[str, Counter[str]]) -> None:
    """Print the class proportions that were drawn for each slide, to compare with the corrected ones."""
    from coverslip.cli._show import filled_table
    from coverslip.reports.reported import percent

    stdout.print(f"\n{text('command-demo-drawn')}", markup=False, soft_wrap=True)
    classes = sorted({name for labels in labels_of.values() for name in labels})
    rows = [(name, *(percent(n[name] / n.total()) for n in labels_of.values())) for name in classes]
    stdout.print(filled_table((text("column-class"), *labels_of), rows))


def _label_objects(file: Path, fields: "FieldSet") -> None:
    """Write the class of the nearest drawn cell as the label of each object."""
    import numpy as np

    from coverslip.objects.table import read_objects

    objects = read_objects(file)
    labels = sorted({label for cells in fields.cells.values() for _, _, label in cells})
    of_field = {path.resolve(): cells for path, cells in fields.cells.items()}
    centers = objects.box[:, :2] + objects.box[:, 2:] / 2  # (n, 2) x, y
    numbers = []
    for position, center in zip(objects.field.tolist(), centers, strict=True):
        cells = of_field[objects.fields[position].path.resolve()]
        nearest = min(cells, key=lambda cell: float(np.hypot(cell[0] - center[0], cell[1] - center[1])))
        numbers.append(labels.index(nearest[2]))
    labeled = replace(objects, label=np.array(numbers, np.int32), labels=tuple(labels))
    labeled.write_csv(file)


_LEGEND_PX, _OUTLINE_PX, _FONT_PX = 34, 3, 16


def _draw_overlay(field: Path, geojson: Path, out: Path) -> None:
    """Draw the outlines of objects in the colors of their predicted classes, with a legend below the field."""
    from PIL import Image, ImageDraw

    from coverslip.images.output import caption_font

    with Image.open(field) as image:
        sheet = Image.new("RGB", (image.width, image.height + _LEGEND_PX), "white")
        sheet.paste(image)
        height = image.height
    pen, font = ImageDraw.Draw(sheet), caption_font(_FONT_PX)
    colors = {}
    for feature in json.loads(geojson.read_text("utf-8"))["features"]:
        predicted = feature["properties"].get("classification")
        if predicted is None:
            continue
        color = tuple(predicted["color"])
        colors[predicted["name"]] = color
        for ring in feature["geometry"]["coordinates"]:
            pen.line([tuple(point) for point in ring], color, _OUTLINE_PX)
    x = 12.0
    for name, color in sorted(colors.items()):
        pen.rectangle((x, height + 11, x + 12, height + 23), fill=color)
        pen.text((x + 20, height + 7), name, "black", font)
        x += 44 + font.getlength(name)
    out.parent.mkdir(exist_ok=True)
    sheet.save(out)


def _clear(out: Path) -> None:
    """Prepare the folder; results of an earlier demo are removed.

    Raises:
        CoverslipError: the folder contains other files than a demo's, or cannot be written to.
    """
    from coverslip.errors import CoverslipError
    from coverslip.files import write_error, write_text

    if out.exists() and not out.is_dir():
        raise CoverslipError("demo-folder-is-file", file=out, remedies=(ChooseOther("output"),))
    if out.is_dir() and any(out.iterdir()) and not (out / MARK).is_file():
        raise CoverslipError("demo-folder-not-empty", file=out, remedies=(ChooseOther("output"),))
    write_text(out / MARK, json.dumps({"format_version": 1, "synthetic": True}) + "\n")
    try:
        for name in ("images", "fields", "run", "new", "geojson", "overlays"):
            if (out / name).is_dir():
                shutil.rmtree(out / name)
        for name in ("predictions.csv", "label_errors.csv", "objects.csv", "new_objects.csv", "proportions.html"):
            (out / name).unlink(missing_ok=True)
    except OSError as error:
        raise write_error(out, error) from error
