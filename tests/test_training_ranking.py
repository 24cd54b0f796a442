"""Which of two classifiers validation images prefer: what differs for certain decides, not what differs by chance."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coverslip.runs.recipe import Recipe
from coverslip.runs.training import FinetuneStage
from coverslip.training.fitting import keep_finetuned
from coverslip.training.linear_probe import is_preferred, is_significantly_worse
from coverslip.training.task import TrainingImages

N = 100


def label() -> np.ndarray:
    return np.arange(N) % 4


def logits(wrong: range, sure: float = 3.0, seed: int = 0) -> np.ndarray:
    """Of a classifier that is wrong for these images; the surer it is of the others, the lower its log loss."""
    named = label()
    named[list(wrong)] = (named[list(wrong)] + 1) % 4
    noise = np.random.default_rng(seed).normal(0, 0.3, (N, 4))
    return noise + sure * (np.arange(4) == named[:, None])


def test_a_clear_difference_of_the_primary_metric_decides_whatever_the_loss() -> None:
    better, worse = logits(range(10), sure=0.5), logits(range(50, 80), sure=3.0)
    assert is_preferred(better, worse, label(), Recipe())
    assert not is_preferred(worse, better, label(), Recipe())


@pytest.mark.parametrize("primary", ["macro_f1", "accuracy", "balanced_accuracy"])
def test_where_the_metric_hardly_differs_the_calibrated_loss_decides(primary: str) -> None:
    """The mistakes are others, and one more of them says little; but one classifier knows which images are hard."""
    careful, rash = logits(range(21)), logits(range(30, 50))
    careful[:21] *= 0.1
    choices = Recipe(primary_metric=primary)  # type: ignore[arg-type]  # a name of the table
    assert is_preferred(careful, rash, label(), choices)
    assert not is_preferred(rash, careful, label(), choices)


def test_neither_is_preferred_to_one_that_answers_alike() -> None:
    assert not is_preferred(logits(range(9)), logits(range(9)), label(), Recipe())


def test_where_the_metric_is_not_defined_the_loss_decides() -> None:
    one_class, choices = np.zeros(N, dtype=np.int64), Recipe(primary_metric="macro_auroc")
    right, wrong = np.tile([3.0, 0, 0, 0], (N, 1)), np.tile([0.0, 3, 0, 0], (N, 1))
    assert is_preferred(right, wrong, one_class, choices)
    assert not is_preferred(wrong, right, one_class, choices)


def test_only_a_loss_beyond_chance_is_shown() -> None:
    good = logits(range(10))
    assert is_significantly_worse(logits(range(50, 80)), good, label(), Recipe())
    assert not is_significantly_worse(logits(range(50, 64)), good, label(), Recipe())  # four of a hundred: chance
    assert not is_significantly_worse(good, good, label(), Recipe())
    assert is_significantly_worse(logits(range(10), sure=0.5), good, label(), Recipe(primary_metric="log_loss"))


def test_where_the_metric_is_not_defined_the_loss_shows_it() -> None:
    one_class, choices = np.zeros(N, dtype=np.int64), Recipe(primary_metric="macro_auroc")
    right, wrong = np.tile([3.0, 0, 0, 0], (N, 1)), np.tile([0.0, 3, 0, 0], (N, 1))
    assert is_significantly_worse(wrong, right, one_class, choices)
    assert not is_significantly_worse(right, wrong, one_class, choices)


@pytest.mark.slow
@given(
    st.integers(0, 60),
    st.integers(0, 60),
    st.floats(0.2, 4),
    st.floats(0.2, 4),
    st.sampled_from(["macro_f1", "log_loss"]),
)
def test_of_two_at_most_one_is_preferred(n: int, m: int, sure: float, other: float, primary: str) -> None:
    first, second = logits(range(n), sure), logits(range(40, 40 + m), other, seed=1)
    choices = Recipe(primary_metric=primary)  # type: ignore[arg-type]  # a name of the table
    assert not (is_preferred(first, second, label(), choices) and is_preferred(second, first, label(), choices))


def stage(epochs_run: int) -> FinetuneStage:
    return FinetuneStage(
        started_from="instant classifier",
        seconds=1.0,
        selected_epoch=epochs_run,
        epochs_run=epochs_run,
        epochs_planned=epochs_run,
        n_steps=50 * epochs_run,
        stopped_because="all epochs done",
        images_per_second=1.0,
        precision="float32",
    )


@pytest.mark.parametrize(
    ("changes", "epochs_run", "is_kept"),
    [
        ({}, 8, True),
        ({"epochs": 9}, 9, True),
        ({}, 5, False),  # cut short
        ({"epochs": 6}, 6, True),  # three quarters of what the images call for
        ({"epochs": 5}, 5, False),
        ({"head_init": "random"}, 8, False),
        ({"checkpoint_selection": "best"}, 8, False),
        ({"schedule": "constant"}, 8, False),
        ({"sampling": "oversample", "epochs": 4}, 4, False),
        ({"stage_selection": "finetune"}, 1, True),
    ],
)
def test_complete_fine_tuning_is_kept_if_it_is_slightly_worse(
    changes: dict[str, object], epochs_run: int, *, is_kept: bool
) -> None:
    recipe = Recipe.model_validate({"epochs": 8, **changes})
    images = TrainingImages(
        lambda positions: np.zeros((len(positions), 8, 8, 3), np.uint8),
        np.arange(800),
        np.arange(800) % 4,
        np.arange(800, 900),
        label(),
        4,
    )
    a_little_worse = logits(range(50, 64)), logits(range(10))
    assert keep_finetuned(*a_little_worse, images, recipe, stage(epochs_run)) == is_kept
    much_worse = logits(range(50, 90)), logits(range(10))
    assert keep_finetuned(*much_worse, images, recipe, stage(epochs_run)) == (recipe.stage_selection == "finetune")
