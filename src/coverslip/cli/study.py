"""`coverslip study`: networks, ways to start and datasets compared on the same splits."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coverslip.cli._options import AsJson

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from coverslip.studies import Cell, DatasetComparison, StudyComparison, StudyPlan

_MILLION = 1e6

study_app = typer.Typer(
    rich_markup_mode=None,
    help="Compare networks and ways to start on the same splits.\n\n"
    "Example:\n\n\b\n  coverslip study run plan.yaml --out studies/first",
)

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the study.", show_default=False)]
Budget = Annotated[
    str | None,
    typer.Option(
        "--budget",
        metavar="TIME",
        help="Begin no training that would not end in this time: 10m, 2h. The others are left for `study resume`.",
        show_default=False,
    ),
]


On = Annotated[
    str,
    typer.Option(
        "--on",
        metavar="local|ray|ADDRESS",
        help="Where to train: on this computer; on the Ray cluster that is there, or one of this computer alone; or on "
        "the one at ray://HOST:PORT.",
    ),
]
Groups = Annotated[
    list[str] | None,
    typer.Option(
        "--group",
        metavar="COLUMN",
        help="With a preset: the column that names patient, slide or well; once for all datasets, or once for each.",
        show_default=False,
    ),
]
GroupPatterns = Annotated[
    list[str] | None,
    typer.Option(
        "--group-pattern",
        metavar="PATTERN",
        help="The same for folders: a regular expression that finds it in an image's path.",
        show_default=False,
    ),
]
Small = Annotated[
    bool,
    typer.Option(
        "--small",
        help="With a preset: see it run on two cores. Networks whose weights are there, small and few images, two "
        "epochs.",
    ),
]
AsPublished = Annotated[
    bool,
    typer.Option(
        "--as-published",
        help="With a preset: each dataset also as the publication did it, and by how much that looks better.",
    ),
]


@study_app.command()
def run(
    plan: Annotated[
        str,
        typer.Argument(
            metavar="PLAN|PRESET",
            help="YAML file that names datasets and models; or a preset (see `coverslip study preset`).",
            show_default=False,
        ),
    ],
    data: Annotated[
        list[str] | None,
        typer.Argument(metavar="DATA", help="With a preset: folders or tables, a dataset each.", show_default=False),
    ] = None,
    *,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="New folder for the study.", show_default=False)],
    group: Groups = None,
    group_pattern: GroupPatterns = None,
    small: Small = False,
    as_published: AsPublished = False,
    on: On = "local",
    budget: Budget = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="List the trainings with the time that each takes here, as measured, and end."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Train all that a plan asks for, each training in a process of its own, and compare.

    A plan names datasets and models; regimes, folds, repeats, seeds, train_per_class, recipe, primary_metric, baseline,
    equivalence and threads have defaults. Every training is tested on the same splits. A preset is the study of a
    publication, on your own images.

    Examples:

      coverslip study run study.yaml --dry-run --out studies/networks

      coverslip study run study.yaml --out studies/networks

      coverslip study run aimic cells/ more_cells/ --small --out studies/aimic
    """
    from coverslip import studies

    chosen = plan if _is_file(plan) else _preset(plan, data, group, group_pattern, small, as_published)
    from coverslip.cli._show import notes_console
    from coverslip.cli.progress import shown_progress

    if dry_run:
        cells = studies.plan_study(chosen, out)
        with shown_progress(notes_console()) as emit:
            seconds = studies.cell_seconds(cells, emit)
        _show_cells(cells, seconds, as_json=as_json)
        return

    with shown_progress(notes_console()) as emit:
        comparison = studies.run_study(chosen, out=out, on=on, budget=budget, emit=emit)
    _show(comparison, out, as_json=as_json)


@study_app.command()
def preset(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Left out: list the presets.", show_default=False)
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Argument(metavar="DATA", help="Folders or tables, a dataset each.", show_default=False),
    ] = None,
    *,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Where the plan is written.", show_default=False)
    ] = None,
    group: Groups = None,
    group_pattern: GroupPatterns = None,
    small: Small = False,
    as_published: AsPublished = False,
) -> None:
    """Write a publication's study on your own images as a plan to change and run; without NAME, list them.

    Examples:

      coverslip study preset

      coverslip study preset two-step qband.csv gband.csv --group cell --group case --out study.yaml
    """
    from coverslip import studies
    from coverslip.cli._show import results_console
    from coverslip.cli._tables import table_of

    console = results_console()
    if name is None:
        table = table_of("preset", "study", "publication")
        for each in studies.PRESETS.values():
            table.add_row(each.name, each.title, each.citation)
        console.print(table)
        return
    if out is None:
        raise typer.BadParameter("say by --out where the plan is written.")
    made = _preset(name, data, group, group_pattern, small, as_published)
    studies.save_plan(made, out)
    n = len(studies.plan_study(made, out.parent))
    console.print(f"Plan      {out}: {n} trainings", soft_wrap=True)
    for note in made.notes:
        console.print(f"Otherwise than published: {note}", soft_wrap=True)


def _is_file(plan: str) -> bool:
    return Path(plan).suffix in (".yaml", ".yml") or Path(plan).is_file()


def _preset(
    name: str,
    data: list[str] | None,
    group: list[str] | None,
    group_pattern: list[str] | None,
    small: bool,
    as_published: bool,
) -> "StudyPlan":
    from coverslip import studies

    if group and group_pattern:
        raise typer.BadParameter("give either --group (a table's column) or --group-pattern (for paths), not both.")
    return studies.preset_plan(
        name,
        data or [],
        group=group or (),
        group_pattern=group_pattern or (),
        is_small=small,
        as_published=as_published,
    )


@study_app.command()
def resume(folder: Folder, on: On = "local", budget: Budget = None, as_json: AsJson = False) -> None:
    """Go on with a study: what is done stays, what was begun goes on, what failed is tried again.

    Example:

      coverslip study resume studies/networks
    """
    from coverslip import studies
    from coverslip.cli._show import notes_console
    from coverslip.cli.progress import shown_progress

    with shown_progress(notes_console()) as emit:
        comparison = studies.resume_study(folder, on=on, budget=budget, emit=emit)
    _show(comparison, folder, as_json=as_json)


@study_app.command(name="compare")
def compare_results(
    folder: Folder,
    bench: Annotated[
        bool, typer.Option("--bench", help="Measure how long each network takes for 1 and 100 images here.")
    ] = False,
    distances: Annotated[
        bool,
        typer.Option(
            "--distances",
            help="Measure how far each dataset is from the images of its first step, as each network sees them.",
        ),
    ] = False,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="Draw heat maps of three test images by each network, the ways to start beside each other; checks of "
            "the maps take a minute or more for each training.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what a study shows by now, and write its tables and report anew.

    Examples:

      coverslip study compare studies/networks

      coverslip study compare studies/networks --bench

      coverslip study compare studies/two-step --distances --explain
    """
    from coverslip import studies
    from coverslip.cli._show import notes_console
    from coverslip.cli.progress import shown_progress

    with shown_progress(notes_console()) as emit:
        comparison = studies.study_comparison(folder, bench=bench, distances=distances, explain=explain, emit=emit)
    _show(comparison, folder, as_json=as_json)


def _show_cells(cells: "list[Cell]", seconds: "Mapping[str, float | None]", *, as_json: bool) -> None:
    from coverslip.cli._show import print_json, results_console
    from coverslip.cli._tables import table_of
    from coverslip.messages import duration
    from coverslip.studies import state_of

    if as_json:
        shown = [{"name": cell.name, "state": state_of(cell).state, "seconds": seconds[cell.name]} for cell in cells]
        print_json({"cells": shown})
        return
    table = table_of("training", "network", "regime", "state", "about")
    for cell in cells:
        regime = f"pretraining for {cell.regime}" if cell.is_pretraining else cell.regime
        needed = seconds[cell.name]
        table.add_row(cell.name, cell.model, regime, state_of(cell).state, "–" if needed is None else duration(needed))
    console = results_console()
    console.print(table)
    known = [needed for needed in seconds.values() if needed is not None]
    rest = f", {len(cells) - len(known)} of unknown length" if len(known) < len(cells) else ""
    console.print(f"{len(cells)} trainings, one after the other about {duration(sum(known))}{rest}", soft_wrap=True)


def _show(comparison: "StudyComparison", folder: Path, *, as_json: bool) -> None:
    from coverslip.cli._show import print_json, results_console
    from coverslip.cli._tables import decimal, latency_table, table_of
    from coverslip.studies import interval

    if as_json:
        print_json(asdict(comparison))
        return
    console = results_console()
    for part in comparison.datasets:
        _show_dataset(console, comparison, part)
    if (together := comparison.overall) is not None:
        console.print("\nAll datasets together", style="bold")
        table = table_of("", comparison.metric_title, "mean rank")
        for row in together.scores:
            table.add_row(row.name, decimal(row.mean), f"{row.mean_rank:.2f}")
        console.print(table)
        chance = f"Ranks closer than {together.critical_difference:.2f} are no more than chance (Nemenyi)"
        console.print(chance, soft_wrap=True)
    if comparison.latencies:
        rows = [(f"{each.dataset}, {each.model}", each.latency) for each in comparison.latencies]
        console.print()
        console.print(latency_table(rows[0][1], rows))
    if comparison.robustness:
        console.print("\nChanged test images", style="bold")
        table = table_of("", "", "change", comparison.metric_title, "difference", "95 % interval")
        for changed in comparison.robustness:
            found = changed.difference
            numbers = (decimal(changed.mean), f"{found.mean:+.3f}", interval(found))
            table.add_row(changed.dataset, changed.name, changed.perturbation, *numbers)
        console.print(table)
    if comparison.gaps:
        console.print("\nThe publication's protocol beside this one (other splits, so not tested)", style="bold")
        table = table_of("", "", "as published", "here", "difference")
        for gap in comparison.gaps:
            difference = f"{gap.as_published - gap.own:+.3f}"
            table.add_row(gap.dataset, gap.name, decimal(gap.as_published), decimal(gap.own), difference)
        console.print(table)
    _show_measured(console, comparison)
    for sentence in comparison.idle_first_steps:
        console.print(f"\nWarning: {sentence}", soft_wrap=True)
    console.print(f"\nInterval and p: {comparison.method}", soft_wrap=True)
    if any(each.usual_finds and not each.is_shown for part in comparison.datasets for each in part.differences):
        console.print(comparison.error_rates, soft_wrap=True)
    console.print(f"Report    {folder / 'report.html'}", soft_wrap=True)


def _show_measured(console: "Console", comparison: "StudyComparison") -> None:
    """What is only there where it was asked for: distances, and what the checks of heat maps gave."""
    from coverslip.cli._tables import decimal, distance_cells, table_of

    if comparison.distances:
        console.print("\nHow far the first step's images are", style="bold")
        table = table_of("", "", "MMD²", "95 % interval", "p", "CORAL")
        for each in comparison.distances:
            table.add_row(each.dataset, each.model, *distance_cells(each.mmd2, each.p, each.coral))
        console.print(table)
    if comparison.heat_maps:
        console.print("\nHeat maps (drawn in explanations/ and the report)", style="bold")
        table = table_of("", "", "start", "map", "like random weights", "beats the centre by", "at least", "")
        for drawn in comparison.heat_maps:
            for row in drawn.maps:
                checks = (decimal(row.similarity), decimal(row.gain), decimal(row.gain_low), row.verdict)
                table.add_row(drawn.dataset, drawn.model, row.regime, row.method, *checks)
        console.print(table)


def _show_dataset(console: "Console", comparison: "StudyComparison", part: "DatasetComparison") -> None:
    from coverslip.cli._tables import decimal, table_of
    from coverslip.studies import interval, verdict

    size = f", {part.train_per_class} training images of each class" if part.train_per_class else ""
    console.print(f"\n{part.dataset}{size}", style="bold", soft_wrap=True)
    table = table_of("", comparison.metric_title, "sd over splits", "splits", "missing", "millions of parameters", "s")
    for row in part.scores:
        missing = str(row.n_missing) if row.n_missing else ""
        size = f"{row.parameters / _MILLION:.2f}" if row.parameters else ""
        seconds = "" if row.train_seconds is None else f"{row.train_seconds:.0f}"
        table.add_row(row.name, decimal(row.mean), decimal(row.sd), str(row.n_splits), missing, size, seconds)
    console.print(table)
    if not part.differences:
        return
    differences = table_of("", "against", "difference", "95 % interval", "p (Holm)", "")
    for each in part.differences:
        found = each.difference
        numbers = (f"{found.mean:+.3f}", interval(found), decimal(each.p_holm))
        differences.add_row(each.name, each.baseline, *numbers, verdict(each, part))
    console.print(differences)
    for each in part.differences:
        if each.usual_finds and not each.is_shown:
            tests, pair = " and ".join(each.usual_finds), f"{each.name} against {each.baseline}"
            console.print(f"Publications might call it a difference (by {tests}): {pair}", soft_wrap=True)
