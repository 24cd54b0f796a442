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
    ClassifierId,
    Locate,
    Paged,
    ServedWorkspace,
    api_router,
    from_app,
    received_files,
)
from coverslip.app.routes.images import ListedRowId
from coverslip.app.schemas import Answer, Body, located, problems
from coverslip.inference.spot_check import DEFAULT_N, LabelsNeeded, SpotCheck
from coverslip.messages import text
from coverslip.workspace.correcting import corrections, joining
from coverslip.workspace.correcting.corrections import AppliedLabels
from coverslip.workspace.correcting.joining import JoinResult
from coverslip.workspace.datasets.state import DatasetState
from coverslip.workspace.predictions import samples, state
from coverslip.workspace.predictions.classifiers import LoadedClassifiers, PredictedImage
from coverslip.workspace.predictions.samples import ChangedSampling, ImageToLabel, SampledSummary, SpotCheckState
from coverslip.workspace.predictions.state import PredictionState
from coverslip.workspace.store.rows import Page

router = api_router("predictions")

Classifiers = Annotated[LoadedClassifiers, from_app("classifiers")]
TopK = Annotated[int | None, Query(ge=1, description="Report this number of most probable classes instead of all.")]
_MOST_IMAGE_BYTES = 200 * 2**20


@dataclass(frozen=True, slots=True)
class PredictedImages:
    """The predictions of the images of a request."""

    predictions: Annotated[list[PredictedImage], Field(description="In the order of the request.")]


@dataclass(frozen=True, slots=True)
class LabelsForWidth:
    """How many labels an interval of some width needs."""

    half_width: Annotated[float, Field(description="Half the width of the 95% interval.")]
    needed: Annotated[
        list[LabelsNeeded],
        Field(
            description="For the accuracy, and for each class including differences between samples, in each condition."
        ),
    ]


@dataclass(frozen=True, slots=True)
class SamplesReset:
    """Saved samples that were set aside."""

    file: Annotated[
        str | None, Field(description="The file in the folder of the prediction that has them; null: there were none.")
    ]


@router.get("/predictions")
def list_predictions(workspace: ServedWorkspace, paging: Paged) -> Page[PredictionState]:
    """The predictions, the newest first."""
    return state.list_predictions(workspace, paging)


class NewPrediction(Body):
    """Images to predict: a dataset of the workspace, or files and folders below the allowed roots."""

    classifier_id: str
    dataset_id: Annotated[str | None, Field(description="Without it, `sources` names the images.")] = None
    sources: Annotated[
        list[str] | None,
        Field(description="Absolute paths of files and folders, without `dataset_id`.", examples=[["/data/new"]]),
    ] = None
    name: str | None = Field(default=None, max_length=120, description="Default: named after the images.")
    prevalence: dict[str, float] = Field(
        default_factory=dict,
        description="Expected class proportions of these images, above 0 and below 1; other classes share the rest.",
        examples=[{"round": 0.1}],
    )
    rescale: bool = Field(
        default=False, description="Rescale images of known pixel size to the pixel size of the training images."
    )

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
    locate("predictions", job)
    return state.prediction_state(workspace, job)


@router.get("/predictions/{prediction_id}")
def get_prediction(workspace: ServedWorkspace, prediction_id: str) -> PredictionState:
    """The current state of a prediction."""
    return state.prediction_state(workspace, prediction_id)


@router.get("/predictions/{prediction_id}/samples", responses=problems(409))
def get_samples(workspace: ServedWorkspace, prediction_id: str) -> SampledSummary:
    """The class proportions in each sample, corrected for errors of the classifier, and conditions compared."""
    return samples.summarize(workspace, prediction_id)


@router.put("/predictions/{prediction_id}/samples", responses=problems(409, 412))
def change_samples(workspace: ServedWorkspace, prediction_id: str, changed: ChangedSampling) -> SampledSummary:
    """Save how the images divide into samples, and the conditions of these; return the proportions."""
    return samples.save_sampling(workspace, prediction_id, changed)


@router.delete("/predictions/{prediction_id}/samples")
def reset_samples(workspace: ServedWorkspace, prediction_id: str) -> SamplesReset:
    """Set aside saved samples that cannot be read, so that folders are the samples again. Others are kept."""
    return SamplesReset(samples.reset_sampling(workspace, prediction_id))


@router.get("/predictions/{prediction_id}/spot-check")
def get_spot_check(workspace: ServedWorkspace, prediction_id: str) -> SpotCheckState:
    """The randomly drawn images of a prediction, without their predictions, and their labels so far."""
    return samples.spot_check_state(workspace, prediction_id)


class NewSpotCheck(Body):
    """A spot check to draw, with the samples and conditions that are saved for the prediction."""

    n: int = Field(default=DEFAULT_N, ge=1, le=10_000, description="Images of each condition.")


@router.put("/predictions/{prediction_id}/spot-check", responses=problems(409))
def draw_spot_check(workspace: ServedWorkspace, prediction_id: str, new: NewSpotCheck) -> SpotCheckState:
    """Draw images of each condition at random. This is refused if drawn images are labeled."""
    return samples.draw(workspace, prediction_id, new.n)


@router.delete("/predictions/{prediction_id}/spot-check", status_code=204)
def remove_spot_check(workspace: ServedWorkspace, prediction_id: str) -> None:
    """Remove the drawn images and their labels."""
    samples.remove(workspace, prediction_id)


@router.get("/predictions/{prediction_id}/spot-check/needed", responses=problems(409))
def get_labels_needed(
    workspace: ServedWorkspace,
    prediction_id: str,
    half_width: Annotated[float, Query(gt=0, lt=0.5, description="Half the width of the 95% interval.")] = 0.05,
) -> LabelsForWidth:
    """How many labels of each condition an interval of this width needs."""
    return LabelsForWidth(half_width, samples.needed_for(workspace, prediction_id, half_width))


@router.put(
    "/predictions/{prediction_id}/spot-check/images/{row_id}", responses=problems(409), dependencies=[BY_AUTHOR]
)
@needs("annotator")
def label_spot_check(workspace: ServedWorkspace, prediction_id: str, row_id: ListedRowId, body: Answer) -> ImageToLabel:
    """Label a drawn image, or exclude it. The label is saved at once. It is no correction of the prediction."""
    return samples.label_image(workspace, prediction_id, row_id, body.excluded or body.label)


@router.get("/predictions/{prediction_id}/spot-check/result", responses=problems(409))
def get_spot_check_result(workspace: ServedWorkspace, prediction_id: str) -> SpotCheck:
    """Accuracy on the labeled images, and class proportions from labels and predictions."""
    return samples.result(workspace, prediction_id)


@router.put("/predictions/{prediction_id}/spot-check/corrections", responses=problems(409), dependencies=[BY_AUTHOR])
def apply_spot_check(workspace: ServedWorkspace, prediction_id: str) -> AppliedLabels:
    """Use the labels of a finished spot check as corrections of the prediction. Earlier corrections are kept."""
    return corrections.apply_spot_check(workspace, prediction_id)


class DatasetOfPrediction(Body):
    """Which rows become labeled images: the corrected ones, or all."""

    only: Annotated[Literal["corrected", "all"], Field(description="`corrected`: also confirmed rows.")]
    name: str | None = Field(default=None, max_length=120, description="Default: named after the prediction.")


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
