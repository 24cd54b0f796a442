"""Images that two runs predict differently: corrected, newly misclassified, or misclassified as another class."""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from coverslip.reports.comparing.common import CommonImages

MOST_IMAGES = 200  # listed of each kind
Change = Literal["to-right", "to-wrong", "other-class"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedImage:
    """An image for which the predicted class of the two runs differs."""

    image_id: str
    change: Annotated[
        Change,
        Field(
            description="to-right: only the second run is right; to-wrong: only the first; other-class: both are "
            "wrong, with different classes."
        ),
    ]
    label: Annotated[str, Field(description="True class, as labeled in the first run.")]
    first: Annotated[str, Field(description="Class that the first run predicts.")]
    second: str
    first_probability: Annotated[float, Field(description="Of the class that the run predicts.")]
    second_probability: float
    first_row: Annotated[int, Field(description="Row of the first run's predictions, from 0.")]
    second_row: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedImages:
    """How many predictions changed, and the images, those with the most confident second prediction first."""

    n_to_right: int
    n_to_wrong: int
    n_other_class: int
    images: Annotated[list[ChangedImage], Field(description=f"At most {MOST_IMAGES} of each kind.")]


def changed_images(common: CommonImages) -> ChangedImages:
    """Return the images for which both runs predict different classes, by the labels of the first run."""
    first, second, label = common.first.predicted, common.second.predicted, common.first_label
    is_kind: dict[Change, np.ndarray] = {
        "to-right": (first != label) & (second == label),
        "to-wrong": (first == label) & (second != label),
        "other-class": (first != label) & (second != label) & (first != second),
    }
    sure = common.second.probability[np.arange(len(label)), second]
    images = [
        _image(common, int(i), kind)
        for kind, is_so in is_kind.items()
        for i in np.flatnonzero(is_so)[np.argsort(-sure[is_so], kind="stable")][:MOST_IMAGES]
    ]
    return ChangedImages(
        n_to_right=int(is_kind["to-right"].sum()),
        n_to_wrong=int(is_kind["to-wrong"].sum()),
        n_other_class=int(is_kind["other-class"].sum()),
        images=images,
    )


def _image(common: CommonImages, i: int, change: Change) -> ChangedImage:
    first, second = int(common.first.predicted[i]), int(common.second.predicted[i])
    return ChangedImage(
        image_id=common.image_id[i],
        change=change,
        label=common.classes[common.first_label[i]],
        first=common.classes[first],
        second=common.classes[second],
        first_probability=float(common.first.probability[i, first]),
        second_probability=float(common.second.probability[i, second]),
        first_row=int(common.first_row[i]),
        second_row=int(common.second_row[i]),
    )
