"""Trainings of a study as programs, on this computer or with Slurm."""

from dataclasses import dataclass
from pathlib import Path

from coverslip.errors import Stopped, error_text
from coverslip.runs import Recipe, Run, is_run, save_recipe
from coverslip.runtime.executors import ProgramExecutor, ProgramTask
from coverslip.runtime.programs import python_command, record_exit, recorded_failure

_INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Order:
    """The definition of a training. It can be sent to another computer."""

    sources: tuple[str, ...]  # folders or tables
    recipe: Recipe
    group_pattern: str | None
    threads: int


def _training_command(order: Order, folder: Path) -> list[str]:
    """Return the command that starts or resumes a training, and write the recipe of a new one."""
    arguments = ["--resume", str(folder)]
    if not is_run(folder):
        save_recipe(order.recipe, recipe := folder.with_name(f"{folder.name}.yaml"))
        groups = ["--group-pattern", order.group_pattern] if order.group_pattern else []
        leakage = ["--allow-leakage"] if order.recipe.leaking_keys else []
        arguments = [*order.sources, "--recipe", str(recipe), *groups, *leakage, "--out", str(folder)]
    return python_command("-m", "coverslip", "train", *arguments)


def train_in_program(executor: ProgramExecutor, order: Order, folder: Path) -> None:
    """Train in a process, and record how it ended, unless it did so itself, or was to stop.

    The process is in a session of its own, so that only the executor forwards Ctrl-C.
    """
    try:
        exit_code = executor.run(ProgramTask(_training_command(order, folder), folder))
    except Stopped:  # before its start
        return
    status = Run(folder).status
    if not executor.is_stopped and exit_code != _INTERRUPTED and (status is None or status.state == "running"):
        record_exit(folder, exit_code)


def start_failure(folder: Path) -> str | None:
    """Return why a training failed without a last status; None if it did not fail."""
    failure = recorded_failure(folder)
    return None if failure is None else error_text(failure)
