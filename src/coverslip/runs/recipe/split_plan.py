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
            "Validation set",
            "split",
            "The share of images that select the best epoch and stop training early. They are not used for training. "
            "0.2 is one image in five.",
        ),
    ] = Field(default=0.2, gt=0, description="Share of images in the validation set, on which choices are made.")
    test: Annotated[
        Fraction,
        Key("Test set", "split", "The share of images for the final metrics. No choice depends on them."),
    ] = Field(
        default=0.2,
        gt=0,
        description="Share of images in the test set, for the final metrics; no choice depends on them.",
    )
    folds: Annotated[
        int | None,
        Key(
            "Folds",
            "split",
            "Number of folds of cross-validation: each fold is tested on other images, until every image was tested "
            "once. Training time grows with the number. Useful for few images or few patients. 0 makes one split. If "
            "empty, there are folds if groups or images are few.",
            empty="depends on the images",
        ),
    ] = Field(
        default=None,
        ge=0,
        le=100,
        description="Number of folds of cross-validation: one network per fold, tested on other images, so that every "
        "image is tested once (`test` is then ignored). The classifier itself is trained on all images. 0 makes one "
        "split. Left empty (null), up to 5 folds if there are fewer than 10 groups, or fewer than 100 images without "
        "groups.",
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
            "One fold per domain (folder, laboratory): it is tested by a network that was trained on all other "
            "domains, which estimates the performance on images of a new domain.",
            lambda is_on: "each domain tested by a network that was trained on all others" if is_on else "",
        ),
    ] = Field(default=False, description="One fold per domain, instead of `folds` and `test`: leave one domain out.")

    near_duplicates: Annotated[
        Literal["together", "ignore"],
        Key(
            "Near-duplicates",
            "split",
            "Images that show the same with different pixels: saved again, resized, rotated, mirrored or cropped. "
            "coverslip searches for them and keeps them in the same set, because a test image whose near-duplicate was "
            "trained on makes the results too good.",
            choices=(
                Choice("together", "keep in the same set"),
                Choice("ignore", "do not search", "near-duplicates not searched for"),
            ),
        ),
    ] = Field(
        default="together",
        description="Whether the training searches for near-duplicates and keeps each cluster of them in one set, or "
        "does not search.",
    )
    train_per_class: Annotated[
        int | None,
        Key(
            "Most images per class",
            "split",
            "The maximum number of training images per class, drawn at random.",
            lambda n: "" if n is None else f"at most {n} training image{'s'[: n != 1]} of each class, drawn at random",
            unit="images",
            empty="all",
        ),
    ] = Field(
        default=None,
        ge=1,
        description="Maximum number of training images per class, drawn at random; left empty (null), all.",
    )
    seed: Annotated[
        int | None,
        Key(
            "Seed of the split",
            "split",
            "Images are split by this seed, independent of the seed of the training, so that several trainings are "
            "tested on the same images.",
            lambda seed: "" if seed is None else f"images divided by a seed of their own ({seed})",
            empty="the seed of the training",
        ),
    ] = Field(default=None, ge=0, le=2**32 - 1, description="Seed of the split; left empty (null), `seed`.")

    run: Annotated[
        str | None,
        Key(
            "Split of an earlier training",
            "split",
            "Reuses it, so that two trainings can be compared: the test images are the same. Images that were added "
            "since join the training set.",
            "each image in the same set (training, validation or test) as in an earlier training",
            empty="a new split",
        ),
    ] = Field(
        default=None,
        min_length=1,
        description="The folder of an earlier run on these images: each stays in its set (training, "
        "validation or test). Left empty (null), a new split is made.",
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
        """Return the plan with the number of folds that the images need; folds of domains stay as they are."""
        return self if self.by_domain else self.model_copy(update={"folds": n_folds})
