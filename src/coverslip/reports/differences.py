"""How runs differ: settings, images, split and program."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from coverslip.documented_fields import DocumentedFields
from coverslip.messages import text
from coverslip.reports.reported import ReportedRun
from coverslip.runs.folder import Run
from coverslip.runs.images import image_files
from coverslip.runs.recipe import SET_BY_FINISHING
from coverslip.runs.recipe_keys import recipe_keys, values_of
from coverslip.runs.split import SplitRow

What = Literal["recipe", "images", "split", "program"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Differing(DocumentedFields):
    """A setting or property that is not the same in all runs."""

    what: What
    name: str
    """For a recipe, the dotted key of the setting."""
    title: str
    values: list[str]
    """Texts, one per run, in the order of the runs."""


def differences_between(runs: Sequence[Run]) -> list[Differing]:
    """Return all recorded settings and data that differ between the runs."""
    return [*_recipe(runs), *_images(runs), *_split(runs), *_program(runs)]


def _recipe(runs: Sequence[Run]) -> Iterator[Differing]:
    values = [_recipe_values(values_of(run.recipe)) for run in runs]
    early = [_finished_early(run) for run in runs]
    for key in (key for key in recipe_keys() if key.key != "group"):  # compared per image instead
        texts = [as_text(of_run.get(key.key)) for of_run in values]
        is_set = [bool(early_text) and key.key in SET_BY_FINISHING for early_text in early]
        if (
            any(is_set)
            and len({value for value, is_set_early in zip(texts, is_set, strict=True) if not is_set_early}) <= 1
        ):
            continue  # no run has a different value set by the user
        yield from _if_different("recipe", key.key, key.title, texts)
    if any(early) and len({run.recipe.last_epoch for run in runs}) > 1:
        yield from _if_different("recipe", "finished_early", text("comparison-fact-finished-early"), early)


def _recipe_values(values: Mapping[str, object]) -> dict[str, object]:
    """Return a recipe's values, without a target that is not used, and in words where numbers would not help."""
    rule = values["decide_by"]
    unused = {} if rule in ("sensitivity", "specificity") else {"target": None}
    unused |= {} if rule == "threshold" else {"threshold": None}
    adapted = text("comparison-adapted-to-budget") if values["schedule_changes"] else None
    return {**values, "schedule_changes": adapted, **unused}


def _finished_early(run: Run) -> str:
    """Return after how many epochs fine-tuning was finished early; empty if it was not."""
    stage = run.training and run.training.finetune
    if not stage or stage.stopped_because != "finished early":
        return ""
    return text("comparison-finished-early", n_epochs=stage.epochs_run, n_planned=stage.epochs_planned)


def _images(runs: Sequence[Run]) -> Iterator[Differing]:
    facts: list[tuple[str, str, Callable[[Run], str]]] = [
        ("sources", text("comparison-fact-sources"), lambda run: ", ".join(run.environment.opened.sources)),
        ("classes", text("comparison-fact-classes"), lambda run: ", ".join(run.metrics.classes)),
        (
            "n_images",
            text("comparison-fact-images"),
            lambda run: f"{sum(row.split != 'excluded' for row in run.split):,}",
        ),
    ]
    for name, title, of_run in facts:
        yield from _if_different("images", name, title, [of_run(run) for run in runs])
    yield from _differing_images(runs, "labels", text("comparison-fact-labels"), lambda row: row.label)
    yield from _differing_images(runs, "groups", text("comparison-fact-groups"), lambda row: row.group)


def _split(runs: Sequence[Run]) -> Iterator[Differing]:
    counts = [ReportedRun(run).parts for run in runs]
    set_sizes = [", ".join(f"{part} {n[part]:,}" for part in ("train", "val", "test") if n[part]) for n in counts]
    yield from _if_different("split", "parts", text("comparison-fact-sets"), set_sizes)
    if (
        len({any(row.fold for row in run.split) for run in runs}) == 1
    ):  # folds cannot be compared with the sets of a single split
        yield from _differing_images(runs, "moved", text("comparison-fact-moved"), _set_of)


def _set_of(row: SplitRow) -> str:
    return f"{row.split} {row.fold or ''}"


def _differing_images(
    runs: Sequence[Run], name: Literal["labels", "groups", "moved"], title: str, value: Callable[[SplitRow], str]
) -> Iterator[Differing]:
    """Yield how many of the first run's images differ in each of the others."""
    first = {row.image_id: value(row) for row in runs[0].split}
    of_file = {key: value(row) for key, row in _by_file(runs[0]).items()}
    n_differing = [
        sum(first.get(row.image_id, of_file.get(key, value(row))) != value(row) for key, row in _by_file(run).items())
        for run in runs[1:]
    ]
    if any(n_differing):
        values = ["–", *(text("comparison-images-differ", n_images=n, difference=name) for n in n_differing)]
        yield Differing(what="split" if name == "moved" else "images", name=name, title=title, values=values)


def _by_file(run: Run) -> dict[tuple[str, str], SplitRow]:
    """Return the images of a run by file and ID, without the domain prefix that IDs have with several sources."""
    files = image_files(run)
    return {(files[row.image_id], row.image_id.removeprefix(f"{row.domain}/")): row for row in run.split}


def _program(runs: Sequence[Run]) -> Iterator[Differing]:
    yield from _if_different("program", "coverslip", "coverslip", [run.environment.coverslip for run in runs])
    yield from _if_different(
        "program", "device", text("comparison-fact-device"), [run.environment.device for run in runs]
    )


def _if_different(what: What, name: str, title: str, values: list[str]) -> Iterator[Differing]:
    if len(set(values)) > 1:
        yield Differing(what=what, name=name, title=title, values=[value or "–" for value in values])


def as_text(value: object) -> str:
    """Return a recipe's value as the text of a cell."""
    match value:
        case None:
            return "–"
        case bool():
            return text("report-yes") if value else text("report-no")
        case dict():
            return ", ".join(f"{name}: {as_text(item)}" for name, item in value.items()) or "–"
        case list() | tuple():
            return ", ".join(map(as_text, value)) or "–"
    return str(value)
