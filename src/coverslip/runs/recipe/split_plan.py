"""The recipe's section on how images are split."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from coverslip.keys import Choice, Key
from coverslip.messages import text
from coverslip.runs.recipe.choices import Choices, Fraction


class SplitPlan(Choices):
    """How images are split. Groups and exact duplicates are never divided, near-duplicates only on request."""

    val: Annotated[
        Fraction,
        Key(
            "Share for validation",
            "split",
            "Not used for training: these images decide which state of the network is best, and when to stop. 0.2 is "
            "one image in five.",
        ),
    ] = Field(default=0.2, gt=0, description="Share of images that choices are made on (validation).")
    test: Annotated[
        Fraction,
        Key("Share to test on", "split", "Kept aside until the end. The final result comes from these alone."),
    ] = Field(default=0.2, gt=0, description="Share of images that the final numbers come from; no choice sees them.")
    folds: Annotated[
        int | None,
        Key(
            "Folds",
            "split",
            "So many tests instead of one: each fold tests on another part of the images, until every image was tested "
            "once. Takes so many times as long; good for few images or few patients. 0 makes one test. Left empty, "
            "folds are made where there are few groups or images.",
            empty="depends on the images",
        ),
    ] = Field(
        default=None,
        ge=0,
        le=100,
        description="Cross-validation: so many networks, each tested on another part, so that every image is tested "
        "once (`test` then does not count); the classifier itself is trained on all images. 0 makes one split. Left "
        "empty (null), up to 5 folds where there are fewer than 10 groups, or fewer than 100 images without groups.",
    )

    @field_validator("folds")
    @classmethod
    def _one_is_none(cls, value: int | None) -> int | None:
        if value == 1:
            raise ValueError(text("one-fold-only"))
        return value

    by_domain: Annotated[
        bool,
        Key(
            "Leave one domain out",
            "split",
            "A fold for each domain (folder, laboratory): it is tested by a network that was trained on all others, "
            "which tells what to expect of images from elsewhere.",
            lambda is_on: "each domain tested by a network that was trained on all others" if is_on else "",
        ),
    ] = Field(
        default=False, description="A fold for each domain, in place of `folds` and `test`: leave one domain out."
    )

    near_duplicates: Annotated[
        Literal["together", "ignore"],
        Key(
            "Near-duplicates",
            "split",
            "Images that show the same with other pixels: saved again, resized, turned, mirrored or cropped. coverslip "
            "searches for them and keeps them in the same set, since a test image whose near-duplicate was "
            "trained on makes the results too good.",
            choices=(
                Choice("together", "keep in the same set"),
                Choice("ignore", "do not search", "near-duplicates not searched for"),
            ),
        ),
    ] = Field(
        default="together",
        description="Whether the training searches for near-duplicates and keeps each cluster of them in one part of "
        "the split, or does not search.",
    )
    train_per_class: Annotated[
        int | None,
        Key(
            "Most images per class",
            "split",
            "Trains on no more than so many images of each class, drawn at random.",
            lambda n: "" if n is None else f"at most {n} training image{'s'[: n != 1]} of each class, drawn at random",
            unit="images",
            empty="all",
        ),
    ] = Field(
        default=None, ge=1, description="Most training images of each class, drawn by chance; left empty (null), all."
    )
    seed: Annotated[
        int | None,
        Key(
            "Seed of the split",
            "split",
            "Images are divided by this seed, whatever the seed of the training: several trainings are then tested on "
            "the same images.",
            lambda seed: "" if seed is None else f"images divided by a seed of their own ({seed})",
            empty="the seed of the training",
        ),
    ] = Field(default=None, ge=0, le=2**32 - 1, description="Divides the images; left empty (null), `seed` does.")

    run: Annotated[
        str | None,
        Key(
            "Split of an earlier training",
            "split",
            "Keeps it, so that two trainings can be compared: what was tested on then is tested on now. Images that "
            "have come since join training.",
            "each image in the same set (training, validation or test) as in an earlier training",
            empty="a split of its own",
        ),
    ] = Field(
        default=None,
        min_length=1,
        description="The folder of an earlier run on these images: each stays in its set (training, "
        "validation or test). Left empty (null), the images are split anew.",
    )

    @model_validator(mode="after")
    def _is_one_split(self) -> "SplitPlan":
        if self.run is not None and self.asks_for_folds:
            raise ValueError(text("split-run-with-folds"))
        if self.by_domain and self.folds is not None:
            raise ValueError(text("domains-with-folds"))
        return self

    @model_validator(mode="after")
    def _leaves_something(self) -> "SplitPlan":
        if self.val + self.test >= 1:
            raise ValueError(text("nothing-to-train-on", val=f"{self.val:g}", test=f"{self.test:g}"))
        return self

    @property
    def asks_for_folds(self) -> bool:
        """Whether there shall be folds, whatever the images are like."""
        return bool(self.folds) or self.by_domain

    def resolved(self, n_folds: int) -> "SplitPlan":
        """The same with the number of folds that the images called for; that of domains is theirs."""
        return self if self.by_domain else self.model_copy(update={"folds": n_folds})
