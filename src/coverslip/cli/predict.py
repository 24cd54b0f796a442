"""`coverslip predict` and `explain`: the classes of new images, heat maps and similar training images."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from coverslip.cli._options import (
    AsJson,
    Channels,
    Columns,
    CropSize,
    Device,
    ForExcel,
    RescaleImages,
    argument,
    channels_of,
    check_excel,
    columns_of,
    crop_size_of,
    mark_tables,
    option,
    usage_error,
)
from coverslip.errors import CoverslipError
from coverslip.messages import text

if TYPE_CHECKING:
    from coverslip.evaluation.results import Metric
    from coverslip.inference.explain.explaining import Explanations

_MOST_CLASSES = 12


def predict(
    run: Annotated[Path, argument("RUN", "help-predict-run")],
    images: Annotated[list[str] | None, argument("PATH", "help-predict-images")] = None,
    out: Annotated[Path | None, option("--out FILE", "help-predict-out")] = None,
    format_: Annotated[Literal["csv", "jsonl", "parquet"], option("--format", "help-predict-format")] = "csv",
    top_k: Annotated[int | None, option("--top-k K", "help-predict-top-k", min=1)] = None,
    resume: Annotated[bool, option("--resume", "help-predict-resume")] = False,
    watch: Annotated[Path | None, option("--watch FOLDER", "help-predict-watch")] = None,
    columns: Columns = None,
    crop_size: CropSize = None,
    channels: Channels = None,
    rescale: RescaleImages = False,
    batch_size: Annotated[int, option("--batch-size", "help-predict-batch-size", min=1)] = 64,
    device: Device = "auto",
    prevalence: Annotated[list[str] | None, option("--prevalence CLASS=SHARE", "help-predict-prevalence")] = None,
    on: Annotated[str, option("--on local|ray|ADDRESS", "help-predict-on")] = "local",
    trust_cluster: Annotated[bool, option("--trust-cluster", "help-trust-cluster")] = False,
    for_excel: ForExcel = False,
    as_json: AsJson = False,
) -> None:
    """Predict the class of new images.

    Writes one row per listed image, in input order: the predicted class, its probability, and a decision. An image
    that is listed again is computed once and gets a row each time. If a table lists the images, its columns are
    copied. The decision is `uncertain` if the probability is too low to rely on, `unfamiliar` if the image differs
    from the training images (out-of-distribution), and `unreadable` if the file cannot be read. If no image can be
    read, the exit code is 1.

    Probabilities assume the class proportions of the training images. If you know other proportions, --prevalence
    corrects the probabilities. A second table has the class proportions of these images, as `summarise` shows them for
    one sample.

    Examples:

      coverslip predict runs/first new_images/ --out predictions.csv

      coverslip predict runs/first screening/ --prevalence infected=0.01

      coverslip predict runs/first new_points.csv --columns path=File

      coverslip predict runs/first 'monday/*.tif' 'tuesday/*.tif'

      coverslip predict runs/first other_objective/ --rescale

      coverslip predict runs/first other_microscope/ --channels DAPI,GFP

      coverslip predict runs/first plate.csv --top-k 3 --format jsonl

      coverslip predict runs/first new_images/ --out predictions.csv --resume

      coverslip predict runs/first --watch /microscope/today --out today.csv

      coverslip predict runs/first /shared/plates/ --on ray://head:10001
    """
    from coverslip.cli._show import notes_console, print_json, results_console, show_decisions
    from coverslip.cli.progress import shown_progress
    from coverslip.datasets.index.opening import open_dataset
    from coverslip.inference.predicting import predict as predict_images  # `pipeline` would import much more
    from coverslip.inference.predicting import watch as watch_folder
    from coverslip.reports.verdict import verdict_as_json, verdict_of_classifier
    from coverslip.runs.classifier import find_classifier, open_classifier

    out = out or Path(f"predictions.{format_}")
    is_table = format_ == "csv" and watch is None
    check_excel([out if is_table else None], for_excel=for_excel)
    shares = _shares(prevalence or ())
    with shown_progress(notes_console()) as emit:
        if watch is not None:
            if images or columns or crop_size or resume or on != "local":
                raise usage_error("usage-watch", hint="--watch")
            summary = watch_folder(
                run,
                watch,
                out=out,
                format=format_,
                top_k=top_k,
                batch_size=batch_size,
                device=device,
                prevalence=shares,
                rescale=rescale,
                channels=channels_of(channels),
                emit=emit,
            )
        else:
            if not images:
                raise usage_error("usage-no-images", hint="PATH")
            sources: object = list(images)
            if columns or crop_size or channels:
                sources = open_dataset(
                    sources,
                    columns=columns_of(columns),
                    crop_size=crop_size_of(crop_size),
                    channels=channels_of(channels),
                    plan=open_classifier(find_classifier(run)).card.preprocessing.plan,
                    labeled=False,
                )
            summary = predict_images(
                run,
                sources,
                out=out,
                batch_size=batch_size,
                device=device,
                prevalence=shares,
                rescale=rescale,
                format=format_,
                top_k=top_k,
                resume=resume,
                on=on,
                trust_cluster=trust_cluster,
                emit=emit,
            )
    mark_tables([summary.file], for_excel=for_excel)
    verdict = verdict_of_classifier(run)
    if as_json:
        about = {} if verdict is None else {"verdict": verdict_as_json(verdict)}
        print_json({"format_version": 1} | asdict(summary) | about)
    else:
        if verdict is not None and verdict.use != "yes":
            notes_console().print(verdict.headline, markup=False, soft_wrap=True)
        show_decisions(results_console(), notes_console(), summary.decisions)
        _show_shares(summary.shares, summary.assumed)
        results_console().print(text("command-result-predictions", file=out), soft_wrap=True)
    if set(summary.decisions) == {"unreadable"}:
        raise CoverslipError("no-image-predicted", file=summary.file)


def _shares(options: Sequence[str]) -> dict[str, float]:
    """Return the share of each class.

    Raises:
        typer.BadParameter: an option is not CLASS=SHARE, or a class is repeated.
    """
    shares = dict[str, float]()
    for name, share in map(_class_and_share, options):
        if name in shares:
            raise usage_error("usage-repeated-share", hint="--prevalence", label=name)
        shares[name] = share
    return shares


def _class_and_share(option: str) -> tuple[str, float]:
    """Return a class and its share.

    Raises:
        typer.BadParameter: the option is not CLASS=SHARE.
    """
    name, separator, number = option.rpartition("=")
    try:
        share = float(number)
    except ValueError:
        separator = ""
    if not separator:
        raise usage_error("usage-share-of-class", hint="--prevalence", value=option)
    return name, share


def _show_shares(shares: "dict[str, Metric]", assumed: dict[str, float]) -> None:
    """Print the estimated class proportions, or why they cannot be estimated."""
    from coverslip.cli._show import results_console, table_of
    from coverslip.datasets.names import one_line
    from coverslip.reports.metric_rows import column_titles
    from coverslip.reports.proportions_page import proportion_cell

    estimated_shares = {name: share for name, share in shares.items() if share.value is not None}
    if not estimated_shares:
        for reason in dict.fromkeys(share.reason for share in shares.values() if share.reason):
            results_console().print(text("command-no-proportions", reason=reason), soft_wrap=True)
        return
    table = table_of(
        *column_titles("column-class", "column-assumed", "column-estimated-proportion", "column-interval-of-proportion")
    )
    for name in sorted(estimated_shares, key=lambda name: -(estimated_shares[name].value or 0))[:_MOST_CLASSES]:
        cell = proportion_cell(estimated_shares[name])
        table.add_row(
            one_line(name),
            f"{assumed[name]:.3f}",
            cell.value,
            cell.below,
        )
    results_console().print(f"\n{text('command-proportions')}", soft_wrap=True)
    results_console().print(table)
    if (n_classes := len(estimated_shares)) > _MOST_CLASSES:
        results_console().print(text("report-largest-classes", n_shown=_MOST_CLASSES, n_classes=n_classes))


# `coverslip explain`: heat maps and similar training images.


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
    channels: Channels = None,
    device: Annotated[Literal["auto", "cpu", "cuda", "mps"], option("--device", "help-explain-device")] = "auto",
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
    from coverslip.datasets.index.opening import open_dataset
    from coverslip.inference.explain.explaining import explain as explain_images
    from coverslip.runs.classifier import find_classifier, open_classifier

    runs, images = _runs_and_images(paths)
    sources: object = images
    if channels:
        plan = open_classifier(find_classifier(runs[0])).card.preprocessing.plan
        sources = open_dataset(images, channels=channels_of(channels), plan=plan, labeled=False)
    with shown_progress(notes_console()) as emit:
        explained = explain_images(
            runs,
            sources,
            out=out,
            method=method,
            show_failed=show_failed,
            n_nearest=nearest,
            colors=colors,
            device=device,
            emit=emit,
        )
    if as_json:
        print_json({"format_version": 1} | asdict(explained))
    else:
        _show_explanations(explained)


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


def _show_explanations(explained: "Explanations") -> None:
    from coverslip.cli._show import results_console, show_sections
    from coverslip.datasets.names import one_line
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
