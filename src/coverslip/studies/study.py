"""Planning, running, resuming and comparing a study in its folder."""

import math
from contextlib import closing
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from coverslip.datasets.index.records import Dataset
from coverslip.errors import BadRun, CoverslipError
from coverslip.events import Emit, Noted, ignore
from coverslip.experiments.preparation import apply_recipe, assign_groups
from coverslip.files import write_json
from coverslip.machine import n_cores
from coverslip.messages import ChooseOther, Resume, duration, note, text
from coverslip.models import model_info
from coverslip.runs.folder import Run, is_run
from coverslip.runs.images import UnchangedImages
from coverslip.runs.recipe import FromRun
from coverslip.runs.recipe_keys import values_of
from coverslip.runs.status import WORK_LOCK, StatusFile, work_lock
from coverslip.runs.training import budget_seconds
from coverslip.runtime.cluster import ClusterExecutor
from coverslip.runtime.executors import ProgramExecutor
from coverslip.runtime.slurm import Slurm
from coverslip.stopping import Deadline
from coverslip.studies.cells import (
    Cell,
    as_trained,
    cells_of,
    expected_recipe,
    open_images,
    state_of,
    write_merged_tables,
)
from coverslip.studies.comparing import StudyComparison, compare_study
from coverslip.studies.plan import StudyPlan, load_plan, save_plan
from coverslip.studies.presets import notes_of_plan
from coverslip.studies.published import arm_differences, arm_settings, protocol_stamps, roc_panels
from coverslip.studies.report import write_study_report
from coverslip.studies.results import (
    ResultRow,
    images_of_datasets,
    rows_of,
    unreadable_tables,
    write_results,
)
from coverslip.studies.running import CellRunner, Train, train_in_program
from coverslip.studies.settings import idle_first_steps, tried_choices
from coverslip.studies.timing import cell_seconds
from coverslip.studies.variants import (
    confusions,
    draw_heat_maps,
    epoch_curves,
    fit_scores,
    measure_distances,
    measure_latencies,
    merged_classes,
    read_distances,
    read_heat_maps,
    read_latencies,
)


def plan_study(plan: StudyPlan | Path | str, out: Path | str) -> list[Cell]:
    """Return all trainings of a plan without starting them.

    Args:
        plan: of the study, or its file.
        out: the folder of the study.

    Raises:
        BadRecipe: the plan, or a recipe combined from it, is not valid.
    """
    return cells_of(_loaded(plan), Path(out))


def check_cells(cells: list[Cell]) -> None:
    """Check that the networks, datasets, groups and earlier runs of trainings exist; finished trainings are skipped.

    Args:
        cells: of a plan.

    Raises:
        CoverslipError: a resource does not exist; the error names the training.
    """
    opened: dict[tuple[object, ...], Dataset] = {}
    for cell in cells:
        if state_of(cell).state == "done":
            continue
        try:
            _check_cell(cell, opened)
        except CoverslipError as error:
            raise _of_training(error, cell) from error


def _of_training(error: CoverslipError, cell: Cell) -> CoverslipError:
    """Return the error, of the same class, whose text begins with the training that it concerns."""
    parameters = {**error.parameters, "training": cell.label, "what": error.message}
    what = text("study-training-error", training=cell.label, what=error.message)
    return type(error).of(replace(error.failure, code="study-training-error", what=what, parameters=parameters))


def _refuse_changed_images(cells: list[Cell], emit: Emit) -> None:
    """Check the images of started trainings that share folders or tables with unfinished trainings.

    Finished trainings are included, because compared trainings must use the same pixels.

    Raises:
        BadRun: some images changed; the error names the training.
    """
    unfinished = {source for cell in cells if state_of(cell).state != "done" for source in cell.dataset.sources}
    unchanged = UnchangedImages()
    for cell in cells:
        if unfinished.isdisjoint(cell.dataset.sources) or not is_run(cell.run.folder):
            continue
        data, _ = apply_recipe(open_images(cell), cell.recipe)
        try:
            unchanged.check(cell.run, data, emit=emit)
        except BadRun as error:
            raise _of_training(error, cell) from error


def _note_other_recipes(cells: list[Cell], emit: Emit) -> None:
    """Emit a note on trainings whose recipe differs from that of the plan."""
    n_trainings, keys = 0, dict[str, None]()
    for cell in cells:
        if (trained := as_trained(cell)) is not cell:
            n_trainings += 1
            of_plan = values_of(expected_recipe(cell.run, cell.recipe, cell.dataset.group_pattern))
            of_run = values_of(trained.recipe)
            keys |= dict.fromkeys(key for key, value in of_plan.items() if of_run[key] != value)
    if n_trainings:
        emit(Noted.of(note("plan-changed", level="warning", n_trainings=n_trainings, keys=", ".join(keys))))


def _check_cell(cell: Cell, opened: dict[tuple[object, ...], Dataset]) -> None:
    model_info(cell.recipe.model)
    source = (cell.sources, cell.dataset.group_pattern)
    if (*source, None) not in opened:
        opened[*source, None] = open_images(cell)
    if (*source, cell.recipe.group) not in opened:
        opened[*source, cell.recipe.group] = assign_groups(opened[*source, None], cell.recipe)
    init = cell.recipe.init
    if isinstance(init, FromRun) and cell.starts_from is None and not Run(Path(init.run)).has_classifier:
        raise BadRun("initial-run-without-classifier", file=Path(init.run))


def run_study(
    plan: StudyPlan | Path | str,
    *,
    out: Path | str,
    on: str = "local",
    trust_cluster: bool = False,
    budget: float | str | None = None,
    emit: Emit = ignore,
) -> StudyComparison:
    """Run all trainings of a plan, each in a separate process, and compare the results.

    Args:
        plan: of the study, or its file. It is saved in the folder as `study.yaml`.
        out: a new or empty folder.
        on: `local`; `slurm` to submit each training; or a Ray cluster: `ray` for that in the environment variable
            `RAY_ADDRESS` or a new one of this computer, or `ray://HOST:PORT` or `HOST:PORT`.
        trust_cluster: join a cluster without token authentication. Anyone who controls a computer of the cluster can
            run code on this computer.
        budget: the maximum duration, as in `train`. Trainings that do not fit are not started.
        emit: receives progress events.

    Raises:
        BadRecipe: the plan, or a recipe combined from it, is not valid.
        BadDataset: a dataset or its group column does not exist.
        BadRun: the folder is not empty, or an earlier run does not exist.
        Conflict: another process uses the folder.
        CoverslipError: Ray is not installed.
        UntrustedCluster: the cluster has no token authentication, and `trust_cluster` is not set.
        ClusterUnreachable: no cluster answers at the address.
        Stopped: on request; `resume_study` continues the study.
    """
    folder, loaded = Path(out), _loaded(plan)
    cells = cells_of(loaded, folder)
    _check_new_folder(folder)
    check_cells(cells)
    with work_lock(folder):
        _check_new_folder(folder)  # another process may have used the folder until now
        save_plan(loaded, folder / "study.yaml")
        return _run_cells(loaded, cells, folder, on, trust_cluster, budget, emit)


def _check_new_folder(folder: Path) -> None:
    if not folder.exists() or (folder.is_dir() and all(file.name == WORK_LOCK for file in folder.iterdir())):
        return
    is_study = (folder / "study.yaml").is_file()
    resume: tuple[Resume, ...] = (Resume(str(folder), of="study"),) if is_study else ()
    raise BadRun("study-folder-not-empty", file=folder, is_study=is_study, remedies=(ChooseOther("output"), *resume))


def resume_study(
    folder: Path | str,
    *,
    on: str = "local",
    trust_cluster: bool = False,
    budget: float | str | None = None,
    emit: Emit = ignore,
) -> StudyComparison:
    """Resume a study: skip finished trainings, resume stopped trainings, and retry failed trainings.

    Raises:
        BadRun: there is no study in the folder, or images of an unfinished dataset have changed.
        Conflict: another process uses the folder.
        Stopped: on request.
    """
    folder = Path(folder)
    plan = _plan_in(folder)
    cells = cells_of(plan, folder)
    check_cells(cells)
    with work_lock(folder):
        _refuse_changed_images(cells, emit)
        _note_other_recipes(cells, emit)
        return _run_cells(plan, cells, folder, on, trust_cluster, budget, emit)


def study_comparison(
    folder: Path | str,
    *,
    bench: bool = False,
    distances: bool = False,
    explain: bool = False,
    emit: Emit = ignore,
) -> StudyComparison:
    """Return the results of a study so far; write `results.csv`, `comparison.json` and `report.html`.

    Args:
        folder: of the study.
        bench: measure the prediction time of each network on this computer; saved in `latency.json`.
        distances: measure the distance of datasets to their pretraining images; saved in `distances.json`.
        explain: draw heat maps of three test images per dataset and network; saved in `explanations/`.
        emit: receives progress events.

    Raises:
        BadRun: there is no study in the folder, or saved measurements are damaged.
        Stopped: on request.
    """
    folder = Path(folder)
    plan = _plan_in(folder)
    cells = cells_of(plan, folder)
    if bench:
        measure_latencies(cells, folder, emit=emit)
    if distances:
        measure_distances([as_trained(cell) for cell in cells], folder, emit=emit)
    if explain:
        draw_heat_maps(cells, folder, emit=emit)
    return _compared(plan, cells, folder)


def _loaded(plan: StudyPlan | Path | str) -> StudyPlan:
    return plan if isinstance(plan, StudyPlan) else load_plan(Path(plan))


def _plan_in(folder: Path) -> StudyPlan:
    if not (folder / "study.yaml").is_file():
        raise BadRun("no-study", file=folder)
    return load_plan(folder / "study.yaml")


def _run_cells(
    plan: StudyPlan,
    cells: list[Cell],
    folder: Path,
    on: str,
    trust_cluster: bool,
    budget: float | str | None,
    emit: Emit,
) -> StudyComparison:
    seconds = math.inf if budget is None else budget_seconds(budget)
    threads = min(plan.threads or n_cores(), n_cores())
    (folder / "stop").unlink(missing_ok=True)
    write_merged_tables(cells)
    with (
        StatusFile(Run(folder).status_file).recording() as status,
        closing(_executor(on, trust_cluster, threads, emit)) as executor,
    ):
        if on == "local" and budget is not None:
            _note_short_budget(cells, seconds, emit)
        try:
            CellRunner(
                cells=cells,
                folder=folder,
                executor=executor,
                train=_training_on(executor, folder),
                threads=threads,
                status=status,
                after_each=lambda: _write_rows(plan, cells, folder),  # keeps the table current during the study
                emit=emit,
                deadline=Deadline.within(seconds),
            ).run()
        finally:  # writes the available results, also of a stopped study
            comparison = _compared(plan, cells, folder)
    return comparison


def _note_short_budget(cells: list[Cell], budget: float, emit: Emit) -> None:
    """Emit a note if the first training of a study takes longer than the budget; it starts, or nothing would."""
    if any(is_run(cell.run.folder) for cell in cells):
        return
    seconds = cell_seconds(cells[:1], emit)[cells[0].name]
    if seconds is not None and seconds > budget:
        emit(Noted.of(note("study-budget-exceeded", level="warning", duration=duration(seconds))))


def _executor(on: str, trust_cluster: bool, threads: int, emit: Emit) -> ProgramExecutor | ClusterExecutor:
    if on in ("local", "slurm"):
        return ProgramExecutor(threads, Slurm.of(f"--cpus-per-task={threads}") if on == "slurm" else None)
    from coverslip.studies.ray_executor import train_on_node

    return ClusterExecutor(on, train_on_node, cores=threads, is_trusted=trust_cluster, emit=emit)


def _training_on(executor: ProgramExecutor | ClusterExecutor, study: Path) -> Train:
    if isinstance(executor, ProgramExecutor):
        return lambda order, folder, _: train_in_program(executor, order, folder)  # the recipe names the initial run
    from coverslip.studies.ray_executor import Fingerprints, train_on_cluster

    return partial(train_on_cluster, executor, study, Fingerprints())


def _compared(plan: StudyPlan, cells: list[Cell], folder: Path) -> StudyComparison:
    cells = [as_trained(cell) for cell in cells]
    rows = _write_rows(plan, cells, folder)
    compared = compare_study(
        plan,
        rows,
        merged=merged_classes(plan, cells),
        fits=fit_scores(plan, cells),
        images=images_of_datasets(plan, cells),
        latencies=read_latencies(folder),
        distances=read_distances(folder),
    )
    comparison = replace(
        compared,
        unreadable=tuple(unreadable_tables(cells, compared.failures)),
        arm_differences=tuple(arm_differences(plan, cells)),
        arm_settings=tuple(arm_settings(plan, cells, rows)),
        curves=tuple(epoch_curves(plan, cells)),
        confusions=tuple(confusions(plan, cells)),
        tried=tuple(tried_choices(plan, cells)),
        idle_first_steps=tuple(idle_first_steps(cells)),
        heat_maps=tuple(read_heat_maps(folder)),
        notes=tuple(notes_of_plan(plan, cells)),
        protocols=tuple(protocol_stamps(plan, cells)),
        roc_panels=tuple(roc_panels(plan, cells)),
    )
    write_json(folder / "comparison.json", {"format_version": 1, **asdict(comparison)})
    write_study_report(comparison, folder / "report.html")
    return comparison


def _write_rows(plan: StudyPlan, cells: list[Cell], folder: Path) -> list[ResultRow]:
    rows = rows_of(cells, folder, plan.primary_metric)
    write_results(rows, folder / "results.csv")
    return rows
