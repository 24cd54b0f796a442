"""Datasets: open, describe, change and remove them, and preview trainings on them."""

from typing import Annotated, Any

from fastapi import Query, Response

from coverslip.app.requests import Paged, ServedDistances, ServedEstimates, ServedWorkspace, api_router
from coverslip.app.schemas.datasets import DatasetChanges, NewDataset, RecipeOf, SplitOf, TimeOf
from coverslip.app.schemas.system import problems
from coverslip.experiments.estimating import Counts
from coverslip.workspace import cleanup, group_suggestions, recipes
from coverslip.workspace.datasets import changing, grouping, listing, reading_images, sources
from coverslip.workspace.datasets.grouping import GroupPreview
from coverslip.workspace.datasets.inspections import DatasetInspection
from coverslip.workspace.datasets.listing import ClassThumbnails, DatasetState
from coverslip.workspace.datasets.sources import Source
from coverslip.workspace.group_suggestions import GroupSuggestion
from coverslip.workspace.jobs import previews
from coverslip.workspace.jobs.previews import SplitPreview
from coverslip.workspace.leakage_audit.distances import DatasetDistances
from coverslip.workspace.leakage_audit.estimates import LeakageEstimateState
from coverslip.workspace.recipes import TimePreview
from coverslip.workspace.store.rows import Page, TableChoices
from coverslip.workspace.viewing.filters import Text

Others = Annotated[list[str], Query(max_length=5, description="Other datasets, up to five.")]
_PNG: dict[int | str, dict[str, Any]] = {  # Any: FastAPI's own type
    200: {"content": {"image/png": {}}, "description": "A sheet with an image and five augmented versions in each row."}
}

router = api_router("datasets", responses=problems(422))


@router.get("/datasets")
def list_datasets(workspace: ServedWorkspace, paging: Paged) -> Page[DatasetState]:
    """The datasets, the newest first."""
    reading_images.resume(workspace)
    return listing.list_datasets(workspace, paging)


@router.post("/datasets", status_code=201, responses=problems(404, 422))
def create_dataset(workspace: ServedWorkspace, new: NewDataset) -> DatasetState:
    """Open folders or tables as one dataset. Each is a domain.

    Errors of the folders and tables are returned at once. The images are read in the background.
    """
    return sources.open_sources(
        workspace,
        [Source(**source.model_dump()) for source in new.sources],
        name=new.name,
        group=new.group,
        group_pattern=new.group_pattern,
        is_labeled=new.is_labeled,
        choices=TableChoices(new.columns, new.crop_size),
    )


@router.post("/samples", status_code=201)
def create_samples(workspace: ServedWorkspace) -> DatasetState:
    """Open the synthetic sample images as a dataset. The first request draws them."""
    return sources.open_samples(workspace)


@router.get("/datasets/{dataset_id}", responses=problems(404))
def get_dataset(workspace: ServedWorkspace, dataset_id: str) -> DatasetState:
    """One dataset."""
    reading_images.resume(workspace)
    return listing.describe(workspace, dataset_id)


@router.patch(
    "/datasets/{dataset_id}",
    responses=problems(404, 409, 422),
)
def change_dataset(workspace: ServedWorkspace, dataset_id: str, changes: DatasetChanges) -> DatasetState:
    """Change the name, where images come from, the groups, the classes or their order.

    Labels from the app are kept, also those of images that no longer exist, until the images come back.
    """
    return changing.change(workspace, dataset_id, changes.model_dump(exclude_unset=True))


@router.delete("/datasets/{dataset_id}", status_code=204, responses=problems(404, 409))
def remove_dataset(workspace: ServedWorkspace, dataset_id: str) -> None:
    """Remove a dataset from the list. After 30 days, its labels from the app and uploaded files are deleted."""
    cleanup.forget(workspace, dataset_id)


@router.post("/datasets/{dataset_id}/restore", responses=problems(404))
def restore_dataset(workspace: ServedWorkspace, dataset_id: str) -> DatasetState:
    """Restore a removed dataset, with its labels from the app."""
    return cleanup.restore(workspace, dataset_id)


@router.post(
    "/datasets/{dataset_id}/refresh",
    responses=problems(404, 409, 422),
)
def refresh_dataset(workspace: ServedWorkspace, dataset_id: str) -> DatasetState:
    """Read the folders or tables again. Labels from the app are kept."""
    return changing.refresh(workspace, dataset_id)


@router.get(
    "/datasets/{dataset_id}/inspection",
    responses=problems(404, 409),
)
def get_inspection(workspace: ServedWorkspace, dataset_id: str) -> DatasetInspection:
    """The inspection of the images; 409 while they are being read."""
    return reading_images.inspection(workspace, dataset_id)


@router.get("/datasets/{dataset_id}/leakage-estimate", responses=problems(404, 409))
def get_leakage_estimate(estimates: ServedEstimates, dataset_id: str) -> LeakageEstimateState:
    """The estimate of data leakage: the results of an image-level split against a grouped split, if requested."""
    return estimates.state_of(dataset_id)


@router.post("/datasets/{dataset_id}/leakage-estimate", status_code=202, responses=problems(404, 409))
def create_leakage_estimate(estimates: ServedEstimates, dataset_id: str) -> LeakageEstimateState:
    """Estimate data leakage with about 2,000 of the images, in a separate process. This also finds shortcuts.

    Reports of trainings on these images include the estimate.
    """
    return estimates.start(dataset_id)


@router.delete("/datasets/{dataset_id}/leakage-estimate", status_code=204)
def remove_leakage_estimate(estimates: ServedEstimates, dataset_id: str) -> None:
    """Cancel the estimate. An earlier estimate is kept."""
    estimates.cancel(dataset_id)


@router.get("/datasets/{dataset_id}/distances", responses=problems(404, 409, 422))
def get_distances(distances: ServedDistances, dataset_id: str, other: Others) -> DatasetDistances:
    """The distances of the features of a dataset from those of others, if requested."""
    return distances.state_of(dataset_id, other)


@router.post("/datasets/{dataset_id}/distances", status_code=202, responses=problems(404, 409, 422))
def create_distances(distances: ServedDistances, dataset_id: str, other: Others) -> DatasetDistances:
    """Measure MMD² and CORAL in a separate process, and recommend a dataset for pretraining."""
    return distances.start(dataset_id, other)


@router.delete("/datasets/{dataset_id}/distances", status_code=204, responses=problems(404, 409, 422))
def remove_distances(distances: ServedDistances, dataset_id: str, other: Others) -> None:
    """Cancel the measurement. Earlier results are kept."""
    distances.cancel(dataset_id, other)


@router.get("/datasets/{dataset_id}/class-thumbnails", responses=problems(404))
def list_class_thumbnails(workspace: ServedWorkspace, dataset_id: str, paging: Paged) -> Page[ClassThumbnails]:
    """Some images of each class, evenly spread over the class."""
    return paging.page_of(listing.class_thumbnails(workspace, dataset_id))


@router.get(
    "/datasets/{dataset_id}/columns",
    responses=problems(404, 422),
)
def list_columns(workspace: ServedWorkspace, dataset_id: str, paging: Paged) -> Page[str]:
    """The columns of the dataset's tables that can name groups; none if it was opened from folders."""
    return paging.page_of(grouping.group_columns(workspace, dataset_id))


@router.get("/datasets/{dataset_id}/group-suggestions", responses=problems(404, 409))
def list_group_suggestions(workspace: ServedWorkspace, dataset_id: str, paging: Paged) -> Page[GroupSuggestion]:
    """Columns and patterns that may group the images. A training would accept each of them."""
    return paging.page_of(group_suggestions.list_suggestions(workspace, dataset_id))


@router.get(
    "/datasets/{dataset_id}/group-preview",
    responses=problems(404, 422),
)
def preview_groups(
    workspace: ServedWorkspace,
    dataset_id: str,
    pattern: Annotated[Text | None, Query(description="A regular expression for paths.")] = None,
    group: Annotated[Text | None, Query(description="A column of the table.")] = None,
) -> GroupPreview:
    """The groups by a pattern or a column; without either, the current groups. Nothing is changed."""
    return grouping.preview(workspace, dataset_id, pattern=pattern, column=group)


@router.post(
    "/datasets/{dataset_id}/split-preview",
    responses=problems(404, 409, 422),
)
def preview_split(workspace: ServedWorkspace, dataset_id: str, body: SplitOf) -> SplitPreview:
    """The training, validation and test set of a training with this recipe, and why it would be refused."""
    return previews.split(workspace, dataset_id, body.recipe, allow_leakage=body.allow_leakage, again_of=body.again_of)


@router.post("/datasets/{dataset_id}/time-preview", responses=problems(404, 409, 422))
def preview_time(workspace: ServedWorkspace, dataset_id: str, body: TimeOf) -> TimePreview:
    """The expected time of a training with this recipe, from earlier trainings on this computer."""
    counts = Counts(
        n_train=body.n_train, n_val=body.n_val, n_test=body.n_test, n_drawn=body.n_train, n_folds=body.n_folds
    )
    return recipes.expected(workspace, dataset_id, body.recipe, counts)


@router.post(
    "/datasets/{dataset_id}/augmentation-preview",
    response_class=Response,
    responses=_PNG | problems(404, 409, 422),
)
def preview_augmentation(workspace: ServedWorkspace, dataset_id: str, body: RecipeOf) -> Response:
    """Some training images after preprocessing and after data augmentation."""
    return Response(previews.augmentation(workspace, dataset_id, body.recipe), media_type="image/png")
