"""Previews of what a request would do or find, before anything is changed."""

from typing import Annotated, Literal

from fastapi import Request
from pydantic import Field

from coverslip.app.guard import check_is_editor, needs
from coverslip.app.requests import PreviewPool, ServedWorkspace, api_router
from coverslip.app.routes.datasets import RecipeOf, TableToOpen
from coverslip.app.schemas import Body, problems
from coverslip.events import SetSizes
from coverslip.images.preprocessing import MatchingPart
from coverslip.runs.recipe import Stage
from coverslip.workspace import evaluations, objects
from coverslip.workspace.adaptations import AdaptationPreview, preview_adaptation
from coverslip.workspace.correcting.draws import LabelsForWidth, labels_needed
from coverslip.workspace.correcting.joining import JoinPreview, preview_join
from coverslip.workspace.datasets.folders import TablePreview, preview_table
from coverslip.workspace.datasets.grouping import GroupPreview, preview_groups
from coverslip.workspace.evaluations import EvaluationOutlook
from coverslip.workspace.objects import FinderPreview, FinderToPreview, ObjectsPreview, ObjectsToCollect
from coverslip.workspace.studies.planning import StudyChoices, StudyOutlook, outlook
from coverslip.workspace.trainings.queueing import SplitPreview, preview_split
from coverslip.workspace.trainings.times import TimePreview, preview_times
from coverslip.workspace.viewing.images import Text

router = api_router("previews")


class TablePreviewed(TableToOpen):
    """The columns of a table, their detected meanings, and the first rows."""

    kind: Literal["table"]


class GroupsPreviewed(Body):
    """The groups by a pattern or a column; without either, the current groups."""

    kind: Literal["groups"]
    dataset_id: str
    pattern: Text | None = None
    """A regular expression for paths."""
    group: Text | None = None
    """A column of the table."""


class SplitPreviewed(RecipeOf):
    """The training, validation and test set of a training with this recipe, and why it would be refused."""

    kind: Literal["split"]
    dataset_id: str
    allow_leakage: bool = False
    """Whether a predefined split may have the same pixels or groups in training and test set."""
    repeats_run: str | None = None
    """An earlier training on this dataset whose split is reused."""


class TimePreviewed(RecipeOf):
    """The expected time of a training with each preset, by a measurement on some of the images."""

    kind: Literal["time"]
    dataset_id: str
    sizes: dict[Stage, Annotated[list[SetSizes], Field(min_length=1, max_length=100_000)]] = Field(min_length=1)
    """Of its sets by the stage of the recipe, as the preview of the split states them."""


class ObjectsPreviewed(ObjectsToCollect):
    """What is recognized in files of objects: formats, columns, names and groups.

    Of many files, those are read for which 5 seconds suffice.
    """

    kind: Literal["objects"]
    dataset_id: str


class FinderPreviewed(FinderToPreview):
    """The objects that a finder finds in an image with these settings, or in the center of a large image."""

    kind: Literal["finder"]
    dataset_id: str
    row_id: int = Field(ge=1, lt=2**32)
    """The permanent number of the image in the app."""


class StudyPreviewed(StudyChoices):
    """The trainings of a study."""

    kind: Literal["study"]


class EvaluationPreviewed(Body):
    """How many images of a dataset an evaluation could use: their known classes, and images used in training."""

    kind: Literal["evaluation"]
    run_id: str
    dataset_id: str


class AdaptationPreviewed(Body):
    """How an adaptation would match images of a training and of a dataset."""

    kind: Literal["adaptation"]
    run_id: str
    dataset_id: str
    parts: list[MatchingPart] = Field(max_length=3)
    """Of the matching; the others are switched off."""


class JoinPreviewed(Body):
    """The effect of adding images of a prediction to a dataset, and the number of those without a known group."""

    kind: Literal["join"]
    prediction_id: str
    dataset_id: str


class LabelsNeededPreviewed(Body):
    """How many labels of each condition of a prediction a 95% interval of this width needs."""

    kind: Literal["labels-needed"]
    prediction_id: str
    half_width: float = Field(gt=0, lt=0.5)
    """Half the width of the interval."""


@router.post("/previews", responses=problems(404, 409))
@needs("viewer")
def preview(
    workspace: ServedWorkspace,
    pool: PreviewPool,
    request: Request,
    of: Annotated[
        TablePreviewed
        | GroupsPreviewed
        | SplitPreviewed
        | TimePreviewed
        | ObjectsPreviewed
        | FinderPreviewed
        | StudyPreviewed
        | EvaluationPreviewed
        | AdaptationPreviewed
        | JoinPreviewed
        | LabelsNeededPreviewed,
        Field(discriminator="kind"),
    ],
) -> (
    TablePreview
    | GroupPreview
    | SplitPreview
    | TimePreview
    | ObjectsPreview
    | FinderPreview
    | StudyOutlook
    | EvaluationOutlook
    | AdaptationPreview
    | JoinPreview
    | LabelsForWidth
):
    """What a request would do or find; nothing is changed. Previews of tables and objects need an editor."""
    match of:
        case TablePreviewed():
            check_is_editor(request)  # shows files of the server
            return preview_table(workspace, of.path, of.columns)
        case GroupsPreviewed():
            return preview_groups(workspace, of.dataset_id, pattern=of.pattern, column=of.group)
        case SplitPreviewed():
            return preview_split(
                workspace, of.dataset_id, of.recipe, allow_leakage=of.allow_leakage, repeats_run=of.repeats_run
            )
        case TimePreviewed():
            return preview_times(workspace, pool, of.dataset_id, of.recipe, of.sizes)
        case ObjectsPreviewed():
            check_is_editor(request)
            return objects.preview_files(workspace, pool, of.dataset_id, of)
        case FinderPreviewed():
            return objects.preview_finder(workspace, pool, of.dataset_id, of.row_id, of)
        case StudyPreviewed():
            return outlook(workspace, of)
        case EvaluationPreviewed():
            return evaluations.outlook(workspace, of.run_id, of.dataset_id)
        case AdaptationPreviewed():
            return preview_adaptation(workspace, pool, of.run_id, of.dataset_id, of.parts)
        case JoinPreviewed():
            return preview_join(workspace, of.prediction_id, of.dataset_id)
        case LabelsNeededPreviewed():
            return labels_needed(workspace, of.prediction_id, of.half_width)
