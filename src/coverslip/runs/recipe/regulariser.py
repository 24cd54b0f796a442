"""The recipe's section on how features are to lie while a network learns."""

from typing import Annotated, Literal

from pydantic import Field

from coverslip.keys import Choice, Key
from coverslip.losses import GROUPINGS
from coverslip.runs.recipe.choices import Choices, OneOf


class Regulariser(Choices):
    """A term of the loss that draws the features of each group together and the groups apart, while fine-tuning.

    From Mobincep's paper, for any network. Weights of 1 and 0.0001 were chosen here: the paper names none.
    """

    groups: Annotated[
        str,
        OneOf("way to group features", lambda: ["none", *GROUPINGS]),
        Key(
            "Group features by",
            "training",
            "An extra aim of learning, from a publication: images of a group should look alike to the network.",
            choices=lambda: (
                Choice("none", "no"),
                *(Choice(name, record.title, record.phrase) for name, record in GROUPINGS.items()),
            ),
        ),
    ] = Field(
        default="none",
        description="What features are grouped by: nothing, which turns all of this off; the classes; or K-means "
        "within the step's images, one cluster for each class, as published.",
    )
    spread_weight: Annotated[
        float,
        Key(
            "Push groups apart",
            "training",
            "For the extra aim: how strongly groups are pushed apart. 0 is not at all.",
            "{:g}",
        ),
    ] = Field(default=1.0, ge=0, le=1e6, description="Push of groups away from one another; 0 leaves this part out.")
    scatter_weight: Annotated[
        float,
        Key(
            "Pull groups together",
            "training",
            "For the extra aim: how strongly images of a group are pulled together. 0 is not at all.",
            "{:g}",
        ),
    ] = Field(
        default=1e-4,
        ge=0,
        le=1e6,
        description="Pull of features towards the centre of their group; 0 leaves this part out.",
    )
    scatter: Annotated[
        Literal["sum", "mean"],
        Key(
            "Combine distances by",
            "training",
            "For the extra aim: whether distances within a group are averaged or added up.",
            choices=(
                Choice("sum", "their sum", "distances within a group added up"),
                Choice("mean", "their mean", "distances within a group averaged"),
            ),
        ),
    ] = Field(
        default="mean",
        description="How a group's distances from its centre are put together: their mean, or their sum as published, "
        "which grows with batch_size and memory.",
    )
    memory: Annotated[
        int,
        Key(
            "Earlier images in groups",
            "training",
            "For the extra aim: how many earlier images count too. 0 is none.",
            "{} earlier images taken into the groups",
            unit="images",
        ),
    ] = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="Earlier images of the same epoch whose features are taken into the groups too: a step of four "
        "images hardly has groups. 0 takes the step's own only, as published.",
    )
