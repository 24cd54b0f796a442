"""`coverslip inspect`, `preview`, `read` and `distance`: check datasets and their images before a training."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from coverslip.cli._options import (
    AllClasses,
    AsJson,
    Columns,
    CropSize,
    Data,
    Device,
    Group,
    GroupPattern,
    argument,
    channels_of,
    check_groups,
    option,
    setting,
    usage_error,
)
from coverslip.messages import escape_controls, text

if TYPE_CHECKING:
    from coverslip.datasets.index.opening import ImageSource
    from coverslip.evaluation.distances import Distances
    from coverslip.images.reader import Series
    from coverslip.messages import Failure


def inspect(
    data: Data,
    group: Group = None,
    group_pattern: GroupPattern = None,
    columns: Columns = None,
    crop_size: CropSize = None,
    settings: Annotated[list[str] | None, setting("help-inspect-set")] = None,
    estimate_leakage: Annotated[bool, option("--estimate-leakage", "help-inspect-estimate-leakage")] = False,
    all_classes: AllClasses = False,
    as_json: AsJson = False,
) -> None:
    r"""Check a dataset before training.

    Shows counts by class and group, sizes, formats, unreadable files and duplicates, and what to do about them. Of
    single image files, lists series, time points, z-planes, channels, levels and pixel size. Your images are never
    changed.

    Examples:

      coverslip inspect cells/

      coverslip inspect cells/ --group-pattern 'slide\d+'

      coverslip inspect cells.csv --group patient --json

      coverslip inspect cells.csv --group patient --estimate-leakage

      coverslip inspect plate.nd2

      coverslip inspect stacks/ --set images.z=max --set 'images.channels=[0, 2]'
    """
    check_groups(group, group_pattern)
    from coverslip.datasets.index.opening import is_image

    if all(is_image(Path(each)) for each in data):
        if group or group_pattern or columns or crop_size or settings or estimate_leakage:
            raise usage_error("usage-inspect-files")
        _show_series([Path(each) for each in data], as_json=as_json)
        return
    from coverslip import pipeline
    from coverslip.cli._show import notes_console, print_json, results_console, show_inspection
    from coverslip.cli.progress import shown_progress
    from coverslip.cli.train import images_and_recipe
    from coverslip.runs.results import inspection_as_json

    dataset, choices = images_and_recipe(
        data, settings=settings, group=group, group_pattern=group_pattern, columns=columns, crop_size=crop_size
    )
    with shown_progress(notes_console()) as emit:
        inspection = pipeline.inspect(
            dataset, choices if settings else None, estimate_leakage=estimate_leakage, emit=emit
        )
    if as_json:
        files = list(dict.fromkeys(record.path for record in dataset.records))
        sources = [_source_as_json(file, *_series_or_failure(file)) for file in files[:_MOST_SOURCES]]
        print_json({**inspection_as_json(inspection), "n_files": len(files), "sources": sources})
    else:
        show_inspection(results_console(), inspection, all_classes=all_classes)


_MOST_SOURCES = 100  # files of a dataset whose series are listed


def _show_series(files: "list[Path]", *, as_json: bool) -> None:
    """Show the series of image files, or why they cannot be read.

    Raises:
        typer.Exit: a file cannot be read.
    """
    from coverslip.cli._show import print_json, results_console, series_lines

    console, described = results_console(), [(file, *_series_or_failure(file)) for file in files]
    if as_json:
        print_json({"format_version": 1, "sources": [_source_as_json(*each) for each in described]})
    else:
        for file, series, error in described:
            console.print(escape_controls(str(file)), soft_wrap=True)
            for line in [f"{error.what}. {error.do}"] if error else series_lines(series):
                console.print(f"  {escape_controls(line)}", soft_wrap=True)
    if any(error for _, _, error in described):
        raise typer.Exit(1)


def _series_or_failure(file: Path) -> "tuple[tuple[Series, ...], Failure | None]":
    from coverslip.errors import UnreadableImage
    from coverslip.images.decoding import describe_image

    try:
        return describe_image(file), None
    except UnreadableImage as unreadable:
        return (), unreadable.failure


def _source_as_json(file: Path, series: "Sequence[Series]", error: "Failure | None") -> dict[str, object]:
    from coverslip.cli._show import series_as_json

    failure = None if error is None else {"code": error.code, "text": error.what, "do": error.do}
    return {"path": str(file), "series": series_as_json(series), "error": failure}


def preview(
    data: Data,
    out: Annotated[Path, option("--out FILE", "help-preview-out")] = Path("preview.png"),
    recipe: Annotated[str | None, option("--recipe FILE|PRESET", "help-preview-recipe")] = None,
    settings: Annotated[list[str] | None, setting("help-preview-set")] = None,
    columns: Columns = None,
    crop_size: CropSize = None,
    n: Annotated[int, option("--n", "help-preview-n", min=1, max=100)] = 6,
    seed: Annotated[int | None, option("--seed NUMBER", "help-preview-seed")] = None,
) -> None:
    """Show training images after preprocessing and augmentation.

    The sheet has one row per image: its class, the preprocessed image (size, padding, intensity scaling), and five
    augmented copies. Check that the copies look realistic and still show what distinguishes the classes. Of images with
    other than one or three channels, the first channel is shown. Your images are never changed.

    Examples:

      coverslip preview cells/

      coverslip preview smears/ --set augment=stain --out stain.png

      coverslip preview chromosomes/ --set resize=canvas --set augment=chromosomes --n 12
    """
    from coverslip import pipeline
    from coverslip.cli._show import notes_console
    from coverslip.cli.progress import shown_progress
    from coverslip.cli.train import images_and_recipe

    of_seed = [] if seed is None else [f"seed={seed}"]
    dataset, choices = images_and_recipe(
        data, recipe=recipe, settings=[*(settings or []), *of_seed], columns=columns, crop_size=crop_size
    )
    with shown_progress(notes_console()) as emit:
        file = pipeline.preview(dataset, choices, out=out, n=n, emit=emit)
    typer.echo(escape_controls(str(file)))


# `coverslip read`: the pixels of one image, as training and prediction read them.


def read(
    file: Annotated[Path, argument("FILE", "help-read-file")],
    out: Annotated[Path, option("--out FILE", "help-read-out")],
    series: Annotated[int, option("--series N", "help-read-series", min=0)] = 0,
    t: Annotated[int, option("--t N", "help-read-t", min=0)] = 0,
    z: Annotated[str, option("--z N|max|mean|best-focus|channels", "help-read-z")] = "0",
    channels: Annotated[str | None, option("--channels A,B", "help-read-channels")] = None,
    level: Annotated[int, option("--level N", "help-read-level", min=0)] = 0,
    region: Annotated[str | None, option("--region X,Y,WIDTH,HEIGHT", "help-read-region")] = None,
) -> None:
    """Write the pixels of one image to a TIFF file, as training and prediction read them, before they are resized.

    `coverslip inspect FILE` lists the series, time points, z-planes, channels and levels of a file.

    Examples:

      coverslip read plate.nd2 --series 3 --z best-focus --channels DAPI,GFP --out cell.tif

      coverslip read slide.svs --level 1 --region 20000,10000,4096,4096 --out region.tif
    """
    from pydantic import ValidationError

    from coverslip.cli._show import notes_console, results_console
    from coverslip.images.decoding import read_pixels
    from coverslip.images.output import write_tiff
    from coverslip.images.reader import ReadPlan

    try:
        plan = ReadPlan(
            series=series,
            t=t,
            z=int(z) if z.isdecimal() else z,  # checked by the plan
            channels=channels_of(channels),
            level=level,
            region=None if region is None else tuple(map(int, region.split(","))),
        )
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        raise usage_error("usage-read-plan", hint=f"--{name}", name=name) from error
    except ValueError as error:
        raise usage_error("usage-read-plan", hint="--region", name="region") from error
    pixels = read_pixels(file, plan)
    size = pixels.pixel_size_um
    write_tiff(out, pixels)
    height, width, n_channels = pixels.array.shape
    line = text(
        "command-read",
        file=str(out),
        width=width,
        height=height,
        n_channels=n_channels,
        dtype=str(pixels.array.dtype),
        um=size[0] if size else 0,
    )
    if pixels.note is not None:
        notes_console().print(text("progress-note", note=pixels.note), markup=False, soft_wrap=True)
    results_console().print(line, soft_wrap=True)


# `coverslip distance`: distances between datasets.


def distance(
    data: Annotated[list[str], argument("DATA DATA…", "help-distance-data")],
    run: Annotated[Path | None, option("--run RUN", "help-distance-run")] = None,
    model: Annotated[str | None, option("--model NAME", "help-distance-model")] = None,
    image_size: Annotated[int | None, option("--image-size PX", "help-distance-image-size", min=16)] = None,
    group: Group = None,
    group_pattern: GroupPattern = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Measure distances between datasets.

    MMD² is 0 if the two feature distributions are identical; the estimate is unbiased and can be negative. CORAL is 0
    if their covariances are identical. Without --group, images are treated as independent. With it, groups are
    resampled as a whole. A small p means that the datasets differ, as two microscopes nearly always do. It does not
    mean that the difference matters. Among 30 pairs of six datasets, distances did not predict the
    gain of pretraining.

    Examples:

      coverslip distance my_cells/ their_cells/ other_stain/

      coverslip distance my_cells.csv their_cells.csv --group slide --run runs/first
    """
    from coverslip.audit.features import distance as distance_between
    from coverslip.cli._show import notes_console, print_json
    from coverslip.cli.progress import shown_progress

    check_groups(group, group_pattern)
    if run is not None and (model is not None or image_size is not None):
        raise usage_error("usage-run-with-model")
    with shown_progress(notes_console()) as emit:
        distances = distance_between(
            cast("list[ImageSource]", data),
            run=run,
            model=model,
            image_size=image_size,
            group=group,
            group_pattern=group_pattern,
            device=device,
            emit=emit,
        )
    if as_json:
        print_json(_distances_as_json(distances))
    else:
        _show_distances(distances)


def _distances_as_json(distances: "Distances") -> dict[str, object]:
    pairs = [
        {
            "a": pair.a,
            "b": pair.b,
            "mmd2": asdict(pair.mmd2) | {"p": pair.p},
            "mmd2_as_published": asdict(pair.mmd2_as_published),
            "coral": asdict(pair.coral),
        }
        for pair in distances.pairs
    ]
    return {"format_version": 1} | asdict(distances) | {"pairs": pairs}


def _show_distances(distances: "Distances") -> None:
    from coverslip.cli._show import filled_table, results_console
    from coverslip.reports.metric_rows import estimate
    from coverslip.reports.reported import number, with_interval

    console = results_console()
    title = text("command-distances", n_features=distances.n_features, network=distances.network)
    console.print(title, soft_wrap=True)
    for of_set in distances.sets:
        counts = text("command-dataset-counts", name=of_set.name, n_images=of_set.n, n_groups=of_set.n_groups or 0)
        console.print(f"  {counts}", soft_wrap=True)
    rows = [
        (f"{pair.a} – {pair.b}", estimate(pair.mmd2, digits=4), number(pair.p), f"{pair.coral.value:.3g}")
        for pair in distances.pairs
    ]
    console.print(filled_table((text("column-datasets"), with_interval("MMD²"), "p", "CORAL"), rows))
    if any((pair.mmd2.value or 0) < 0 for pair in distances.pairs):
        console.print(text("command-negative-mmd"), soft_wrap=True)
    console.print(distances.meaning, soft_wrap=True)
