"""The recipe's choices about the network: which, what is read from it, and how its weights are initialized."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator

from coverslip.keys import Choice, Key, bounded_options
from coverslip.messages import text
from coverslip.runs.recipe.choices import Choices
from coverslip.runs.recipe.training import Initialization


class NetworkChoices(Choices):
    """Which network learns, from which weights, and which part of it."""

    model: Annotated[str, Key("Network", "basic", "The network that is trained.", "{}")] = Field(
        default="efficientnet_lite0", description="A network by its name, or `timm/NAME`."
    )
    model_options: Annotated[
        dict[str, Any],  # Any: the architecture checks them
        AfterValidator(bounded_options),
        Key(
            "Options of the network",
            "basic",
            "Options of the architecture, such as its width.",
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
        description="Features of the classifier: mean and standard deviation of the outputs of many layers, or the "
        "last layer only.",
    )
    tta: Annotated[
        Literal[1, 2, 4, 8],
        Key(
            "Test-time augmentation",
            "training",
            "The network also processes rotated and mirrored copies of each image, and the results are averaged. More "
            "copies take longer.",
            choices=(
                Choice(1, "1: the image alone"),
                Choice(2, "2: also rotated by 180°", "averaged over 2 mirrored or rotated copies"),
                Choice(4, "4: also mirrored", "averaged over 4 mirrored or rotated copies"),
                Choice(8, "8: also rotated by 90°", "averaged over 8 mirrored or rotated copies"),
            ),
        ),
    ] = Field(
        default=2,
        description="Copies averaged when computing features and predicting: 1 the image alone, 2 also rotated by "
        "180°, 4 also both mirror images, 8 also all of these rotated by 90°.",
    )
    stage: Annotated[
        Literal["finetune", "instant"],
        Key(
            "Kind of training",
            "basic",
            "A first classifier within seconds to minutes. The whole network can then be trained on your images.",
            choices=(
                Choice("finetune", "instant classifier, then fine-tuning"),
                Choice("instant", "instant classifier only"),
            ),
        ),
    ] = Field(
        default="finetune",
        description="`instant` stops after the linear probe on frozen features; `finetune` then trains the whole "
        "network. From scratch, the network is trained in either case.",
    )
    init: Annotated[
        Initialization,
        Key(
            "Initial weights",
            "start",
            "Those of a network pretrained on photographs, random ones, or those of an earlier run.",
            choices=(
                Choice("imagenet", "ImageNet", "ImageNet weights"),
                Choice("scratch", "random", "random weights"),
            ),
        ),
    ] = Field(
        default="imagenet",
        description="Initialization of the weights: imagenet, scratch (random), {run: PATH} (those of an earlier run), "
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
            "The network is not changed up to this part. The documentation of networks lists the parts.",
            "its parts up to {} frozen",
            empty="none",
        ),
    ] = Field(default=None, description="The network is frozen up to and including this part.")
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
                Choice("learn", "learn again", "statistics of batch norms taken from the batches"),
            ),
        ),
    ] = Field(
        default="auto",
        description="Whether batch norms keep their pretrained statistics or follow the batches during fine-tuning, "
        "beginning with those of the training images; auto keeps them unless training starts from scratch.",
    )

    @field_validator("freeze_to")
    @classmethod
    def _freeze_to_names_a_part(cls, value: str | None) -> str | None:
        if value is not None and not value.strip():
            raise ValueError(text("freeze-to-empty"))
        return value
