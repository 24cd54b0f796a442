"""Predict new images, and correct the predictions."""

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Query, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import Field, model_validator

from coverslip.app.guard import needs, writes_much
from coverslip.app.requests import (
    BY_AUTHOR,
    IMAGES_BODY,
    MOST_IMAGES,
    RAW_BODY,
    ClassifierId,
    Locate,
    Paged,
    ServedWorkspace,
    api_router,
    from_app,
    received,
    received_files,
)
from coverslip.app.schemas import Body, located, problems
from coverslip.documented_fields import DocumentedFields
from coverslip.messages import text
from coverslip.workspace.correcting import corrections, joining
from coverslip.workspace.correcting.joining import JoinResult
from coverslip.workspace.datasets.state import DatasetState
from coverslip.workspace.jobs.records import find_job
from coverslip.workspace.predictions import samples, state
from coverslip.workspace.predictions.classifiers import LoadedClassifiers, PredictedImage
from coverslip.workspace.predictions.samples import ChangedSampling, SampledSummary, SampleTable
from coverslip.workspace.predictions.state import PredictionState
from coverslip.workspace.store.rows import Page

router = api_router("predictions")

Classifiers = Annotated[LoadedClassifiers, from_app("classifiers")]
TopK = Annotated[int | None, Query(ge=1, description="Report this number of most probable classes instead of all.")]
_MOST_TABLE_BYTES = 20 * 2**20
_MOST_IMAGE_BYTES = 200 * 2**20


@dataclass(frozen=True, slots=True)
class PredictedImages(DocumentedFields):
    """The predictions of the images of a request."""

    predictions: list[PredictedImage]
    """In the order of the request."""


@dataclass(frozen=True, slots=True)
class SamplesReset(DocumentedFields):
    """Saved samples that were set aside."""

    file: str | None
    """The file in the folder of the prediction that has them; null: there were none."""


@router.get("/predictions")
def list_predictions(workspace: ServedWorkspace, paging: Paged) -> Page[PredictionState]:
    """The predictions, the newest first."""
    return state.list_predictions(workspace, paging)


class NewPrediction(Body):
    """Images to predict: a dataset of the workspace, or files and folders below the allowed roots."""

    classifier_id: str
    dataset_id: str | None = None
    """Without it, `sources` names the images."""
    sources: Annotated[list[str] | None, Field(examples=[["/data/new"]])] = None
    """Absolute paths of files and folders, without `dataset_id`."""
    name: str | None = Field(default=None, max_length=120)
    """Default: named after the images."""
    prevalence: dict[str, float] = Field(default_factory=dict, examples=[{"round": 0.1}])
    """Expected class proportions of these images, above 0 and below 1; other classes share the rest."""
    rescale: bool = False
    """Rescale images of known pixel size to the pixel size of the training images."""

    @model_validator(mode="after")
    def _one_kind_of_images(self) -> "NewPrediction":
        if (self.dataset_id is None) == (not self.sources):
            raise ValueError(text("either-dataset-or-sources"))
        return self


@router.post("/predictions", status_code=201, responses=located(201) | problems(404, 409))
@writes_much
def create_prediction(workspace: ServedWorkspace, new: NewPrediction, locate: Locate) -> PredictionState:
    """Queue a prediction. Predictions run one at a time, also during a training."""
    job = state.queue_prediction(
        workspace,
        classifier_id=new.classifier_id,
        dataset_id=new.dataset_id,
        sources=new.sources,
        name=new.name,
        prevalence=new.prevalence,
        rescale=new.rescale,
    )
    locate("jobs", job)
    return state.state_of_prediction(workspace, find_job(workspace, job))


@router.get("/predictions/{prediction_id}/samples", responses=problems(409))
def get_samples(workspace: ServedWorkspace, prediction_id: str) -> SampledSummary:
    """The class proportions in each sample, corrected for errors of the classifier, and conditions compared."""
    return samples.summarize(workspace, prediction_id)


@router.put("/predictions/{prediction_id}/samples", responses=problems(409, 412))
def change_samples(workspace: ServedWorkspace, prediction_id: str, changed: ChangedSampling) -> SampledSummary:
    """Save how the images divide into samples, and the conditions of these; return the proportions."""
    return samples.save_sampling(workspace, prediction_id, changed)


@router.post("/predictions/{prediction_id}/samples/table", responses=problems(409, 413), openapi_extra=RAW_BODY)
async def read_sample_table(workspace: ServedWorkspace, request: Request, prediction_id: str) -> SampleTable:
    """Read the conditions of samples from a CSV or TSV table. Nothing is saved."""
    folder = workspace.folder / "uploads"
    async with received(request, folder, most_bytes=_MOST_TABLE_BYTES, suffix=".csv") as file:
        return await run_in_threadpool(samples.read_sample_table, workspace, prediction_id, file)


@router.delete("/predictions/{prediction_id}/samples")
def reset_samples(workspace: ServedWorkspace, prediction_id: str) -> SamplesReset:
    """Set aside saved samples that cannot be read, so that folders are the samples again. Others are kept."""
    return SamplesReset(samples.reset_sampling(workspace, prediction_id))


class DatasetOfPrediction(Body):
    """Which rows become labeled images: the corrected ones, or all."""

    only: Literal["corrected", "all"]
    """`corrected`: also confirmed rows."""
    name: str | None = Field(default=None, max_length=120)
    """Default: named after the prediction."""


@router.post("/predictions/{prediction_id}/dataset", status_code=201, responses=located(201) | problems(409))
@writes_much
def create_dataset_of_prediction(
    workspace: ServedWorkspace, prediction_id: str, body: DatasetOfPrediction, locate: Locate
) -> DatasetState:
    """Create a dataset that is labeled by the corrections, or by predictions and corrections."""
    dataset = corrections.dataset_of(workspace, prediction_id, only=body.only, name=body.name)
    locate("datasets", dataset.id)
    return dataset


class JoinedDataset(Body):
    """The dataset that corrected and confirmed images are added to."""

    dataset_id: str


@router.post("/predictions/{prediction_id}/join", responses=problems(409), dependencies=[BY_AUTHOR])
def join_dataset(workspace: ServedWorkspace, prediction_id: str, body: JoinedDataset) -> JoinResult:
    """Add the images with a corrected or confirmed class to a dataset, as a further source.

    Repeat the request after further corrections: the source is replaced. Images of the dataset's other sources are not
    added again: they get the corrected label, or are excluded. Removing the source removes the added images; corrected
    labels of other images stay.
    """
    return joining.join_dataset(workspace, prediction_id, body.dataset_id)


@router.post("/classifiers/{classifier_id}/predict", responses=problems(413), openapi_extra=IMAGES_BODY)
@needs("viewer")
async def predict_images(
    workspace: ServedWorkspace,
    request: Request,
    classifier_id: ClassifierId,
    classifiers: Classifiers,
    top_k: TopK = None,
) -> PredictedImages:
    """Predict images that the request contains, in their order. An unreadable image does not affect the others.

    If too many requests are in progress, the status is 503 with Retry-After.
    """
    with classifiers.reserved():
        folder = workspace.folder / "classifying"
        limits = {"most_bytes": _MOST_IMAGE_BYTES, "most_files": MOST_IMAGES}
        async with received_files(request, folder, **limits) as images:
            return PredictedImages(await run_in_threadpool(classifiers.predict, classifier_id, images, top_k))
