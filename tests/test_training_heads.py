"""Last layers: what validation images choose, learning from them too, and averaging with a trained layer."""

from pathlib import Path

import numpy as np
import pytest
import torch
from drawing import write_cells
from hypothesis import given, settings
from hypothesis import strategies as st
from trained import INSTANT, SMALL_NETWORK

import coverslip as cs
from coverslip.events import COMPUTING_FEATURES, Event, Progressed, ignore
from coverslip.images.preprocessing import Preprocessing
from coverslip.models.networks import create_network
from coverslip.pipeline import train_without_report
from coverslip.runs.folder import RunContext
from coverslip.runs.recipe import FromRun, Recipe, augment_named
from coverslip.runs.training import RefittedHead
from coverslip.training.batches import as_tensor
from coverslip.training.heads import AugmentedCopies, HeadFitter, Variation, refit_head, refit_head_as_folds_chose
from coverslip.training.linear_probe import SHRINKAGES, LinearHead, calibrated_log_loss, fit_linear_probe, primary_score
from coverslip.training.task import TrainingImages, TrainingTask

N_TRAIN, N_VAL = 60, 30


class Rows:
    """Features as the cache gives them."""

    def __init__(self, rows: np.ndarray) -> None:
        self._rows, self.shape = rows, rows.shape

    def __getitem__(self, which: slice) -> np.ndarray:
        return self._rows[which]

    def part(self, which: np.ndarray | slice) -> "Rows":
        return Rows(self._rows[which])


def features_and_labels(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    label = np.arange(N_TRAIN + N_VAL) % 3
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(len(label), 8)) + np.eye(3, 8)[label]).astype(np.float32), label


def fitter(folder: Path) -> HeadFitter:
    return HeadFitter(3, Recipe(), RunContext(folder))


def test_validation_images_choose_then_count(tmp_path: Path) -> None:
    features, label = features_and_labels()
    train, val = slice(N_TRAIN), slice(N_TRAIN, None)
    heads = fitter(tmp_path).fit_by_validation(Rows(features), label[train], label[val], np.arange(N_VAL) // 3)
    alone = fit_linear_probe(
        features[train],
        label[train],
        features[val],
        label[val],
        n_classes=3,
        balanced=False,
        better=lambda logits, label: primary_score(logits, label, Recipe()),
    )
    both = fit_linear_probe(
        features,
        label,
        features,
        label,
        n_classes=3,
        balanced=False,
        better=lambda *_: 0.0,
        shrinkages=[alone.shrinkage or 0.0],
    )
    np.testing.assert_allclose(heads.of_training.weight, alone.weight)
    np.testing.assert_allclose(heads.head.weight, both.weight)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 1000), n_turns=st.integers(1, 10))
def test_no_head_that_speaks_of_a_validation_image_has_seen_its_label(
    tmp_path_factory: pytest.TempPathFactory, seed: int, n_turns: int
) -> None:
    """With a label swapped in a turn, what is said of its images stays; and the shrinkage was the same."""
    features, label = features_and_labels(seed)
    turn = np.arange(N_VAL) % n_turns - 1  # -1: never held out from a head on all images
    which = np.flatnonzero(turn == turn.max())[:2] + N_TRAIN
    swapped = label.copy()
    swapped[which] = swapped[which[::-1]]
    fitted = fitter(tmp_path_factory.mktemp("heads"))
    first, second = (
        fitted.fit_by_validation(Rows(features), labels[:N_TRAIN], labels[N_TRAIN:], turn)
        for labels in (label, swapped)
    )
    assert np.isfinite(first.val_logits).all()
    if first.head.shrinkage == second.head.shrinkage:
        same = (turn == turn.max()) | (turn < 0)
        # The shrinkage is in units of the variance of all images, which depends slightly on their labels.
        np.testing.assert_allclose(first.val_logits[same], second.val_logits[same], atol=0.03)


def test_without_validation_images_there_is_one_head(tmp_path: Path) -> None:
    features, label = features_and_labels()
    heads = fitter(tmp_path).fit_by_validation(Rows(features), label, label[:0], np.zeros(0, np.int64))
    assert heads.head is heads.of_training
    assert heads.val_logits.shape == (0, 3)


def test_validation_images_may_choose_without_being_learnt_from(tmp_path: Path) -> None:
    features, label = features_and_labels()
    heads = fitter(tmp_path).fit_by_validation(Rows(features), label[:N_TRAIN], label[N_TRAIN:], None)
    assert heads.fitted_on == "training images"
    np.testing.assert_array_equal(heads.val_logits, heads.of_training.logits(features[N_TRAIN:]))


@pytest.fixture
def pictures() -> tuple[TrainingImages, np.ndarray]:
    """Noise in three shades."""
    rng = np.random.default_rng(0)
    label = np.arange(N_TRAIN + N_VAL) % 3
    pixels = (rng.normal(80, 30, (len(label), 32, 32, 3)) + 20 * label[:, None, None, None]).clip(0, 255)
    pixels = pixels.astype(np.uint8)
    train, val = np.arange(N_TRAIN), np.arange(N_TRAIN, N_TRAIN + N_VAL)
    return TrainingImages(lambda p: pixels[list(p)], train, label[train], val, label[val], 3), label


@pytest.mark.slow
def test_a_layer_that_training_left_behind_is_averaged_with_a_refitted_one(
    pictures: tuple[TrainingImages, np.ndarray], tmp_path: Path
) -> None:
    """The logits that are returned are those of the network's new layer, but for images held out from it."""
    images, _ = pictures
    network = create_network(SMALL_NETWORK, n_classes=3, pretrained=False, image_size=32)
    preprocessing = Preprocessing.model_validate({"image_size": 32, "channels": 3})
    task = TrainingTask(
        images, lambda places: [f"{i}" for i in places], preprocessing, Recipe(tta=1), RunContext(tmp_path)
    )
    backbone = network.as_backbone()
    trained = LinearHead(network.head.weight.detach().numpy(), network.head.bias.detach().numpy(), None)
    never = np.full(N_VAL, -1)
    val_logits, refitted, average = refit_head(backbone, trained, task, never)
    assert refitted.share > 0  # the layer is random
    guessing = np.zeros_like(val_logits)
    assert calibrated_log_loss(val_logits, images.val_label) < calibrated_log_loss(guessing, images.val_label) - 0.1
    assert not np.allclose(average.weight, trained.weight)

    head = RefittedHead(shrinkage=1.0, share=0.0, temperature=2.0, trained_temperature=1.0)
    np.testing.assert_array_equal(refit_head_as_folds_chose(backbone, average, task, head).weight, average.weight)


@pytest.mark.slow
def test_variation_is_the_covariance_of_what_the_network_sees_in_copies(
    pictures: tuple[TrainingImages, np.ndarray], tmp_path: Path
) -> None:
    """Of the half turn and both mirror images, half; and of the image and its copies with other light."""
    images, _ = pictures
    network = create_network(SMALL_NETWORK, n_classes=3, pretrained=False, image_size=32)
    preprocessing = Preprocessing.model_validate({"image_size": 32, "channels": 3})

    def variation(**augment: object) -> Variation | None:
        amounts = {"brightness": 0, "contrast": 0, "zoom": 0, "rotate_degrees": 0, "flip": False, **augment}
        recipe = Recipe.model_validate({"augment": amounts, "tta": 1})
        digest_of = lambda places: [f"{i:03}" for i in places]  # noqa: E731
        task = TrainingTask(images, digest_of, preprocessing, recipe, RunContext(tmp_path))
        return AugmentedCopies(network.as_backbone(), task).variation(ignore)

    assert variation() is None

    pixels = as_tensor(images.pixels_of(images.train.tolist()))
    with torch.inference_mode():
        turned = [network.eval().features(pixels.flip(axes)) for axes in ((), (2, 3), (3,), (2,))]
    features = torch.stack(turned).double().numpy()
    deviations = (features - features.mean(axis=0)).reshape(-1, features.shape[2]) / np.sqrt(len(images.train) * 3)
    mirrored = variation(flip=True)
    assert mirrored is not None
    rows = mirrored.rows
    np.testing.assert_allclose(rows.T @ rows, 0.5 * deviations.T @ deviations, rtol=1e-2, atol=1e-6)
    of_one = rows[mirrored.image == 7]  # the covariance within an image, as a part of that of all
    deviations = features[:, 7] - features[:, 7].mean(axis=0)
    expected_covariance = 0.5 * deviations.T @ deviations / (len(images.train) * 3)
    np.testing.assert_allclose(of_one.T @ of_one, expected_covariance, rtol=1e-2, atol=1e-6)

    lighter, both = variation(brightness=0.3), variation(brightness=0.3, flip=True)
    assert lighter is not None
    assert both is not None
    expected = lighter.rows.T @ lighter.rows + rows.T @ rows
    np.testing.assert_allclose(both.rows.T @ both.rows, expected, rtol=1e-2, atol=1e-6)


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize("augment", ["default", "none"])
def test_an_instant_classifier_learns_from_copies_where_augmentation_allows_them(tmp_path: Path, augment: str) -> None:
    """Progress counts both: it ends where it said from the start that it would."""
    events: list[Progressed] = []
    recipe = INSTANT.model_copy(update={"augment": augment_named(augment)})

    def note(event: Event) -> None:
        if isinstance(event, Progressed) and event.stage == COMPUTING_FEATURES and event.fold is None:
            events.append(event)

    cells = write_cells(tmp_path / "cells", seed=4711 if augment == "none" else 4712)  # unknown to the cache
    run = cs.train(cs.open_dataset(cells), recipe, out=tmp_path / "run", emit=note)
    assert run.training is not None
    assert run.training.instant is not None
    n_train = sum(row.split == "train" for row in run.split)
    assert run.training.instant.images_copied == (n_train if augment == "default" else 0)
    n_val = sum(row.split == "val" for row in run.split)
    n = n_train + n_val + (12 * n_train if augment == "default" else 0)
    assert run.training.instant.shrinkage is not None
    of_both = [event for event in events if event.total == n]
    assert [event.done for event in of_both] == sorted(event.done for event in of_both)
    assert of_both[-1].done == n


@pytest.mark.slow
@pytest.mark.parametrize("is_refitted", [True, False])
def test_a_run_says_whether_its_last_layer_was_refitted(cells: Path, tmp_path: Path, is_refitted: bool) -> None:
    changes = {"stage": "finetune", "epochs": 1, "stage_selection": "finetune", "refit_head": is_refitted}
    run = train_without_report(cs.open_dataset(cells), INSTANT.model_copy(update=changes), out=tmp_path / "run")
    assert run.training is not None
    assert run.training.finetune is not None
    assert (run.training.finetune.refitted is not None) == is_refitted


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize("most", [None, 8])
def test_the_classifier_counts_what_its_last_layer_was_fitted_on(cells: Path, tmp_path: Path, most: int | None) -> None:
    """With at most so many images of a class to learn from, validation images only choose."""
    plan = INSTANT.split.model_copy(update={"train_per_class": most})
    run = cs.train(cs.open_dataset(cells), INSTANT.model_copy(update={"split": plan}), out=tmp_path / "run")
    splits = [row.split for row in run.split]
    assert run.training is not None
    assert run.training.instant is not None
    n_learnt = splits.count("train") + (0 if most else splits.count("val"))
    assert run.training.instant.fitted_on == ("training images" if most else "training and validation images")
    assert run.card is not None
    assert run.card.of_tested().trained_on.n_images == n_learnt


@pytest.mark.slow
def test_an_earlier_run_that_knows_the_validation_images_offers_no_head(cells: Path, tmp_path: Path) -> None:
    data = cs.open_dataset(cells)
    first = train_without_report(data, INSTANT, out=tmp_path / "first")
    recipe = INSTANT.model_copy(update={"init": FromRun(run=str(first.folder))})
    second_run = train_without_report(data, recipe, out=tmp_path / "again")  # the same seed, and so the same split
    assert second_run.training is not None
    assert second_run.training.instant is not None
    assert second_run.training.instant.head == "fitted"


def test_shrinkage_by_folds_is_chosen_where_the_primary_metric_is_undefined(tmp_path: Path) -> None:
    """The images of one class are never held out, so that AUROC is undefined."""
    rng = np.random.default_rng(0)
    label = np.repeat([0, 1], [12, 2])
    features = rng.normal(size=(14, 5)).astype(np.float32) + label[:, None]
    fold_index = np.where(label == 0, np.arange(14) % 3, -1)
    recipe = Recipe(primary_metric="macro_auroc")
    fitter = HeadFitter(2, recipe, RunContext(tmp_path))
    head, logits = fitter.fit_by_folds(Rows(features), label, fold_index, 1.0, compares=True)
    assert head.shrinkage == SHRINKAGES[-1]
    assert np.isfinite(logits).all(axis=1).tolist() == (fold_index >= 0).tolist()
