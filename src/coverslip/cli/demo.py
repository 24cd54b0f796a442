"""`coverslip demo`: the complete workflow on synthetic images."""

import json
import shlex
import shutil
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coverslip.cli._options import option
from coverslip.messages import ChooseOther, text

if TYPE_CHECKING:
    from rich.console import Console

    from coverslip.synthetic_cells import SampleSet

MARK = "demo.json"  # marks the folder of a demo, which may be overwritten
SLIDE = r"slide\d+"
N_IMAGES = 720
N_NEW_IMAGES, N_NEW_SLIDES = 140, 4
SETTINGS = ["stage=instant"]  # fine-tuning takes more than three minutes on two cores


def demo(
    context: typer.Context,
    out: Annotated[Path, option("--out FOLDER", "help-demo-out")] = Path("demo"),
) -> None:
    """Train and predict on synthetic images, offline.

    Draws 720 synthetic images of seven types of blood cells from 60 slides, checks them, trains a classifier, tests it
    on slides it was not trained on, finds a label error, predicts images of four new slides and computes their class
    proportions. Each step is a command of coverslip, which is printed.

    Example:

      coverslip demo --out demo
    """
    is_replaced = (out / MARK).is_file()
    _clear(out)
    from coverslip.cli._show import notes_console, results_console
    from coverslip.cli.progress import shown_progress
    from coverslip.synthetic_cells import SEVEN_CLASSES, write_new_images, write_sample_images

    stdout = results_console()
    if is_replaced:
        notes_console().print(text("command-demo-replaced", folder=out), markup=False, soft_wrap=True)
    stdout.print(text("command-demo-synthetic"), style="bold")
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
        for name in ("images", "run", "new"):
            if (out / name).is_dir():
                shutil.rmtree(out / name)
        for name in ("predictions.csv", "label_errors.csv", "proportions.html"):
            (out / name).unlink(missing_ok=True)
    except OSError as error:
        raise write_error(out, error) from error
