"""`coverslip distance`: distances between datasets."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

from coverslip.cli._options import AsJson, Device, Group, GroupPattern, argument, check_groups, option, usage_error
from coverslip.messages import text

if TYPE_CHECKING:
    from coverslip.datasets import ImageSource
    from coverslip.evaluation.distances import Distances


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
    mean that the difference matters.

    Examples:

      coverslip distance my_cells/ their_cells/ other_stain/

      coverslip distance my_cells.csv their_cells.csv --group slide --run runs/first
    """
    from coverslip.audit.distance import distance as distance_between
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
        print_json(_as_json(distances))
    else:
        _show(distances)


def _as_json(distances: "Distances") -> dict[str, object]:
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


def _show(distances: "Distances") -> None:
    from coverslip.cli._show import filled_table, results_console
    from coverslip.reports.tables import estimate
    from coverslip.reports.words import number, with_interval

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
    console.print(distances.advice, soft_wrap=True)
