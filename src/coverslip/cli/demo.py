"""`coverslip demo`: the complete workflow on synthetic images."""

import json
import shutil
from pathlib import Path
from typing import Annotated

import typer

from coverslip.messages import ChooseOther, text

MARK = "demo.json"  # marks the folder of a demo, which may be overwritten
SLIDE = r"slide\d+"
# A few epochs at the original image size show fine-tuning within a few minutes.
SETTINGS = ["epochs=5", "image_size=128"]


def demo(
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help=text("help-demo-out"))] = Path("demo"),
) -> None:
    """Train and predict on synthetic images, offline.

    Draws 480 synthetic images of stained blood cells from 60 slides, checks them, trains a classifier, tests it on
    slides it was not trained on, predicts new images and writes a report.

    Example:

      coverslip demo --out demo
    """
    is_replaced = (out / MARK).is_file()
    _clear(out)
    from coverslip import pipeline
    from coverslip.cli._show import notes_console, results_console, show_inspection, show_numbers
    from coverslip.cli.progress import shown_progress
    from coverslip.runs import Recipe, with_settings
    from coverslip.synthetic_cells import write_new_images, write_sample_images

    stdout, stderr = results_console(), notes_console()
    if is_replaced:
        stderr.print(text("command-demo-replaced", folder=out), markup=False, soft_wrap=True)
    stdout.print(text("command-demo-synthetic"), style="bold")
    with shown_progress(stderr) as emit:
        write_sample_images(out / "images", emit=emit)
        data = pipeline.open_dataset(out / "images", group_pattern=SLIDE)
        inspection = pipeline.inspect(data, emit=emit)
    show_inspection(stdout, inspection)
    with shown_progress(stderr) as emit:
        recipe = with_settings(Recipe(group=SLIDE), SETTINGS)
        run = pipeline.train(data, recipe, out=out / "run", emit=emit)
        write_new_images(out / "new", emit=emit)
        pipeline.predict(out / "run", [out / "new"], out=out / "predictions.csv", emit=emit)
    show_numbers(stdout, run.metrics)
    results = text(
        "command-demo-results",
        report=run.report_file,
        predictions=out / "predictions.csv",
        images=out / "images",
        new=out / "new",
        run=run.folder,
    )
    stdout.print(f"\n{results}", soft_wrap=True)


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
        (out / "predictions.csv").unlink(missing_ok=True)
    except OSError as error:
        raise write_error(out, error) from error
