"""The images that a run is about, found again where they were."""

from collections.abc import Iterable

from coverslip.datasets import Dataset, Opening, open_again, with_classes
from coverslip.errors import BadRun
from coverslip.images import ReadPlan
from coverslip.messages import ChooseOther, Evaluate
from coverslip.runs.environment import Opened, images_opened
from coverslip.runs.folder import Run
from coverslip.runs.images.keeping import kept_sources, with_note
from coverslip.runs.recipe import Recipe


def plan_of(recipe: Recipe) -> ReadPlan:
    """Which pixels of which files a recipe asks for."""
    return ReadPlan(
        plane=recipe.plane,
        channels=recipe.channels,
        channel_files=recipe.channel_files,
        crop_size=recipe.crop_size,
    )


def images_of(run: Run) -> Dataset:
    """The images of a run as they are now; later ones do not belong to it."""
    opened = run.environment.opened
    stored_sources = kept_sources(run)
    data = open_again(_opening(opened, stored_sources, run.recipe, opened.domains))
    data = with_classes(with_note(data, run) if stored_sources else data, run.recipe.classes)
    return _chosen(data, {row.image_id for row in run.split}) if run.split else data


def evaluated_images_of(evaluation: Run) -> Dataset:
    """The images of an evaluation as they are now.

    Raises:
        BadRun: it was not measured.
        CoverslipError: their folder or table is not there.
    """
    images = evaluation.evaluated_images
    if images is None:
        raise BadRun("evaluation-without-metrics", file=evaluation.folder)
    recipe = evaluation.whole.recipe
    return open_again(_opening(images.opened, kept_sources(evaluation), recipe, ()))


def _opening(
    opened: Opened, stored_sources: tuple[str, ...], recipe: Recipe, domains: tuple[str | None, ...]
) -> Opening:
    """How images are opened again; tables that a run keeps have columns of the usual names."""
    plan = plan_of(recipe)
    if opened.crop_size is not None:
        plan = plan.model_copy(update={"crop_size": opened.crop_size})
    return Opening(
        sources=stored_sources or opened.sources,
        group=opened.group,
        group_pattern=opened.group_pattern,
        plan=plan,
        domains=domains,
        columns={} if stored_sources else opened.columns,
    )


def same_images(run: Run) -> Dataset:
    """Return the images of a run that is to be resumed.

    Raises:
        BadRun: some are missing, or their description changed.
    """
    data = images_of(run)
    if images_opened(data).fingerprints != run.environment.fingerprints:
        raise BadRun("run-images-changed", file=data.root)
    return data


def held_out_images(run: Run) -> Dataset:
    """Return the test images of a run.

    Raises:
        BadRun: some are missing, or their description changed.
    """
    rows = {row.image_id: row for row in run.split if row.split == "test"}
    data = _chosen(images_of(run), rows)
    n_gone = len(rows) - len(data.records)
    n_changed = sum(not rows[record.image_id].describes(record) for record in data.records)
    if n_gone or n_changed:
        raise BadRun(
            "test-images-missing" if n_gone else "test-images-changed",
            file=data.root,
            n_images=n_gone or n_changed,
            n_all=len(rows),
            remedies=(Evaluate(str(run.folder), on_other_images=True),),
        )
    return data


def refuse_other_images(evaluation: Run, data: Dataset) -> None:
    """An evaluation is measured again on its own images only; others need a folder of their own.

    Args:
        evaluation: that may have been measured before.
        data: images as they are measured. Those that were given in memory are known by ids, labels and groups.
    """
    before, now = evaluation.evaluated_images, images_opened(data)
    if not evaluation.is_measured or before is None:
        return
    is_same = (
        before.fingerprints == now.fingerprints if data.is_in_memory else before.opened.sources == now.opened.sources
    )
    if not is_same:
        raise BadRun("evaluation-name-taken", file=evaluation.folder, remedies=(ChooseOther("name"),))


def _chosen(data: Dataset, image_ids: Iterable[str]) -> Dataset:
    chosen_ids = frozenset(image_ids)
    return data.chosen(i for i, record in enumerate(data.records) if record.image_id in chosen_ids)
