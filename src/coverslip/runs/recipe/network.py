"""The recipe's choices about the network: which, what is read from it, and how its weights are initialised."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator

from coverslip.keys import Choice, Key, bounded_options
from coverslip.messages import text
from coverslip.runs.recipe.choices import Choices
from coverslip.runs.recipe.training import Initialisation


class NetworkChoices(Choices):
    """Which network learns, from which weights, and which part of it."""

    model: Annotated[str, Key("Network", "basic", "The network that learns.", "{}")] = Field(
        default="efficientnet_lite0", description="A network by its name, or `timm/NAME`."
    )
    model_options: Annotated[
        dict[str, Any],  # Any: the architecture checks them
        AfterValidator(bounded_options),
        Key(
            "Options of the network",
            "basic",
            "What some networks let one choose, such as their width.",
            lambda options: ", ".join(f"{name} = {value}" for name, value in options.items()),
        ),
    ] = Field(default_factory=dict, description="Options of the architecture.")
    head: Annotated[
        Literal["multi_layer", "native"],
        Key(
            "Features used",
            "training",
            "Which features the classifier on top of the network uses.",
            choices=(
                Choice(
                    "multi_layer",
                    "of several layers",
                    "means and standard deviations of the outputs of its blocks",
                ),
                Choice("native", "of the last layer", "the outputs of its last layer"),
            ),
        ),
    ] = Field(
        default="multi_layer",
        description="What the classes are read from: mean and sd of many layers' outputs, or the last layer alone.",
    )
    tta: Annotated[
        Literal[1, 2, 4, 8],
        Key(
            "Test-time augmentation",
            "training",
            "The network also looks at turned and mirrored copies of each image, and its answers are averaged. More "
            "takes longer.",
            choices=(
                Choice(1, "1: the image alone"),
                Choice(2, "2: also turned by 180°", "averaged over 2 mirrored or turned copies"),
                Choice(4, "4: also mirrored", "averaged over 4 mirrored or turned copies"),
                Choice(8, "8: also turned by 90°", "averaged over 8 mirrored or turned copies"),
            ),
        ),
    ] = Field(
        default=2,
        description="Copies averaged when embedding and predicting: 1 the image alone, 2 and its half turn, "
        "4 and both mirror images, 8 and all of these turned by a quarter.",
    )
    stage: Annotated[
        Literal["finetune", "instant"],
        Key(
            "Kind of training",
            "basic",
            "A first classifier within seconds to minutes; the whole network can then learn from your images.",
            choices=(
                Choice("finetune", "instant classifier, then fine-tuning"),
                Choice("instant", "instant classifier only"),
            ),
        ),
    ] = Field(
        default="finetune",
        description="`instant` stops after the linear probe on frozen features; `finetune` goes on to train the whole "
        "network. From scratch there is nothing to freeze, and the network is trained in either case.",
    )
    init: Annotated[
        Initialisation,
        Key(
            "Start from",
            "start",
            "The initial weights: of a network pretrained on photographs, random ones, or those of a network of your "
            "own.",
            choices=(
                Choice("imagenet", "ImageNet", "ImageNet weights"),
                Choice("scratch", "nothing", "random weights"),
            ),
        ),
    ] = Field(
        default="imagenet",
        description="Initialisation of the weights: imagenet, scratch (random), {run: PATH} (those of an earlier run), "
        "or {train_on: DATA} (pretraining on other labeled images, then a training on these).",
    )
    head_init: Annotated[
        Literal["instant", "random"],
        Key(
            "Fine-tuning begins with",
            "training",
            "The last layer that fine-tuning begins with: that of the instant classifier, or a random one as in many "
            "publications.",
            choices=(
                Choice("instant", "the instant classifier"),
                Choice("random", "a random last layer", "fine-tuning begun with a random last layer"),
            ),
        ),
    ] = Field(
        default="instant",
        description="Head that fine-tuning begins with: that of the instant classifier, or a random one. The instant "
        "classifier is fitted in either case, and kept if its validation results are better (unless `stage_selection` "
        "says otherwise). From scratch every head is random.",
    )
    refit_head: Annotated[
        bool,
        Key(
            "Refit the last layer",
            "training",
            "After fine-tuning, a linear discriminant is fitted on the features of training and validation images and "
            "averaged with the trained last layer. Publications keep the trained layer.",
            lambda is_on: (
                "the last layer averaged with a refitted one" if is_on else "the last layer as it was trained"
            ),
        ),
    ] = Field(
        default=True,
        description="After fine-tuning, average the calibrated logits of the trained head and of a linear probe that "
        "is fitted on the fine-tuned features of training and validation images, with the weight that has the lowest "
        "log loss on validation images. The result is one linear layer.",
    )
    freeze_to: Annotated[
        str | None,
        Key(
            "Frozen layers",
            "training",
            "Up to which part the network is not changed. The documentation of networks names the parts.",
            "its parts up to {} left as they were",
            empty="none",
        ),
    ] = Field(default=None, description="Keep everything up to and including this part of the network as it is.")
    batch_norm: Annotated[
        Literal["auto", "keep", "learn"],
        Key(
            "Batch norm",
            "training",
            "Whether the network’s running averages stay as pretrained. Automatic keeps them, unless the "
            "network starts from random weights.",
            choices=(
                Choice("auto", "automatic"),
                Choice("keep", "keep", "statistics of batch norms kept as they were"),
                Choice("learn", "learn them again", "statistics of batch norms taken from the batches"),
            ),
        ),
    ] = Field(
        default="auto",
        description="Whether batch norms keep the statistics they were pretrained with or follow the batches when "
        "fine-tuning, from those of the training images on; auto keeps them unless training starts from scratch.",
    )

    @field_validator("freeze_to")
    @classmethod
    def _freeze_to_names_a_part(cls, value: str | None) -> str | None:
        if value is not None and not value.strip():
            raise ValueError(text("freeze-to-empty"))
        return value
