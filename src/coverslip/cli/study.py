"""`coverslip study`: compare networks, initializations and datasets on the same splits."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coverslip.cli._options import AsJson, argument, option, usage_error
from coverslip.messages import duration, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coverslip.studies.cells import Cell
    from coverslip.studies.comparing import StudyComparison
    from coverslip.studies.plan import StudyPlan


study_app = typer.Typer(
    name="study",
    rich_markup_mode=None,
    help=f"{text('help-study')}\n\nExample:\n\n\b\n  coverslip study run plan.yaml --out studies/first",
)

Folder = Annotated[Path, argument("DIR", "help-study-folder")]
Budget = Annotated[str | None, option("--budget TIME", "help-study-budget")]


On = Annotated[str, option("--on local|slurm|ray|ADDRESS", "help-study-on")]
TrustsCluster = Annotated[bool, option("--trust-cluster", "help-trust-cluster")]
Groups = Annotated[list[str] | None, option("--group COLUMN", "help-study-group")]
GroupPatterns = Annotated[list[str] | None, option("--group-pattern PATTERN", "help-study-group-pattern")]
Small = Annotated[bool, option("--small", "help-study-small")]
Arms = Annotated[str | None, option("--arms A,B,…", "help-study-arms")]
AllTables = Annotated[bool, option("--all-tables", "help-study-all-tables")]


@study_app.command()
def run(
    plan: Annotated[str, argument("PLAN|PRESET", "help-study-run-plan")],
    data: Annotated[list[str] | None, argument("DATA", "help-study-run-data")] = None,
    *,
    out: Annotated[Path, option("--out DIR", "help-study-run-out")],
    group: Groups = None,
    group_pattern: GroupPatterns = None,
    arms: Arms = None,
    all_tables: AllTables = False,
    small: Small = False,
    on: On = "local",
    trust_cluster: TrustsCluster = False,
    budget: Budget = None,
    dry_run: Annotated[bool, option("--dry-run", "help-study-run-dry-run")] = False,
    as_json: AsJson = False,
) -> None:
    """Run all trainings of a plan and compare them.

    A plan lists datasets and models. Its other keys have defaults: regimes, folds, repeats, seeds, train_per_class,
    recipe, primary_metric, baseline, equivalence and threads. All trainings use the same splits. A preset is the study
    of a publication with your images.

    Examples:

      coverslip study run study.yaml --dry-run --out studies/networks

      coverslip study run study.yaml --out studies/networks

      coverslip study run aimic cells/ more_cells/ --small --out studies/aimic

      coverslip study run mobincep cells/ --group slide --arms A,B,C,shortcuts --out studies/mobincep
    """
    from coverslip.studies.study import check_cells, plan_study, run_study
    from coverslip.studies.timing import cell_seconds

    if _is_file(plan) and any((data, group, group_pattern, arms, all_tables, small)):
        raise usage_error("usage-options-of-preset", hint="PLAN")
    study_plan = plan if _is_file(plan) else _preset(plan, data, group, group_pattern, arms, all_tables, small)
    from coverslip.cli._show import notes_console
    from coverslip.cli.progress import shown_progress

    cells = plan_study(study_plan, out)
    if dry_run:
        check_cells(cells)
        with shown_progress(notes_console()) as emit:
            seconds = cell_seconds(cells, emit)
        _show_cells(cells, seconds, as_json=as_json)
        return

    if any(cell.dataset.arm for cell in cells):  # each arm repeats the study
        check_cells(cells)
        with shown_progress(notes_console()) as emit:
            seconds = cell_seconds(cells, emit)
        notes_console().print(_total_time(seconds), soft_wrap=True)
    with shown_progress(notes_console()) as emit:
        comparison = run_study(study_plan, out=out, on=on, trust_cluster=trust_cluster, budget=budget, emit=emit)
    _show_comparison(comparison, out, as_json=as_json)
    _exit_if_failed(comparison)


@study_app.command()
def preset(
    name: Annotated[str | None, argument("NAME", "help-study-preset-name")] = None,
    data: Annotated[list[str] | None, argument("DATA", "help-study-preset-data")] = None,
    *,
    out: Annotated[Path | None, option("--out FILE", "help-study-preset-out")] = None,
    group: Groups = None,
    group_pattern: GroupPatterns = None,
    arms: Arms = None,
    all_tables: AllTables = False,
    small: Small = False,
) -> None:
    """Write a publication's study as a plan for your images; without NAME, list the presets.

    Examples:

      coverslip study preset

      coverslip study preset two-step qband.csv gband.csv --group cell --group case --out study.yaml
    """
    from coverslip.cli._show import results_console, table_of
    from coverslip.reports.metric_rows import column_titles
    from coverslip.studies.plan import save_plan
    from coverslip.studies.presets import PRESETS, notes_of_plan
    from coverslip.studies.study import plan_study

    console = results_console()
    if name is None and any((out, group, group_pattern, arms, all_tables, small)):
        raise usage_error("usage-preset-name", hint="NAME")
    if name is None:
        table = table_of(*column_titles("column-preset", "column-study", "column-publication"))
        for study_preset in PRESETS.values():
            table.add_row(study_preset.name, study_preset.title, study_preset.citation)
        console.print(table)
        return
    study_plan = _preset(name, data, group, group_pattern, arms, all_tables, small)
    if out is None:
        raise usage_error("usage-plan-file")
    save_plan(study_plan, out)
    cells = plan_study(study_plan, out.parent)
    console.print(text("command-plan", path=out, n_trainings=len(cells)), soft_wrap=True)
    for note in notes_of_plan(study_plan, cells):
        console.print(text("command-deviation", note=note), soft_wrap=True)


def _is_file(plan: str) -> bool:
    return Path(plan).suffix in (".yaml", ".yml") or Path(plan).is_file()


def _preset(
    name: str,
    data: list[str] | None,
    group: list[str] | None,
    group_pattern: list[str] | None,
    arms: str | None,
    all_tables: bool,
    small: bool,
) -> "StudyPlan":
    from coverslip.studies.presets import preset_plan

    if group and group_pattern:
        raise usage_error("usage-two-groups")
    return preset_plan(
        name,
        data or [],
        group=group or (),
        group_pattern=group_pattern or (),
        arms=[name.strip() for name in arms.split(",")] if arms else (),
        all_tables=all_tables,
        is_small=small,
    )


@study_app.command()
def resume(
    folder: Folder,
    on: On = "local",
    trust_cluster: TrustsCluster = False,
    budget: Budget = None,
    as_json: AsJson = False,
) -> None:
    """Resume a study: continue interrupted trainings and retry failed ones.

    Example:

      coverslip study resume studies/networks
    """
    from coverslip.cli._show import notes_console
    from coverslip.cli.progress import shown_progress
    from coverslip.studies.study import resume_study

    with shown_progress(notes_console()) as emit:
        comparison = resume_study(folder, on=on, trust_cluster=trust_cluster, budget=budget, emit=emit)
    _show_comparison(comparison, folder, as_json=as_json)
    _exit_if_failed(comparison)


@study_app.command(name="compare")
def compare_results(
    folder: Folder,
    bench: Annotated[bool, option("--bench", "help-study-compare-bench")] = False,
    distances: Annotated[bool, option("--distances", "help-study-compare-distances")] = False,
    explain: Annotated[bool, option("--explain", "help-study-compare-explain")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the results so far, and write tables and report again.

    Examples:

      coverslip study compare studies/networks

      coverslip study compare studies/networks --bench

      coverslip study compare studies/two-step --distances --explain
    """
    from coverslip.cli._show import notes_console
    from coverslip.cli.progress import shown_progress
    from coverslip.studies.study import study_comparison

    with shown_progress(notes_console()) as emit:
        comparison = study_comparison(folder, bench=bench, distances=distances, explain=explain, emit=emit)
    _show_comparison(comparison, folder, as_json=as_json)


def _exit_if_failed(comparison: "StudyComparison") -> None:
    if comparison.failures:
        raise typer.Exit(1)


def _show_cells(cells: "list[Cell]", seconds: "Mapping[str, float | None]", *, as_json: bool) -> None:
    from coverslip.cli._show import print_json, results_console, table_of
    from coverslip.reports.metric_rows import column_titles
    from coverslip.studies.cells import state_of

    if as_json:
        rows = [{"name": cell.name, "state": state_of(cell).state, "seconds": seconds[cell.name]} for cell in cells]
        print_json({"cells": rows})
        return
    table = table_of(
        *column_titles("column-training", "column-network", "column-regime", "column-state", "column-about")
    )
    for cell in cells:
        regime = text("command-pretraining", regime=cell.regime) if cell.is_pretraining else cell.regime
        needed = seconds[cell.name]
        table.add_row(cell.name, cell.model, regime, state_of(cell).state, "–" if needed is None else duration(needed))
    console = results_console()
    console.print(table)
    console.print(_total_time(seconds), soft_wrap=True)


def _total_time(seconds: "Mapping[str, float | None]") -> str:
    known_seconds = [needed for needed in seconds.values() if needed is not None]
    n_unknown = len(seconds) - len(known_seconds)
    time = duration(sum(known_seconds))
    return text("command-study-time", n_trainings=len(seconds), time=time, n_unknown=n_unknown)


def _show_comparison(comparison: "StudyComparison", folder: Path, *, as_json: bool) -> None:
    from coverslip.cli._show import print_json, results_console, show_sections
    from coverslip.studies.report import study_sections

    if as_json:
        print_json(asdict(comparison))
        return
    console = results_console()
    show_sections(console, study_sections(comparison), has_folded=True)
    console.print(f"\n{text('command-result-report', file=folder / 'report.html')}", soft_wrap=True)
    if comparison.failures:
        failed = text("command-failed-trainings", n_trainings=len(comparison.failures))
        console.print(failed, soft_wrap=True)
