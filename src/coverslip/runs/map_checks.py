"""`map_checks.json`: whether heat maps of a run's classifier can be believed."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from coverslip.runs.documents import Document

MapMethod = Literal["contributions", "grad-cam", "grad-cam++", "occlusion"]
MapVerdict = Literal["passed", "failed", "not checked"]
CheckedOn = Literal["validation", "training", "explained"]


class MapCheck(BaseModel):
    """What both checks gave for one kind of map, as means over images."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    method: MapMethod
    similarity: float = Field(ge=0, le=1, description="To maps by random weights: size of the rank correlation.")
    changes: bool = Field(description="Maps by random weights are others: it shows what was learnt.")
    gain: float = Field(
        description="Probability that blurring an image by its map takes away, beyond blurring it from the center on."
    )
    gain_low: float = Field(description="Its lower 95 % bound.")
    beats_center: bool = Field(description="That bound is above 0.")
    passes: bool


class MapChecks(Document):
    """Both checks of the kinds of map that were tried."""

    classifier: str = Field(description="Fingerprint of what was checked: another training needs other checks.")
    checked_on: CheckedOn = Field(description="Images of the run's validation or training, or those to be explained.")
    n_images: int
    checks: tuple[MapCheck, ...]
