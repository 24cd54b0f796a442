"""The recipe's section on how features are to lie while a network learns."""

from typing import Literal

from pydantic import Field

from coverslip.runs.choices import Choices


class Regulariser(Choices):
    """A term of the loss that draws the features of each group together and the groups apart, while fine-tuning.

    From Mobincep's paper, for any network. Weights of 1 and 0.0001 were chosen here: the paper names none.
    """

    groups: Literal["none", "labels", "kmeans"] = Field(
        "none",
        description="What features are grouped by: nothing, which turns all of this off; the classes; or K-means "
        "within the step's images, one cluster for each class, as published.",
    )
    spread_weight: float = Field(
        1.0, ge=0, le=1e6, description="Push of groups away from one another; 0 leaves this part out."
    )
    scatter_weight: float = Field(
        1e-4, ge=0, le=1e6, description="Pull of features towards the centre of their group; 0 leaves this part out."
    )
    scatter: Literal["sum", "mean"] = Field(
        "mean",
        description="How a group's distances from its centre are put together: their mean, or their sum as published, "
        "which grows with batch_size and memory.",
    )
    memory: int = Field(
        0,
        ge=0,
        le=1_000_000,
        description="Earlier images of the same epoch whose features are taken into the groups too: a step of four "
        "images hardly has groups. 0 takes the step's own only, as published.",
    )
