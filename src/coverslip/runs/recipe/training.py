"""Sections of a recipe about training: initial weights, fine-tuning and the regularizer."""

from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, ValidationInfo, field_validator

from coverslip.datasets import Name
from coverslip.keys import Choice, Key
from coverslip.losses import GROUPINGS, LOSSES, check_options
from coverslip.messages import text
from coverslip.runs.recipe.choices import Choices, Fraction, OneOf


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


_LABELS = (
    "Names of classes there, each with its name here, where the same class is called differently; where all classes "
    "are known by then, what tells them is kept if validation images prefer it."
)


class FromRun(Choices):
    """The weights of an earlier run: its network goes on learning."""

    run: str = Field(description="The run's folder, its classifier/ or a .coverslip file.")
    labels: dict[Name, Name] = Field(default_factory=dict, description=_LABELS)


class Pretraining(Choices):
    """Two-step transfer: pretraining on other labelled images, whose network then learns these.

    Its network is chosen as any: the best epoch by validation images of its own (paper 004 does not say which
    checkpoint it went on from).
    """

    train_on: str = Field(description="A folder with one sub-folder per class, or a table with path and label.")
    # Any: checked as a recipe
    recipe: dict[str, Any] = Field(
        default_factory=dict, description="What is other than in this recipe when pretraining, such as group."
    )
    labels: dict[Name, Name] = Field(default_factory=dict, description=_LABELS)


def _kind(value: object) -> str:
    if isinstance(value, FromRun | Pretraining):
        return "run" if isinstance(value, FromRun) else "train_on"
    if isinstance(value, dict):
        return "train_on" if "train_on" in value or "recipe" in value else "run"
    return "name"


Initialisation = Annotated[
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
IMAGES_FAMILIAR = 2000  # training images that tell what is familiar to a fine-tuned network
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
    """How the whole network learns."""

    epochs: Annotated[
        Literal["auto"] | Annotated[int, Field(ge=1, le=10_000)],
        Key(
            "Maximum epochs",
            "training",
            "In an epoch, the network sees every training image once. Few images need more epochs; automatic chooses "
            "how many.",
            _epochs_phrase,
            choices=(Choice("auto", "automatic"),),
        ),
    ] = Field(
        default="auto",
        description="Most passes over the training images when fine-tuning; auto is 8, and where an epoch shows fewer "
        "than 800 images as many as show 6,400 in all, at most 60.",
    )
    last_epoch: Annotated[
        int | None,
        Key(
            "End after epoch",
            "training",
            "Ends before the last epoch, though the learning rate falls as for all of them.",
            "ended after epoch {}",
            empty="after the last",
        ),
    ] = Field(
        default=None,
        ge=1,
        le=10_000,
        description="Epoch to end after, though the learning rate falls as for all `epochs`; left empty (null), all of "
        "them.",
    )
    schedule_changes: Annotated[
        dict[Annotated[float, Field(ge=0)], Annotated[float, Field(gt=0)]],
        Key(
            "Changes of the number of epochs",
            "training",
            "A time budget writes here how it adapted fine-tuning to the time, so that the same training can be "
            "repeated. Leave it empty otherwise.",
            lambda changes: "the number of epochs adapted to a time budget" if changes else "",
        ),
    ] = Field(
        default_factory=dict,
        description="`epoch: number of epochs` lines, both with decimals: from then on the learning rate falls so that "
        "it comes to its end after that number of epochs in all. A time budget writes them.",
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
            "Optimiser",
            "training",
            "How the weights of the network are updated. The default suits nearly all; the others repeat published "
            "trainings.",
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
        description="Fine-tuning's optimiser; amsgrad is Adam with the largest second moment so far; sgd has Nesterov "
        "momentum 0.9; adam-then-sgd changes from one to the other on the way.",
    )
    learning_rate: Annotated[
        float,
        Key(
            "Learning rate",
            "training",
            "How much the weights change at each step. Too large and the network does not learn; too small and it "
            "takes long.",
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
            "A share of the learning rate. Below 1, layers that know a lot already change less than the new last one.",
            "{:.0%} of it for pretrained layers",
        ),
    ] = Field(
        default=1.0,
        gt=0,
        le=1,
        description="Share of the learning rate for layers with pretrained weights; the last layer has all of it.",
    )
    sgd_from: Annotated[
        Fraction,
        Key(
            "Change to SGD after",
            "training",
            "Only where Adam is followed by SGD: the share of epochs after which it changes.",
            "after {:.0%} of the epochs SGD with Nesterov momentum",
        ),
    ] = Field(default=0.5, gt=0, description="Share of the epochs after which adam-then-sgd goes on with sgd.")
    sgd_learning_rate: Annotated[
        float,
        Key(
            "Learning rate of SGD",
            "training",
            "Only where Adam is followed by SGD: the largest learning rate after the change.",
            "with a peak learning rate of {:g}",
        ),
    ] = Field(default=1e-2, gt=0, le=10, description="Peak learning rate of the sgd in adam-then-sgd.")
    weight_decay: Annotated[
        float,
        Key(
            "Weight decay",
            "training",
            "Keeps the network’s weights small, which helps against overfitting (learning images by heart).",
            "weight decay {:g}",
        ),
    ] = Field(default=0.01, ge=0, le=1, description="Pull of weights towards zero; not on biases and norms.")
    clip_gradient: Annotated[
        Literal["auto"] | Annotated[float, Field(gt=0, le=1e6)] | None,
        Key(
            "Longest gradient",
            "training",
            "Shortens steps that would be far longer than usual, so that training does not run away. Automatic does so "
            "for SGD, and for whatever begins with the instant classifier.",
            _clipping_phrase,
            choices=(Choice("auto", "automatic"),),
            empty="never shorten",
        ),
    ] = Field(
        default="auto",
        description="Length (norm over all weights) that the gradient of a step is shortened to where it is longer; "
        "auto is 1 for sgd, whose steps ran away without a bound, and where training begins with the instant "
        "classifier, else none; left empty (null), none.",
    )
    schedule: Annotated[
        Literal["cosine", "plateau", "constant"],
        Key(
            "Learning rate over time",
            "training",
            "How the learning rate changes during training.",
            choices=(
                Choice("cosine", "falls smoothly to zero", "falling to zero along a cosine"),
                Choice("plateau", "falls when progress stalls", "falling when the validation loss stands still"),
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
            "The share of all steps during which the learning rate rises from zero, so that pretrained weights are "
            "not spoilt.",
            "the learning rate growing from zero over the first {:.0%} of the steps",
        ),
    ] = Field(default=0.25, description="Share of all steps that raise the learning rate from zero.")
    loss: Annotated[
        str,
        OneOf("loss", lambda: LOSSES),
        Key(
            "Loss",
            "training",
            "What training minimises. Focal loss counts images less that the network is already sure of.",
            choices=lambda: tuple(Choice(name, record.title, record.phrase) for name, record in LOSSES.items()),
        ),
    ] = Field(default="cross_entropy", description="What fine-tuning minimises, image by image.")
    loss_options: Annotated[
        dict[str, float],
        Key(
            "Options of the loss",
            "training",
            "Numbers that the loss can be given; focal has gamma.",
            lambda options: ", ".join(f"{name} = {value:g}" for name, value in options.items()),
            options=lambda: {name: record.options for name, record in LOSSES.items()},
        ),
    ] = Field(default_factory=dict, description="Options of the loss: `focal` has `gamma` (0 to 10; 2 if not given).")
    label_smoothing: Annotated[
        Fraction,
        Key(
            "Label smoothing",
            "training",
            "Above 0, the network is not pushed to be completely certain. Useful where some labels may be wrong.",
            "label smoothing {:g}",
        ),
    ] = Field(default=0.0, description="Share of the label's weight that is spread over all classes.")
    regulariser: Regulariser = Regulariser()
    class_weights: Annotated[
        ClassWeights,
        Key(
            "Weight of rare classes",
            "balance",
            "Without this, a network may do well on frequent classes and neglect rare ones. The test stays as it is.",
            choices=(
                Choice("none", "every image counts the same"),
                Choice("balanced", "mistakes on rare ones count more", "weighted by class"),
            ),
        ),
    ] = Field(
        default="none",
        description="In training only: `balanced` weighs the loss of each image so that every class counts alike.",
    )
    sampling: Annotated[
        Sampling,
        Key(
            "Images in each epoch",
            "balance",
            "Which images an epoch shows, and how often. The test stays as it is.",
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
            "Kept epoch",
            "training",
            "The network of which epoch is kept. Where training begins with the instant classifier, the last one is "
            "better than the one that looks best on a few validation images.",
            choices=(
                Choice("auto", "automatic"),
                Choice("best", "the best on validation images", "keeping the best epoch"),
                Choice("last", "the last", "keeping the last epoch"),
            ),
        ),
    ] = Field(
        default="auto",
        description="Which epoch's network is kept; auto is the last where training begins with the instant classifier "
        "and the learning rate falls along a cosine, else the best by the primary metric on validation images.",
    )
    stage_selection: Annotated[
        Literal["better", "finetune"],
        Key(
            "Kept network",
            "training",
            "Whether the instant classifier is kept if the fine-tuned network has worse validation results. "
            "Publications keep the fine-tuned network in any case.",
            choices=(
                Choice("better", "the one that validation results select"),
                Choice("finetune", "the fine-tuned one", "the fine-tuned network kept in any case"),
            ),
        ),
    ] = Field(
        default="better",
        description="Which network is kept where there is an instant classifier and a fine-tuned one: the one with the "
        "better validation results, or the fine-tuned one in any case. Fine-tuning that begins with the instant "
        "classifier and ends after no fewer epochs than auto takes is kept unless its primary metric is lower by more "
        "than two standard errors of the difference.",
    )
    patience: Annotated[
        int | None,
        Key(
            "Patience",
            "training",
            "Stops after so many epochs without a better result on validation images. Where the last epoch is kept "
            "and the learning rate falls smoothly, all epochs are run.",
            lambda n: "never stopping early" if n is None else f"stopping after {n} epochs without a better one",
            unit="epochs",
            empty="never stop early",
        ),
    ] = Field(
        default=10,
        ge=1,
        description="Stop after so many epochs without a better primary metric on validation images; left empty "
        "(null), never. All epochs are run where the last one is kept and the learning rate falls along a cosine.",
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
