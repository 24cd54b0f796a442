"""`coverslip explain`: heat maps and similar training images."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from coverslip.cli._options import AsJson, Device, argument, option, usage_error
from coverslip.messages import text

if TYPE_CHECKING:
    from coverslip.inference.explain import Explanations


def explain(
    paths: Annotated[list[str], argument("RUN… PATH…", "help-explain-paths")],
    out: Annotated[Path, option("--out DIR", "help-explain-out")],
    method: Annotated[
        Literal["contributions", "grad-cam", "grad-cam++", "occlusion"] | None,
        option("--method", "help-explain-method"),
    ] = None,
    show_failed: Annotated[bool, option("--show-failed", "help-explain-show-failed")] = False,
    nearest: Annotated[int, option("--nearest", "help-explain-nearest", min=0, max=12)] = 4,
    colors: Annotated[Literal["viridis", "jet"], option("--colors", "help-explain-colors")] = "viridis",
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Draw heat maps and similar training images.

    Writes one picture (PNG) per image: for each run the image, a heat map of the evidence for the predicted class (and
    for the true class if a table gives labels), and the most similar training images by the features of the network.

    Each method must pass two sanity checks on images of the run that are not test images: its maps must change if
    the weights are randomized, and blurring an image where its map is highest must lower the prediction faster than
    blurring from the center outwards. The first method that passes is used. If none passes, no maps are drawn. A map
    shows which regions affect the prediction, not whether they should.

    Examples:

      coverslip explain runs/first new/1.tif new/2.tif --out explained

      coverslip explain runs/first runs/second labeled.csv --out side_by_side
    """
    from coverslip.cli._show import notes_console, print_json
    from coverslip.cli.progress import shown_progress
    from coverslip.inference.explain import explain as explain_images

    runs, images = _runs_and_images(paths)
    with shown_progress(notes_console()) as emit:
        explained = explain_images(
            runs,
            images,
            out=out,
            method=method,
            show_failed=show_failed,
            n_nearest=nearest,
            colors=colors,
            device=device,
            emit=emit,
        )
    if as_json:
        print_json(_as_json(explained))
    else:
        _show(explained)


def _runs_and_images(paths: list[str]) -> tuple[list[str], list[str]]:
    """Return the classifiers at the start of the paths, and the images after them.

    Raises:
        typer.BadParameter: classifiers or images are missing.
    """
    n_runs = next((i for i, path in enumerate(paths) if not _is_classifier(Path(path))), len(paths))
    n_runs = max(n_runs, 1)  # an error of the first path is reported when it is opened
    if n_runs == len(paths):
        raise usage_error("usage-images-after-runs", hint="PATH…")
    return paths[:n_runs], paths[n_runs:]


def _is_classifier(path: Path) -> bool:
    names = ("recipe.yaml", "classifier", "weights.safetensors")
    return path.suffix == ".coverslip" or any((path / name).exists() for name in names)


def _as_json(explained: "Explanations") -> dict[str, object]:
    checks = [
        asdict(of_run) | {"checks": [check.model_dump(mode="json") for check in of_run.checks]}
        for of_run in explained.checks
    ]
    return {
        "format_version": 1,
        "folder": str(explained.folder),
        "checks": checks,
        "images": [asdict(image) for image in explained.images],
    }


def _show(explained: "Explanations") -> None:
    from coverslip.cli._show import results_console, show_sections
    from coverslip.datasets import one_line
    from coverslip.reports.blocks import SectionContent
    from coverslip.reports.sections.images import map_check_table

    console = results_console()
    for of_run in explained.checks:
        title = text("command-map-checks", run=one_line(of_run.run), checked_on=of_run.checked_on)
        words = [] if of_run.checks else [text("command-too-few-images-for-checks")]
        show_sections(console, [SectionContent(title, [map_check_table(of_run.checks, words)])], has_folded=True)
    n_withheld = sum(image.predicted is not None and not image.is_shown for image in explained.images)
    if n_withheld:
        console.print(text("command-maps-withheld", n_maps=n_withheld), soft_wrap=True)
    console.print(text("command-result-pictures", folder=explained.folder), soft_wrap=True)
