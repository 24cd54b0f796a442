"""`coverslip study`: networks, ways to start and datasets compared on the same splits."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coverslip.cli._options import AsJson

if TYPE_CHECKING:
    from coverslip.studies import Cell, StudyComparison

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


@study_app.command()
def run(
    plan: Annotated[
        Path, typer.Argument(metavar="PLAN", help="YAML file that names datasets and models.", show_default=False)
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="New folder for the study.", show_default=False)],
    budget: Budget = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the trainings and end.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train all that a plan asks for, each training in a process of its own, and compare.

    A plan names datasets and models; regimes, folds, repeats, seeds, train_per_class, recipe, primary_metric, baseline,
    equivalence and threads have defaults. Every training is tested on the same splits.

    Examples:

      coverslip study run study.yaml --dry-run --out studies/networks

      coverslip study run study.yaml --out studies/networks
    """
    from coverslip import studies

    if dry_run:
        _show_cells(studies.plan_study(plan, out), as_json=as_json)
        return
    from coverslip.cli._show import notes_console
    from coverslip.cli.progress import shown_progress

    with shown_progress(notes_console()) as emit:
        comparison = studies.run_study(plan, out=out, budget=budget, emit=emit)
    _show(comparison, out, as_json=as_json)


@study_app.command()
def resume(folder: Folder, budget: Budget = None, as_json: AsJson = False) -> None:
    """Go on with a study: what is done stays, what was begun goes on, what failed is tried again.

    Example:

      coverslip study resume studies/networks
    """
    from coverslip import studies
    from coverslip.cli._show import notes_console
    from coverslip.cli.progress import shown_progress

    with shown_progress(notes_console()) as emit:
        comparison = studies.resume_study(folder, budget=budget, emit=emit)
    _show(comparison, folder, as_json=as_json)


@study_app.command(name="compare")
def compare_results(folder: Folder, as_json: AsJson = False) -> None:
    """Show what a study shows by now, and write its tables and report anew.

    Example:

      coverslip study compare studies/networks
    """
    from coverslip import studies

    _show(studies.study_comparison(folder), folder, as_json=as_json)


def _show_cells(cells: "list[Cell]", *, as_json: bool) -> None:
    from coverslip.cli._show import print_json, results_console
    from coverslip.cli._tables import table_of
    from coverslip.studies import state_of

    if as_json:
        print_json({"cells": [{"name": cell.name, "state": state_of(cell).state} for cell in cells]})
        return
    table = table_of("training", "network", "regime", "state")
    for cell in cells:
        regime = f"pretraining for {cell.regime}" if cell.is_pretraining else cell.regime
        table.add_row(cell.name, cell.model, regime, state_of(cell).state)
    console = results_console()
    console.print(table)
    console.print(f"{len(cells)} trainings")


def _show(comparison: "StudyComparison", folder: Path, *, as_json: bool) -> None:
    from coverslip.cli._show import print_json, results_console
    from coverslip.cli._tables import decimal, table_of
    from coverslip.studies import interval, verdict

    if as_json:
        print_json(asdict(comparison))
        return
    console = results_console()
    for part in comparison.datasets:
        size = f", {part.train_per_class} training images of each class" if part.train_per_class else ""
        console.print(f"\n{part.dataset}{size}", style="bold", soft_wrap=True)
        table = table_of("", comparison.metric_title, "sd over splits", "splits", "missing")
        for row in part.scores:
            missing = str(row.n_missing) if row.n_missing else ""
            table.add_row(row.name, decimal(row.mean), decimal(row.sd), str(row.n_splits), missing)
        console.print(table)
        if part.differences:
            differences = table_of(
                f"against {part.differences[0].baseline}", "difference", "95 % interval", "p (Holm)", ""
            )
            for each in part.differences:
                found = each.difference
                differences.add_row(
                    each.name, f"{found.mean:+.3f}", interval(found), decimal(each.p_holm), verdict(each)
                )
            console.print(differences)
    console.print(f"\nInterval and p: {comparison.method}", soft_wrap=True)
    console.print(f"Report    {folder / 'report.html'}", soft_wrap=True)
