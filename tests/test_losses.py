"""Losses: known answers, what a recipe may say of them, and a record that is added."""

from collections.abc import Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from refusing import refusing
from torch import Tensor
from torch.nn import functional

from coverslip.errors import BadRecipe
from coverslip.keys import Option
from coverslip.losses.functions import ImageLoss, balanced_weight, focal
from coverslip.losses.table import LOSSES, LossRecord
from coverslip.messages import add_entries, text
from coverslip.runs.recipe import Recipe
from coverslip.runs.recipe_keys import phrases, recipe_keys, with_settings

PLAIN = {"weight": None}
WEIGHTS = torch.tensor([0.5, 2.0, 1.0])


def batch(n: int = 9, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return 3 * torch.randn(n, 3, generator=generator), torch.arange(n) % 3


def test_focal_loss_is_the_papers_for_two_classes() -> None:
    """At p = 0.9 and gamma = 2 an image counts 100 times less than by cross-entropy (section 3.2)."""
    logits = torch.tensor([[0.9, 0.1], [0.968, 0.032]]).log()
    label = torch.tensor([0, 0])
    ratio = functional.cross_entropy(logits, label, reduction="none") / focal(logits, label, **PLAIN, gamma=2.0)
    assert ratio.tolist() == pytest.approx([100, 1 / 0.032**2], rel=1e-4)


@given(st.integers(0, 99), st.sampled_from([None, WEIGHTS]))
def test_focal_loss_without_gamma_is_cross_entropy(seed: int, weight: Tensor | None) -> None:
    logits, label = batch(seed=seed)
    loss = focal(logits, label, weight=weight, gamma=0.0)
    expected = functional.cross_entropy(logits, label, weight, reduction="none")
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 5.0])
def test_an_image_that_is_wholly_sure_has_a_slope_that_is_a_number(gamma: float) -> None:
    logits = torch.tensor([[200.0, -200.0, 0.0], [-200.0, 200.0, 0.0]], requires_grad=True)
    loss = focal(logits, torch.tensor([0, 0]), **PLAIN, gamma=gamma)
    loss.sum().backward()
    assert loss.isfinite().all()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("weight", [None, WEIGHTS])
def test_every_loss_is_a_sum_over_images_that_learning_makes_small(name: str, weight: Tensor | None) -> None:
    logits, label = batch()
    loss = ImageLoss(name, weight=weight)
    parts = torch.stack([loss(logits[i : i + 1], label[i : i + 1]) for i in range(9)])
    assert (parts >= 0).all()
    assert float(loss(logits, label)) == pytest.approx(float(parts.sum()), rel=1e-5)
    better = logits + 2 * functional.one_hot(label, 3)
    assert loss(better, label) < loss(logits, label)


def test_cross_entropy_is_exactly_pytorchs() -> None:
    logits, label = batch(200)
    expected = functional.cross_entropy(logits, label, WEIGHTS)
    loss = ImageLoss("cross_entropy", weight=WEIGHTS)
    torch.testing.assert_close(loss(logits, label) / loss.total_weight(label), expected)
    assert ImageLoss("cross_entropy")(logits, label) / 200 == functional.cross_entropy(logits, label)


def test_balanced_weights_let_every_class_count_alike() -> None:
    counts = torch.tensor([10, 30, 0])
    assert (balanced_weight(counts) * counts).tolist() == pytest.approx([40 / 3, 40 / 3, 0])


@pytest.mark.parametrize(
    ("settings", "code", "parameters"),
    [
        (
            ["loss=focl"],
            "no-such-record",
            {"kind_of_record": "loss", "nearest": "focal", "names": "cross_entropy, focal"},
        ),
        (["loss_options.gamma=1"], "loss-without-options", {"name": "cross_entropy"}),
        (
            ["loss=focal", "loss_options.gama=1"],
            "no-such-record",
            {"kind_of_record": "option of the loss focal", "nearest": "gamma", "names": "gamma"},
        ),
        (
            ["loss=focal", "loss_options.gamma=11"],
            "option-no-number",
            {"is_whole": False, "range": "both", "minimum": 0, "maximum": 10},
        ),
    ],
)
def test_an_unknown_loss_or_invalid_option_is_refused(
    settings: list[str], code: str, parameters: dict[str, object]
) -> None:
    with refusing(BadRecipe, "invalid-recipe") as error:
        with_settings(Recipe(), settings)
    ((key, fault),) = error.value.faults
    assert key == settings[-1].split("=")[0].split(".")[0]
    assert fault.endswith(text(code, has_nearest=True, **parameters))


add_entries("""
key-loss-choice-hinge = hinge
    .phrase = a hinge loss

key-loss-options-hinge-margin =
    .name = Margin
    .help = Of logits.
""")


@pytest.fixture
def hinge() -> Iterator[LossRecord]:
    def per_image(logits: Tensor, label: Tensor, *, weight: Tensor | None, margin: float) -> Tensor:
        return functional.multi_margin_loss(logits, label, margin=margin, weight=weight, reduction="none")

    record = LossRecord(
        name="hinge",
        per_image=per_image,
        options=(Option(name="margin", type="number", default=1.0, maximum=9),),
    )
    LOSSES.add(record)
    yield record
    LOSSES.remove(record.name)


def test_an_added_loss_can_be_chosen_and_is_reported(hinge: LossRecord) -> None:
    key = next(key for key in recipe_keys() if key.key == "loss")
    assert "hinge" in [choice.title for choice in key.choices or []]
    recipe = with_settings(Recipe(), ["loss=hinge", "loss_options.margin=2"])
    assert (phrases(recipe)["loss"], phrases(recipe)["loss_options"]) == ("a hinge loss", "margin = 2")
    logits, label = batch()
    expected = functional.multi_margin_loss(logits, label, margin=2.0, reduction="sum")
    assert ImageLoss(recipe.loss, recipe.loss_options)(logits, label) == pytest.approx(float(expected))
