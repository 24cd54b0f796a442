"""Sections of a recipe about training: initial weights, fine-tuning and the regularizer."""

from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, ValidationInfo, field_validator

from coverslip.datasets import Name
from coverslip.keys import Choice, Key
from coverslip.losses import GROUPINGS, LOSSES, check_options
from coverslip.messages import text
from coverslip.runs.recipe.choices import Choices, Fraction, OneOf


class Regularizer(Choices):
    """A term of the loss that draws the features of each group together and the groups apart, while fine-tuning.

    From Mobincep's paper, for any network. Weights of 1 and 0.0001 were chosen here: the paper names none.
    """

    groups: Annotated[
        str,
        OneOf("way to group features", lambda: ["none", *GROUPINGS]),
        Key(
            "Group features by",
            "training",
            "An additional term of the loss, from a publication: images of a group should have similar features.",
            choices=lambda: (
                Choice("none", "no"),
                *(Choice(name, record.title, record.phrase) for name, record in GROUPINGS.items()),
            ),
        ),
    ] = Field(
        default="none",
        description="How features are grouped: not at all, which disables the regularizer; by class; or by K-means "
        "within the step's images, one cluster for each class, as published.",
    )
    spread_weight: Annotated[
        float,
        Key(
            "Push groups apart",
            "training",
            "For the regularizer: how strongly groups are pushed apart. 0 disables it.",
            "{:g}",
        ),
    ] = Field(default=1.0, ge=0, le=1e6, description="Weight of the distance between groups; 0 disables this term.")
    scatter_weight: Annotated[
        float,
        Key(
            "Pull groups together",
            "training",
            "For the regularizer: how strongly images of a group are pulled together. 0 disables it.",
            "{:g}",
        ),
    ] = Field(
        default=1e-4,
        ge=0,
        le=1e6,
        description="Weight of the distance of features from the center of their group; 0 disables this term.",
    )
    scatter: Annotated[
        Literal["sum", "mean"],
        Key(
            "Combine distances by",
            "training",
            "For the regularizer: whether distances within a group are averaged or summed.",
            choices=(
                Choice("sum", "their sum", "distances within a group added up"),
                Choice("mean", "their mean", "distances within a group averaged"),
            ),
        ),
    ] = Field(
        default="mean",
        description="How the distances of a group from its center are combined: their mean, or their sum as published, "
        "which grows with batch_size and memory.",
    )
    memory: Annotated[
        int,
        Key(
            "Earlier images in groups",
            "training",
            "For the regularizer: how many earlier images are included in the groups. 0 is none.",
            "{} earlier images taken into the groups",
            unit="images",
        ),
    ] = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="Earlier images of the same epoch whose features are included in the groups, because a step of a "
        "few images has hardly any groups. 0 uses only the images of the step, as published.",
    )


_LABELS = (
    "Class names of the earlier training, each with its name here, if they differ. If the earlier training has all "
    "classes, its last layer is kept if that is better on validation images."
)


class FromRun(Choices):
    """Initialization with the weights of an earlier run."""

    run: str = Field(description="The run's folder, its classifier/ or a .coverslip file.")
    labels: dict[Name, Name] = Field(default_factory=dict, description=_LABELS)


class Pretraining(Choices):
    """Two-step transfer: pretraining on other labeled images, whose network then learns these.

    Its network is chosen as any: the best epoch by validation images of its own (paper 004 does not say which
    checkpoint it continued from).
    """

    train_on: str = Field(description="A folder with one sub-folder per class, or a table with path and label.")
    # Any: checked as a recipe
    recipe: dict[str, Any] = Field(
        default_factory=dict, description="Keys that differ from this recipe in pretraining, such as group."
    )
    labels: dict[Name, Name] = Field(default_factory=dict, description=_LABELS)


def _kind(value: object) -> str:
    if isinstance(value, FromRun | Pretraining):
        return "run" if isinstance(value, FromRun) else "train_on"
    if isinstance(value, dict):
        return "train_on" if "train_on" in value or "recipe" in value else "run"
    return "name"


Initialization = Annotated[
    Annotated[Literal["imagenet", "scratch"], Tag("name")]
    | Annotated[FromRun, Tag("run")]
    | Annotated[Pretraining, Tag("train_on")],
    Discriminator(_kind),
]


ClassWeights = Literal["none", "balanced"]
Sampling = Literal["all", "oversample", "undersample", "even", "domains"]


_FEWEST_EPOCHS, _MOST_EPOCHS = 8, 60
# What a training that is finished early sets, so that its recipe gives the same classifier again.
SET_BY_FINISHING = ("last_epoch", "checkpoint_selection", "patience")
IMAGES_COPIED = 200  # training images of which copies are made for the instant classifier
# Training images that the last layer is refitted on: more take time, and tell a discriminant of some thousand features
# little.
IMAGES_REFITTED = 10_000
N_OOD_IMAGES = 2000  # training images that tell what is familiar to a fine-tuned network
IMAGES_SHOWN = 6400  # images over all epochs: fewer steps gained less, or lost (benchmarks/RESULTS.md)


def epochs_called_for(n_drawn: int) -> int:
    """How many epochs fine-tuning takes where each of them shows so many images."""
    return min(max(-(-IMAGES_SHOWN // max(1, n_drawn)), _FEWEST_EPOCHS), _MOST_EPOCHS)


def _epochs_phrase(n: int | Literal["auto"]) -> str:
    return "" if n == "auto" else f"for at most {n:,} epoch{'s'[: n != 1]}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def _clipping_phrase(longest: float | Literal["auto"] | None) -> str:
    if longest == "auto":
        return ""
    return "gradients of any length" if longest is None else f"gradients shortened to a length of at most {longest:g}"


class FinetuningChoices(Choices):
    """How the whole network is fine-tuned."""

    epochs: Annotated[
        Literal["auto"] | Annotated[int, Field(ge=1, le=10_000)],
        Key(
            "Maximum epochs",
            "training",
            "In an epoch, every training image is used once. Few images need more epochs; automatic chooses the "
            "number.",
            _epochs_phrase,
            choices=(Choice("auto", "automatic"),),
        ),
    ] = Field(
        default="auto",
        description="Maximum number of passes over the training images in fine-tuning; auto is 8, and if an epoch has "
        "fewer than 800 images, as many as show 6,400 images in total, at most 60.",
    )
    last_epoch: Annotated[
        int | None,
        Key(
            "End after epoch",
            "training",
            "Ends before the last epoch, although the learning rate follows the schedule of all epochs.",
            "ended after epoch {}",
            empty="after the last",
        ),
    ] = Field(
        default=None,
        ge=1,
        le=10_000,
        description="Epoch to end after, although the learning rate follows the schedule of all `epochs`; left empty "
        "(null), all of them.",
    )
    schedule_changes: Annotated[
        dict[Annotated[float, Field(ge=0)], Annotated[float, Field(gt=0)]],
        Key(
            "Changes of the number of epochs",
            "training",
            "A time budget writes here how it adapted fine-tuning to the time, so that the training can be "
            "reproduced. Leave it empty otherwise.",
            lambda changes: "the number of epochs adapted to a time budget" if changes else "",
        ),
    ] = Field(
        default_factory=dict,
        description="`epoch: number of epochs` lines, both with decimals: from that epoch on, the learning rate falls "
        "so that it reaches its end after that total number of epochs. A time budget writes them.",
    )
    batch_size: Annotated[
        int,
        Key(
            "Batch size",
            "training",
            "Images processed together in one step of training. Fewer need less memory.",
            "batches of {}",
            unit="images",
        ),
    ] = Field(
        default=16,
        ge=1,
        le=4096,
        description="Images per step of fine-tuning. Fewer give more steps in the same time.",
    )
    optimizer: Annotated[
        Literal["adamw", "adam", "amsgrad", "sgd", "adam-then-sgd"],
        Key(
            "Optimizer",
            "training",
            "How the parameters of the network are updated. The default suits almost all trainings; the others "
            "reproduce published ones.",
            choices=(
                Choice("adamw", "AdamW", "AdamW"),
                Choice("adam", "Adam", "Adam"),
                Choice("amsgrad", "Adam (AMSGrad)", "Adam (AMSGrad)"),
                Choice("sgd", "SGD with momentum", "SGD with Nesterov momentum"),
                Choice("adam-then-sgd", "Adam, then SGD", "Adam"),
            ),
        ),
    ] = Field(
        default="adamw",
        description="Optimizer of fine-tuning; amsgrad is Adam with the largest second moment so far; sgd has Nesterov "
        "momentum 0.9; adam-then-sgd changes from Adam to SGD during training.",
    )
    learning_rate: Annotated[
        float,
        Key(
            "Learning rate",
            "training",
            "How much the parameters change at each step. If it is too large, the network does not learn; if it is "
            "too small, training takes long.",
            "peak learning rate {:g}",
        ),
    ] = Field(
        default=1e-3,
        gt=0,
        le=10,
        description="Peak learning rate of fine-tuning.",
    )
    backbone_rate: Annotated[
        float,
        Key(
            "Learning rate of pretrained layers",
            "training",
            "A share of the learning rate. Below 1, pretrained layers change less than the new last layer.",
            "{:.0%} of it for pretrained layers",
        ),
    ] = Field(
        default=1.0,
        gt=0,
        le=1,
        description="Share of the learning rate for pretrained layers; the last layer uses the full learning rate.",
    )
    sgd_from: Annotated[
        Fraction,
        Key(
            "Change to SGD after",
            "training",
            "Only for Adam followed by SGD: the share of epochs after which the optimizer changes.",
            "after {:.0%} of the epochs SGD with Nesterov momentum",
        ),
    ] = Field(default=0.5, gt=0, description="Share of the epochs after which adam-then-sgd changes to sgd.")
    sgd_learning_rate: Annotated[
        float,
        Key(
            "Learning rate of SGD",
            "training",
            "Only for Adam followed by SGD: the largest learning rate after the change.",
            "with a peak learning rate of {:g}",
        ),
    ] = Field(default=1e-2, gt=0, le=10, description="Peak learning rate of the sgd in adam-then-sgd.")
    weight_decay: Annotated[
        float,
        Key(
            "Weight decay",
            "training",
            "Keeps the parameters of the network small, which reduces overfitting.",
            "weight decay {:g}",
        ),
    ] = Field(default=0.01, ge=0, le=1, description="Weight decay; not applied to biases and norms.")
    clip_gradient: Annotated[
        Literal["auto"] | Annotated[float, Field(gt=0, le=1e6)] | None,
        Key(
            "Gradient clipping",
            "training",
            "Limits the length of the gradient, so that training does not diverge. Automatic limits it for SGD, and "
            "for training that begins with the instant classifier.",
            _clipping_phrase,
            choices=(Choice("auto", "automatic"),),
            empty="no clipping",
        ),
    ] = Field(
        default="auto",
        description="Maximum norm of the gradient over all parameters; auto is 1 for sgd, which diverged without a "
        "limit, and for training that begins with the instant classifier, else none; left empty (null), none.",
    )
    schedule: Annotated[
        Literal["cosine", "plateau", "constant"],
        Key(
            "Learning rate over time",
            "training",
            "How the learning rate changes during training.",
            choices=(
                Choice("cosine", "falls smoothly to zero", "falling to zero along a cosine"),
                Choice("plateau", "falls when progress stalls", "falling when the validation loss stops improving"),
                Choice("constant", "stays the same", "held constant"),
            ),
        ),
    ] = Field(
        default="cosine",
        description="How the learning rate falls: to zero along a cosine; to a tenth after patience/2 epochs without a "
        "lower validation loss; or not at all.",
    )
    warmup: Annotated[
        Fraction,
        Key(
            "Warm-up",
            "training",
            "The share of all steps during which the learning rate rises from zero, to protect pretrained weights.",
            "the learning rate growing from zero over the first {:.0%} of the steps",
        ),
    ] = Field(default=0.25, description="Share of all steps that raise the learning rate from zero.")
    loss: Annotated[
        str,
        OneOf("loss", lambda: LOSSES),
        Key(
            "Loss",
            "training",
            "The loss that training minimizes. Focal loss reduces the weight of images with confident predictions.",
            choices=lambda: tuple(Choice(name, record.title, record.phrase) for name, record in LOSSES.items()),
        ),
    ] = Field(default="cross_entropy", description="The loss that fine-tuning minimizes, per image.")
    loss_options: Annotated[
        dict[str, float],
        Key(
            "Options of the loss",
            "training",
            "Numeric options of the loss; focal has gamma.",
            lambda options: ", ".join(f"{name} = {value:g}" for name, value in options.items()),
            options=lambda: {name: record.options for name, record in LOSSES.items()},
        ),
    ] = Field(default_factory=dict, description="Options of the loss: `focal` has `gamma` (0 to 10; 2 if not given).")
    label_smoothing: Annotated[
        Fraction,
        Key(
            "Label smoothing",
            "training",
            "Above 0, the network is trained to be less confident. Useful if some labels may be wrong.",
            "label smoothing {:g}",
        ),
    ] = Field(default=0.0, description="Share of the label's weight that is spread over all classes.")
    regularizer: Regularizer = Regularizer()
    class_weights: Annotated[
        ClassWeights,
        Key(
            "Weight of rare classes",
            "balance",
            "Without this, a network may perform well on frequent classes only. The test set is not changed.",
            choices=(
                Choice("none", "the same weight for every image"),
                Choice("balanced", "a larger weight for rare classes", "weighted by class"),
            ),
        ),
    ] = Field(
        default="none",
        description="In training only: `balanced` weights the loss of each image so that every class has the same "
        "weight.",
    )
    sampling: Annotated[
        Sampling,
        Key(
            "Images in each epoch",
            "balance",
            "Which images an epoch uses, and how often. The test set is not changed.",
            choices=(
                Choice("all", "each once"),
                Choice("oversample", "those of rare classes more often", "with rare classes drawn more often"),
                Choice("undersample", "fewer of frequent classes", "with frequent classes drawn less often"),
                Choice("even", "every class equally often, in as many steps", "with every class drawn equally often"),
                Choice(
                    "domains",
                    "those of small domains more often",
                    "with images of every domain drawn equally often",
                ),
            ),
        ),
    ] = Field(
        default="all",
        description="In training only: each image once (all), those of rare classes more often (oversample), those of "
        "frequent ones less often (undersample), or both, in an epoch of the usual length (even). Where there are "
        "several domains: those of small ones more often (domains).",
    )
    checkpoint_selection: Annotated[
        Literal["auto", "best", "last"],
        Key(
            "Checkpoint selection",
            "training",
            "The epoch whose network is used. If training begins with the instant classifier, the last epoch is "
            "better than the best one on a few validation images.",
            choices=(
                Choice("auto", "automatic"),
                Choice("best", "the best on validation images", "keeping the best epoch"),
                Choice("last", "the last", "keeping the last epoch"),
            ),
        ),
    ] = Field(
        default="auto",
        description="Epoch whose network is kept; auto is the last if training begins with the instant classifier and "
        "the learning rate falls along a cosine, else the best by the primary metric on validation images.",
    )
    stage_selection: Annotated[
        Literal["better", "finetune"],
        Key(
            "Stage selection",
            "training",
            "Whether the instant classifier is kept if the fine-tuned network has worse validation results. "
            "Publications keep the fine-tuned network in any case.",
            choices=(
                Choice("better", "selected by validation results"),
                Choice("finetune", "the fine-tuned network", "the fine-tuned network kept in any case"),
            ),
        ),
    ] = Field(
        default="better",
        description="Which of the instant classifier and the fine-tuned network is kept: the one with the better "
        "validation results, or the fine-tuned network in any case. Fine-tuning that begins with the instant "
        "classifier and ends after no fewer epochs than auto takes is kept unless its primary metric is lower by more "
        "than two standard errors of the difference.",
    )
    patience: Annotated[
        int | None,
        Key(
            "Patience",
            "training",
            "Stops after this number of epochs without a better result on validation images. If the last epoch is "
            "kept and the learning rate falls smoothly, all epochs are run.",
            lambda n: "never stopping early" if n is None else f"stopping after {n} epochs without a better one",
            unit="epochs",
            empty="never stop early",
        ),
    ] = Field(
        default=10,
        ge=1,
        description="Number of epochs without a better primary metric on validation images after which training stops; "
        "left empty (null), it does not stop early. All epochs are run if the last one is kept and the learning rate "
        "falls along a cosine.",
    )

    @property
    def n_epochs(self) -> int:
        """`epochs`, where it is a number."""
        assert self.epochs != "auto", "`with_epochs` settles them"
        return self.epochs

    def with_epochs(self, n_drawn: int) -> Self:
        """The same with a number of epochs, which `auto` leaves to how many images an epoch shows."""
        if self.epochs != "auto":
            return self
        return self.model_copy(update={"epochs": epochs_called_for(n_drawn)})

    @field_validator("schedule_changes")
    @classmethod
    def _changes_are_ahead(cls, value: dict[float, float]) -> dict[float, float]:
        if any(epoch > n_epochs for epoch, n_epochs in value.items()):
            raise ValueError(text("schedule-change-too-low"))
        return dict(sorted(value.items()))

    @field_validator("loss_options")
    @classmethod
    def _options_are_the_losss(cls, value: dict[str, float], info: ValidationInfo) -> dict[str, float]:
        if "loss" in info.data:
            check_options(info.data["loss"], value)
        return value
