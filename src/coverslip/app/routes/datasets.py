"""Datasets: opening, describing, changing and forgetting them, and what a training would make of them."""

from typing import Annotated, Any

from fastapi import Query, Response

from coverslip.app.requests import Home, Looks, Measures, Paged, api_router
from coverslip.app.schemas.datasets import DatasetChanges, NewDataset, RecipeOf, SplitOf, TimeOf
from coverslip.app.schemas.system import problems
from coverslip.experiments.estimating import Counts
from coverslip.workspace import forgetting, group_suggestions
from coverslip.workspace.datasets import changing, counting, grouping, listing, reading_images, sources
from coverslip.workspace.datasets.counting import ClassThumbnails
from coverslip.workspace.datasets.grouping import GroupPreview
from coverslip.workspace.datasets.inspections import DatasetInspection
from coverslip.workspace.datasets.listing import DatasetState
from coverslip.workspace.datasets.sources import Source
from coverslip.workspace.group_suggestions import GroupSuggestion
from coverslip.workspace.jobs import previews
from coverslip.workspace.jobs.previews import SplitPreview
from coverslip.workspace.leakage_audit.asking import LeakageEstimateState
from coverslip.workspace.leakage_audit.distances import DatasetDistances
from coverslip.workspace.recipes import advice
from coverslip.workspace.recipes.advice import TimePreview
from coverslip.workspace.store.records import TableChoices
from coverslip.workspace.store.rows import Page
from coverslip.workspace.viewing.filters import Text

Others = Annotated[list[str], Query(max_length=5, description="Other datasets, up to five.")]
_PNG: dict[int | str, dict[str, Any]] = {  # Any: FastAPI's own type
    200: {"content": {"image/png": {}}, "description": "A sheet: an image per row, and five changes."}
}

router = api_router("datasets", responses=problems(422))


@router.get("/datasets")
def list_datasets(home: Home, paging: Paged) -> Page[DatasetState]:
    """The datasets, the newest first."""
    reading_images.resume(home)
    return listing.list_datasets(home, paging)


@router.post("/datasets", status_code=201, responses=problems(404, 422))
def create_dataset(home: Home, new: NewDataset) -> DatasetState:
    """Open folders or tables as one dataset, each its own domain.

    Faults are told at once; reading the images goes on afterwards.
    """
    return sources.open_sources(
        home,
        [Source(**source.model_dump()) for source in new.sources],
        name=new.name,
        group=new.group,
        group_pattern=new.group_pattern,
        is_labelled=new.is_labelled,
        choices=TableChoices(new.columns, new.crop_size),
    )


@router.post("/samples", status_code=201)
def create_samples(home: Home) -> DatasetState:
    """The synthetic sample images as a dataset; they are drawn when this is first asked for."""
    return sources.open_samples(home)


@router.get("/datasets/{dataset_id}", responses=problems(404))
def get_dataset(home: Home, dataset_id: str) -> DatasetState:
    """One dataset."""
    reading_images.resume(home)
    return listing.describe(home, dataset_id)


@router.patch(
    "/datasets/{dataset_id}",
    responses=problems(404, 409, 422),
)
def change_dataset(home: Home, dataset_id: str, changes: DatasetChanges) -> DatasetState:
    """Change the name, where images come from, the groups, the classes or their order.

    Labels that were given in the app stay; those of images that are no longer there are kept until they come back.
    """
    return changing.change(home, dataset_id, changes.model_dump(exclude_unset=True))


@router.delete("/datasets/{dataset_id}", status_code=204, responses=problems(404, 409))
def remove_dataset(home: Home, dataset_id: str) -> None:
    """Forget a dataset. For 30 days it can be restored; then labels given here and uploaded copies go too."""
    forgetting.forget(home, dataset_id)


@router.post("/datasets/{dataset_id}/restore", responses=problems(404))
def restore_dataset(home: Home, dataset_id: str) -> DatasetState:
    """Bring a forgotten dataset back, with the labels given here."""
    return forgetting.restore(home, dataset_id)


@router.post(
    "/datasets/{dataset_id}/refresh",
    responses=problems(404, 409, 422),
)
def refresh_dataset(home: Home, dataset_id: str) -> DatasetState:
    """Look again at what lies in the folders or tables. Labels that were given in the app stay."""
    return changing.refresh(home, dataset_id)


@router.get(
    "/datasets/{dataset_id}/inspection",
    responses=problems(404, 409),
)
def get_inspection(home: Home, dataset_id: str) -> DatasetInspection:
    """What the images are like and what to do about it; 409 while they are being read."""
    return reading_images.inspection(home, dataset_id)


@router.get("/datasets/{dataset_id}/leakage-estimate", responses=problems(404, 409))
def get_leakage_estimate(looks: Looks, dataset_id: str) -> LeakageEstimateState:
    """What a split that divides groups and copies would have reported, where somebody has asked for it."""
    return looks.state_of(dataset_id)


@router.post("/datasets/{dataset_id}/leakage-estimate", status_code=202, responses=problems(404, 409))
def create_leakage_estimate(looks: Looks, dataset_id: str) -> LeakageEstimateState:
    """Show some 2,000 of the images to a network, in a process of its own; findings about shortcuts come with it.

    Trainings on these images tell of it in their reports.
    """
    return looks.start(dataset_id)


@router.delete("/datasets/{dataset_id}/leakage-estimate", status_code=204)
def remove_leakage_estimate(looks: Looks, dataset_id: str) -> None:
    """Look no further. What was found before stays."""
    looks.cancel(dataset_id)


@router.get("/datasets/{dataset_id}/distances", responses=problems(404, 409, 422))
def get_distances(measures: Measures, dataset_id: str, other: Others) -> DatasetDistances:
    """How far a dataset is from others as a network sees them, where somebody has asked for it."""
    return measures.state_of(dataset_id, other)


@router.post("/datasets/{dataset_id}/distances", status_code=202, responses=problems(404, 409, 422))
def create_distances(measures: Measures, dataset_id: str, other: Others) -> DatasetDistances:
    """Measure MMD² and CORAL in a process of its own, and say which to pretrain on."""
    return measures.start(dataset_id, other)


@router.delete("/datasets/{dataset_id}/distances", status_code=204, responses=problems(404, 409, 422))
def remove_distances(measures: Measures, dataset_id: str, other: Others) -> None:
    """Measure no further; what is known stays."""
    measures.cancel(dataset_id, other)


@router.get("/datasets/{dataset_id}/class-thumbnails", responses=problems(404))
def list_class_thumbnails(home: Home, dataset_id: str, paging: Paged) -> Page[ClassThumbnails]:
    """Some images of each class, from all over it: what the classes look like."""
    return paging.page_of(counting.class_thumbnails(home, dataset_id))


@router.get(
    "/datasets/{dataset_id}/columns",
    responses=problems(404, 422),
)
def list_columns(home: Home, dataset_id: str, paging: Paged) -> Page[str]:
    """The columns of the dataset's tables that can name groups; none where it was opened from folders."""
    return paging.page_of(grouping.group_columns(home, dataset_id))


@router.get("/datasets/{dataset_id}/group-suggestions", responses=problems(404, 409))
def list_group_suggestions(home: Home, dataset_id: str, paging: Paged) -> Page[GroupSuggestion]:
    """Columns and patterns that may say which images belong together; a training would begin with each of them."""
    return paging.page_of(group_suggestions.list_suggestions(home, dataset_id))


@router.get(
    "/datasets/{dataset_id}/group-preview",
    responses=problems(404, 422),
)
def preview_groups(
    home: Home,
    dataset_id: str,
    pattern: Annotated[Text | None, Query(description="A regular expression for paths.")] = None,
    group: Annotated[Text | None, Query(description="A column of the table.")] = None,
) -> GroupPreview:
    """What groups a pattern or a column would make, or the groups of now without either; nothing is changed."""
    return grouping.preview(home, dataset_id, pattern=pattern, column=group)


@router.post(
    "/datasets/{dataset_id}/split-preview",
    responses=problems(404, 409, 422),
)
def preview_split(home: Home, dataset_id: str, body: SplitOf) -> SplitPreview:
    """Which images a training with this recipe would train, validate and test on, and why it would be refused."""
    return previews.split(home, dataset_id, body.recipe, allow_leakage=body.allow_leakage, again_of=body.again_of)


@router.post("/datasets/{dataset_id}/time-preview", responses=problems(404, 409, 422))
def preview_time(home: Home, dataset_id: str, body: TimeOf) -> TimePreview:
    """How long a training with this recipe would take, by the pace of earlier trainings on this computer."""
    counts = Counts(
        n_train=body.n_train, n_val=body.n_val, n_test=body.n_test, n_drawn=body.n_train, n_folds=body.n_folds
    )
    return advice.expected(home, dataset_id, body.recipe, counts)


@router.post(
    "/datasets/{dataset_id}/augmentation-preview",
    response_class=Response,
    responses=_PNG | problems(404, 409, 422),
)
def preview_augmentation(home: Home, dataset_id: str, body: RecipeOf) -> Response:
    """Some training images as a network would see them: as prepared, and changed at random."""
    return Response(previews.augmentation(home, dataset_id, body.recipe), media_type="image/png")
