"""The loop on a tiny network and easy pictures: it learns, stops, goes on, and does so exactly again."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from coverslip.errors import BadRun
from coverslip.events import EpochEnded, Event, Noted, StepEnded, ValidationImagesChosen
from coverslip.losses.functions import ImageLoss
from coverslip.runs.folder import RunContext
from coverslip.runs.recipe import Augment, Recipe, Regularizer, augment_named
from coverslip.runs.training import Epoch, read_history, write_history
from coverslip.stopping import Stop
from coverslip.training.batches import training_batches
from coverslip.training.finetuning import (
    Finetuned,
    StepResults,
    finetune,
    load_checkpoint,
    plain_state,
    save_checkpoint,
)
from coverslip.training.pacing import (
    learning_rate_factor,
    max_gradient_norm,
    new_optimizer,
)
from coverslip.training.step import Precision, Stepper, accumulate_gradients, begin_batch_statistics, standardized_head
from coverslip.training.task import ChosenImages, TrainingImages

GENTLE = Augment(rotate_degrees=0, zoom=0, shift=0, brightness=0, contrast=0)


class Small(nn.Module):
    """What a `Network` is to the loop: features, and a head on them."""

    def __init__(self, backbone: nn.Module, n_features: int) -> None:
        super().__init__()
        self.backbone, self.head = backbone, nn.Linear(n_features, 2)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        return self.backbone(x)  # type: ignore[no-any-return]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(x))  # type: ignore[no-any-return]


def tiny() -> Small:
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(6, momentum=0.5)
    return Small(
        nn.Sequential(nn.Conv2d(1, 6, 3, padding=1), norm, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()), 6
    )


@pytest.fixture
def images() -> TrainingImages:
    """Bright or dark noise: 48 to train on, 16 to validate on."""
    rng = np.random.default_rng(0)
    label = np.arange(64) % 2
    pixels = (rng.normal(90, 20, (64, 12, 12, 1)) + 60 * label[:, None, None, None]).clip(0, 255).astype(np.uint8)
    return TrainingImages(lambda p: pixels[list(p)], np.arange(48), label[:48], np.arange(48, 64), label[48:], 2)


def recipe(**changed: object) -> Recipe:
    return Recipe(
        **{"init": "scratch", "epochs": 4, "batch_size": 8, "learning_rate": 0.02, "augment": GENTLE, **changed}
    )  # type: ignore[arg-type]


class StopAfter(Stop):
    """Asks for an end once it has been asked so often."""

    def __init__(self, n: float) -> None:
        self._left = [n]

    def is_requested(self) -> bool:
        self._left[0] -= 1
        return self._left[0] < 0


def trained(
    images: TrainingImages,
    folder: Path,
    choices: Recipe,
    *,
    emit: Callable[[Event], None] = lambda _: None,
    stop_after: float = float("inf"),
    precision: Precision | None = None,
) -> tuple[nn.Module, Finetuned]:
    network, context = tiny(), RunContext(folder, emit=emit, stop=StopAfter(stop_after))
    done = finetune(network, images, choices, context, precision=precision)
    return network, done


def equal(network: nn.Module, other: nn.Module) -> bool:
    first, second = plain_state(network), plain_state(other)
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "amsgrad", "sgd", "adam-then-sgd"])
@pytest.mark.parametrize("schedule", ["cosine", "constant"])
def test_it_learns_with_every_optimizer_and_schedule(
    images: TrainingImages, tmp_path: Path, optimizer: str, schedule: str
) -> None:
    epochs: list[EpochEnded] = []
    emit = lambda event: epochs.append(event) if isinstance(event, EpochEnded) and event.epoch else None  # noqa: E731
    _, done = trained(images, tmp_path, recipe(optimizer=optimizer, schedule=schedule), emit=emit)
    assert epochs[-1].val_accuracy > 0.9
    assert epochs[-1].train_loss < epochs[0].train_loss
    assert done.epochs_run == 4
    assert done.selected_epoch == max(e.epoch for e in epochs if e.is_best)


@pytest.mark.slow
@pytest.mark.parametrize("stop_after", [0, 3, 6, 13, 20])  # before the first step, within and between epochs
@pytest.mark.parametrize(
    "optimizer",
    ["adamw", *(pytest.param(o, marks=pytest.mark.exhaustive) for o in ("amsgrad", "sgd")), "adam-then-sgd"],
)
def test_stopped_anywhere_and_resumed_it_ends_with_the_same_weights(
    images: TrainingImages, tmp_path: Path, stop_after: int, optimizer: str
) -> None:
    choices = recipe(optimizer=optimizer, augment=Augment(), schedule="constant")
    whole, expected = trained(images, tmp_path / "whole", choices)
    _, stopped = trained(images, tmp_path / "cut", choices, stop_after=stop_after)
    assert stopped.stopped_because == "on request"
    resumed, done = trained(images, tmp_path / "cut", choices)
    assert equal(resumed, whole)
    assert (done.selected_epoch, done.epochs_run) == (expected.selected_epoch, expected.epochs_run)


@pytest.mark.slow
def test_adam_then_sgd_is_adam_first_and_then_takes_steps_of_its_own_size(
    images: TrainingImages, tmp_path: Path
) -> None:
    def epochs_of(name: str, **changes: object) -> list[EpochEnded]:
        epochs: list[EpochEnded] = []
        emit = lambda event: epochs.append(event) if isinstance(event, EpochEnded) and event.epoch else None  # noqa: E731
        trained(images, tmp_path / name, recipe(schedule="constant", warmup=0.0, **changes), emit=emit)
        return epochs

    adam = [e.train_loss for e in epochs_of("adam", optimizer="adam")]
    both = epochs_of("both", optimizer="adam-then-sgd")
    assert [e.learning_rate for e in both] == [0.02, 0.02, 0.01, 0.01]
    # The first epoch of the second phase begins with the same network: only its steps differ.
    for epochs, n_alike in ((both, 2), (epochs_of("late", optimizer="adam-then-sgd", sgd_from=0.75), 3)):
        losses = [e.train_loss for e in epochs]
        assert losses[:n_alike] == adam[:n_alike]
        assert losses[n_alike] != adam[n_alike]


@pytest.mark.parametrize(
    ("setting", "stopped_because"),
    [({"patience": 2}, "no better epoch"), ({"schedule_changes": {0.5: 4.0}, "patience": None}, "all epochs done")],
    ids=["patience", "as a time budget left"],
)
def test_an_end_before_the_second_optimizer_is_noted(
    images: TrainingImages, tmp_path: Path, setting: dict[str, object], stopped_because: str
) -> None:
    events: list[Event] = []
    choices = recipe(optimizer="adam-then-sgd", epochs=40, learning_rate=1e-12, **setting)
    _, done = trained(images, tmp_path, choices, emit=events.append)
    assert done.stopped_because == stopped_because
    assert not choices.is_second_phase(done.epochs_run)
    notes = [event for event in events if isinstance(event, Noted) and event.code == "no-second-phase"]
    assert [note.level for note in notes] == ["warning"]


class Steep(nn.Module):
    """Features hundreds of times as large as usual, such as those of a network's early blocks can be."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 300 * x


@pytest.mark.parametrize("is_nesterov", [True, False])
def test_the_momentum_of_sgd_is_that_of_nesterov_unless_the_recipe_has_plain_momentum(is_nesterov: bool) -> None:
    optimizer = new_optimizer(tiny(), Recipe(optimizer="sgd", nesterov=is_nesterov), epoch=1)
    assert {(group["momentum"], group["nesterov"]) for group in optimizer.param_groups} == {(0.9, is_nesterov)}


def test_sgd_has_an_epoch_even_where_its_share_is_small() -> None:
    choices = recipe(optimizer="adam-then-sgd", epochs=3, sgd_from=0.9)
    assert [choices.is_second_phase(epoch) for epoch in (1, 2, 3)] == [False, False, True]
    assert not choices.model_copy(update={"epochs": 1}).is_second_phase(1)


@pytest.mark.parametrize("optimizer", ["sgd", "adam-then-sgd"])
def test_sgd_does_not_run_away_where_the_loss_is_steep(images: TrainingImages, tmp_path: Path, optimizer: str) -> None:
    epochs: list[EpochEnded] = []
    torch.manual_seed(0)
    network = Small(nn.Sequential(nn.AdaptiveAvgPool2d(3), nn.Flatten(), Steep()), 9)
    finetune(
        network,
        images,
        recipe(optimizer=optimizer, learning_rate=0.01, epochs=6, schedule="constant"),
        RunContext(
            tmp_path, emit=lambda event: epochs.append(event) if isinstance(event, EpochEnded) and event.epoch else None
        ),
    )
    assert epochs[-1].train_loss < 5  # without a bound on the steps it runs away


@pytest.mark.slow
def test_clip_gradient_bounds_the_steps_of_every_optimizer(images: TrainingImages, tmp_path: Path) -> None:
    sgd, adam = tiny_optimizer(recipe(optimizer="sgd")), tiny_optimizer(recipe(optimizer="adam"))
    assert [max_gradient_norm(recipe(), optimizer) for optimizer in (sgd, adam)] == [1.0, None]
    for start, longest in (("instant", 1.0), ("random", None)):
        assert max_gradient_norm(recipe(init="imagenet", head_init=start), adam) == longest
    assert [max_gradient_norm(recipe(clip_gradient=None), optimizer) for optimizer in (sgd, adam)] == [None, None]
    assert [max_gradient_norm(recipe(clip_gradient=3), optimizer) for optimizer in (sgd, adam)] == [3, 3]

    automatic, _ = trained(images, tmp_path / "auto", recipe(optimizer="sgd"))
    by_hand, _ = trained(images, tmp_path / "one", recipe(optimizer="sgd", clip_gradient=1))
    assert equal(automatic, by_hand)
    # Adam divides a gradient by its usual length, and by 1e-8 at least: far shorter ones hardly move the weights.
    held, _ = trained(images, tmp_path / "held", recipe(optimizer="adam", clip_gradient=1e-13, weight_decay=0))
    for name, weight in tiny().named_parameters():
        assert torch.allclose(held.get_parameter(name), weight, atol=1e-4), name


def test_sgd_without_a_bound_runs_away_where_the_loss_is_steep(images: TrainingImages, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = Small(nn.Sequential(nn.AdaptiveAvgPool2d(3), nn.Flatten(), Steep()), 9)
    losses: list[float] = []
    choices = recipe(optimizer="sgd", learning_rate=0.01, epochs=2, schedule="constant", clip_gradient=None)
    keep = lambda event: losses.append(event.train_loss) if isinstance(event, EpochEnded) and event.epoch else None  # noqa: E731
    finetune(network, images, choices, RunContext(tmp_path, emit=keep))
    assert max(losses) > 5


def tiny_optimizer(choices: Recipe) -> torch.optim.Optimizer:
    return new_optimizer(tiny(), choices, epoch=1)


def without_norms() -> Small:
    torch.manual_seed(0)
    return Small(nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()), 8)


@pytest.mark.slow
@pytest.mark.parametrize("groups", ["labels", "kmeans"])
def test_the_regularizer_draws_classes_apart_and_resumes_after_a_stop(
    images: TrainingImages, tmp_path: Path, groups: str
) -> None:
    def fitted(folder: str, stop_after: float = float("inf"), **changes: object) -> nn.Module:
        network = without_norms()
        finetune(network, images, recipe(**changes), RunContext(tmp_path / folder, stop=StopAfter(stop_after)))
        return network

    def separation(network: nn.Module) -> float:
        """Distance between the centers of the classes' features."""
        with torch.no_grad():
            x = torch.from_numpy(images.pixels_of(images.val.tolist())).permute(0, 3, 1, 2) / 255
            of = [network.features(x[images.val_label == k]) for k in (0, 1)]  # type: ignore[operator]
        return float((of[0].mean(0) - of[1].mean(0)).norm())

    apart = {"regularizer": {"groups": groups, "memory": 16}}
    whole = fitted("whole", **apart)
    assert separation(whole) > 1.2 * separation(fitted("plain"))
    fitted("cut", stop_after=9, **apart)
    assert equal(fitted("cut", **apart), whole)


@pytest.mark.slow
def test_two_runs_are_equal_and_another_seed_is_not(images: TrainingImages, tmp_path: Path) -> None:
    first, _ = trained(images, tmp_path / "1", recipe())
    two, _ = trained(images, tmp_path / "2", recipe())
    other, _ = trained(images, tmp_path / "3", recipe(seed=1))
    assert equal(first, two)
    assert not equal(first, other)


def test_epoch_0_is_the_network_that_training_starts_from(images: TrainingImages, tmp_path: Path) -> None:
    events: list[Event] = []
    network = tiny().eval()
    with torch.inference_mode():
        x = torch.from_numpy(images.pixels_of(images.val.tolist())).permute(0, 3, 1, 2) / 255
        loss = nn.functional.cross_entropy(network(x), torch.from_numpy(images.val_label))
    finetune(network, images, recipe(), RunContext(tmp_path, emit=events.append))
    start, *epochs = [event for event in events if isinstance(event, EpochEnded)]
    assert events[0] is start
    assert [epoch.epoch for epoch in epochs] == [1, 2, 3, 4]
    assert (start.epoch, start.is_best, start.learning_rate, start.seconds_left) == (0, False, 0.0, None)
    assert start.val_loss == pytest.approx(float(loss), rel=1e-4)
    assert {start.train_loss, start.train_accuracy, start.train_f1} == {None}
    events.clear()
    finetune(network, images, recipe(epochs=5), RunContext(tmp_path, emit=events.append))  # goes on
    assert [event.epoch for event in events if isinstance(event, EpochEnded)] == [5]


def test_epochs_have_the_predictions_of_the_watched_images(images: TrainingImages, tmp_path: Path) -> None:
    places, events = np.array([3, 1, 9]), list[Event]()
    watched_event = ValidationImagesChosen(image_ids=("a", "b", "c"), labels=(0, 0, 1), classes=("x", "y"))
    watched = replace(images, chosen=ChosenImages(places, watched_event))
    network, _ = trained(watched, tmp_path, recipe(epochs=1, patience=None), emit=events.append)
    epochs = [event for event in events if isinstance(event, EpochEnded)]
    assert [len(epoch.chosen_predicted) for epoch in epochs] == [3, 3]
    network.eval()
    with torch.inference_mode():
        x = torch.from_numpy(images.pixels_of(images.val[places].tolist())).permute(0, 3, 1, 2) / 255
        assert epochs[-1].chosen_predicted == tuple(network(x).argmax(1).tolist())


def test_nothing_is_said_of_the_start_where_no_images_are_kept_to_look_at_it(
    images: TrainingImages, tmp_path: Path
) -> None:
    events: list[Event] = []
    none = np.array([], dtype=int)
    trained(replace(images, val=none, val_label=none), tmp_path, recipe(epochs=1), emit=events.append)
    assert [event.epoch for event in events if isinstance(event, EpochEnded)] == [1]


def test_a_rate_that_falls_to_zero_comes_to_its_end_where_the_last_epoch_is_kept(
    images: TrainingImages, tmp_path: Path
) -> None:
    """Stopped while it is high, the network that is kept would be the worst of all."""
    still = {"patience": 1, "epochs": 4, "learning_rate": 1e-30, "batch_norm": "keep"}
    for selection, schedule, epochs_run in (("last", "cosine", 4), ("best", "cosine", 2), ("last", "constant", 2)):
        choices = recipe(checkpoint_selection=selection, schedule=schedule, **still)
        done = trained(images, tmp_path / f"{selection}-{schedule}", choices)[1]
        assert done.epochs_run == epochs_run, (selection, schedule)


@pytest.mark.slow
def test_it_stops_early_and_gives_back_the_best_epoch(images: TrainingImages, tmp_path: Path) -> None:
    epochs: list[EpochEnded] = []
    emit = lambda event: epochs.append(event) if isinstance(event, EpochEnded) and event.epoch else None  # noqa: E731
    choices = recipe(epochs=40, patience=3, learning_rate=0.05)
    network, done = trained(images, tmp_path, choices, emit=emit)
    assert done.stopped_because == "no better epoch"
    assert done.epochs_run == done.selected_epoch + 3 < 40
    best = max(epochs, key=lambda e: (e.val_f1, -e.val_loss))
    assert done.selected_epoch == best.epoch
    with torch.inference_mode():
        x = torch.from_numpy(images.pixels_of(images.val.tolist())).permute(0, 3, 1, 2) / 255
        loss = nn.functional.cross_entropy(network.eval()(x), torch.from_numpy(images.val_label))
    assert float(loss) == pytest.approx(best.val_loss, rel=1e-4)


def test_frozen_parameters_stay(images: TrainingImages, tmp_path: Path) -> None:
    network = tiny()
    first = network.backbone.get_submodule("0")
    assert isinstance(first, nn.Conv2d)
    first.requires_grad_(False)
    before = first.weight.clone()
    finetune(
        network,
        images,
        recipe(),
        RunContext(tmp_path),
    )
    assert torch.equal(first.weight, before)


def with_a_rare_class() -> tuple[TrainingImages, np.ndarray]:
    """72 images to train on of one class, 8 of another that hardly differs; and all pixels."""
    rng = np.random.default_rng(1)
    label = (np.arange(120) % 10 == 0).astype(int)
    pixels = (rng.normal(100, 30, (120, 12, 12, 1)) + 5 * label[:, None, None, None]).clip(0, 255).astype(np.uint8)
    rare = TrainingImages(lambda p: pixels[list(p)], np.arange(80), label[:80], np.arange(80, 120), label[80:], 2)
    return rare, pixels


@pytest.mark.slow
def test_class_weights_raise_the_recall_of_a_rare_class(tmp_path: Path) -> None:
    rare, pixels = with_a_rare_class()

    def predicted_rare(class_weights: str, sampling: str, epochs: int = 3) -> float:
        choices = recipe(class_weights=class_weights, sampling=sampling, epochs=epochs, primary_metric="log_loss")
        network, _ = trained(rare, tmp_path / f"{class_weights}-{sampling}", choices)
        with torch.inference_mode():
            x = torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255
            return float(network.eval()(x).softmax(1)[:, 1].mean())

    plain = predicted_rare("none", "all")
    assert predicted_rare("balanced", "all") > plain + 0.1
    assert predicted_rare("none", "oversample") > plain + 0.1
    even = predicted_rare("none", "even")
    assert even > plain + 0.1
    assert predicted_rare("balanced", "even") == even  # sampling left nothing to weigh
    assert predicted_rare("none", "undersample", epochs=15) > plain + 0.1  # as many steps: 2 an epoch instead of 10


@pytest.mark.parametrize(("sampling", "n_steps"), [("all", 10), ("oversample", 18), ("undersample", 2), ("even", 10)])
def test_the_learning_rate_falls_to_zero_over_the_steps_made(tmp_path: Path, sampling: str, n_steps: int) -> None:
    events: list[Event] = []
    trained(with_a_rare_class()[0], tmp_path, recipe(sampling=sampling, epochs=2, warmup=0), emit=events.append)
    epochs = [event for event in events if isinstance(event, EpochEnded) and event.epoch]
    assert {event.n_steps for event in events if isinstance(event, StepEnded)} == {n_steps}
    assert [event.learning_rate for event in epochs] == pytest.approx([0.01, 0], abs=1e-9)


def test_steps_report_their_pace(images: TrainingImages, tmp_path: Path) -> None:
    steps: list[StepEnded] = []
    trained(images, tmp_path, recipe(), emit=lambda e: steps.append(e) if isinstance(e, StepEnded) else None)
    last = [step for step in steps if step.step == step.n_steps]
    assert [step.epoch for step in last] == [1, 2, 3, 4]
    assert all(step.images_per_second > 0 for step in last)


def test_the_step_size_rises_then_falls_to_zero() -> None:
    choices = Recipe(learning_rate=0.1, warmup=0.1)
    rates = [choices.learning_rate * learning_rate_factor(choices, step / 100) for step in range(1, 101)]
    assert rates[0] == pytest.approx(0.01)
    assert rates[9] == pytest.approx(0.1)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] == pytest.approx(0, abs=1e-9)


def test_a_damaged_checkpoint_is_one_clear_error(images: TrainingImages, tmp_path: Path) -> None:
    trained(images, tmp_path, recipe(epochs=1))
    file = tmp_path / "checkpoints" / "last.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(BadRun) as refused:
        trained(images, tmp_path, recipe())
    assert refused.value.code == "checkpoint-not-usable"


def test_checkpoints_hold_optimizer_and_progress_without_pickle(tmp_path: Path) -> None:
    network = tiny()
    optimizer = torch.optim.AdamW(network.parameters())
    network(torch.rand(4, 1, 12, 12)).sum().backward()
    optimizer.step()
    save_checkpoint(tmp_path / "a.safetensors", network, optimizer, {"epoch": 3})
    other = tiny()
    fresh = torch.optim.AdamW(other.parameters())
    assert load_checkpoint(tmp_path / "a.safetensors", other, fresh) == {"epoch": 3}
    assert equal(network, other)
    for key, state in optimizer.state_dict()["state"].items():
        assert all(torch.equal(value, fresh.state_dict()["state"][key][name]) for name, value in state.items())
    header = (tmp_path / "a.safetensors").read_bytes()
    assert (
        json.loads(header[8 : 8 + int.from_bytes(header[:8], "little")])["__metadata__"]["progress"] == '{"epoch": 3}'
    )


def test_a_run_that_diverges_ends_in_order(images: TrainingImages, tmp_path: Path) -> None:
    network = tiny()
    with torch.no_grad():
        network.head.weight[0] = float("nan")
    done = finetune(
        network,
        images,
        recipe(),
        RunContext(tmp_path),
    )
    assert done.stopped_because == "diverged"
    assert done.selected_epoch == 0


def test_the_loss_of_training_and_validation_is_that_of_the_recipe(images: TrainingImages, tmp_path: Path) -> None:
    events: list[Event] = []
    choices = recipe(loss="focal", loss_options={"gamma": 3.0}, epochs=2, class_weights="balanced")
    network, done = trained(images, tmp_path, choices, emit=events.append)
    best = next(event for event in events if isinstance(event, EpochEnded) and event.epoch == done.selected_epoch)
    with torch.inference_mode():
        x = torch.from_numpy(images.pixels_of(images.val.tolist())).permute(0, 3, 1, 2) / 255
        logits, label = network.eval()(x), torch.from_numpy(images.val_label)
    plain = ImageLoss("focal", {"gamma": 3.0})(logits, label) / len(label)
    assert best.val_loss == pytest.approx(float(plain), rel=1e-4)
    entropy, _ = trained(images, tmp_path / "entropy", recipe(epochs=2, class_weights="balanced"))
    assert not equal(network, entropy)


def test_where_the_primary_metric_is_undefined_the_loss_decides(images: TrainingImages, tmp_path: Path) -> None:
    one_class = TrainingImages(
        images.pixels_of, images.train, images.train_label, images.val[::2], images.val_label[::2], 2
    )
    epochs: list[EpochEnded] = []
    emit = lambda event: epochs.append(event) if isinstance(event, EpochEnded) and event.epoch else None  # noqa: E731
    _, done = trained(one_class, tmp_path, recipe(primary_metric="macro_auroc"), emit=emit)
    assert done.selected_epoch == min(epochs, key=lambda e: e.val_loss).epoch


@pytest.mark.parametrize("weight", [None, torch.tensor([0.3, 2.0])])
def test_parts_of_a_batch_give_the_gradient_of_the_whole(images: TrainingImages, weight: torch.Tensor | None) -> None:
    x = torch.from_numpy(images.pixels_of(list(range(20)))).permute(0, 3, 1, 2) / 255
    label = torch.from_numpy(images.train_label[:20])
    expected_loss = nn.CrossEntropyLoss(weight=weight)
    summed = ImageLoss("cross_entropy", weight=weight)
    gradients = {}
    for at_once in (20, 7, 1):
        network = tiny().eval()
        result = accumulate_gradients(network, summed, x, label, at_once)
        assert float(result.loss) == pytest.approx(float(expected_loss(network(x), label)), rel=1e-5)
        torch.testing.assert_close(result.logits, network(x).detach(), rtol=1e-4, atol=1e-5)
        gradients[at_once] = [p.grad for p in network.parameters()]
    for at_once in (7, 1):
        for whole, parts in zip(gradients[20], gradients[at_once], strict=True):
            torch.testing.assert_close(parts, whole, rtol=1e-3, atol=1e-6)


def test_a_small_set_is_drawn_as_often_as_a_large_one(images: TrainingImages, tmp_path: Path) -> None:
    events: list[Event] = []
    of_two = replace(images, train_domain=(np.arange(48) >= 40).astype(int))
    trained(of_two, tmp_path, recipe(sampling="domains", epochs=1, batch_size=8), emit=events.append)
    assert {event.n_steps for event in events if isinstance(event, StepEnded)} == {(40 + 40) // 8}


def test_training_and_validation_loss_are_one_quantity_and_a_penalty_is_another(
    images: TrainingImages, tmp_path: Path
) -> None:
    seen = replace(images, val=images.train, val_label=images.train_label)
    choices = recipe(
        epochs=1,
        optimizer="sgd",
        learning_rate=1e-12,
        augment=augment_named("none"),
        class_weights="balanced",
        regularizer=Regularizer(groups="labels", spread_weight=2.0),
    )
    events: list[EpochEnded] = []
    emit = lambda event: events.append(event) if isinstance(event, EpochEnded) and event.epoch else None  # noqa: E731
    network = without_norms()
    finetune(network, seen, choices, RunContext(tmp_path, emit=emit))
    (epoch,) = events
    assert epoch.train_loss == pytest.approx(epoch.val_loss, rel=1e-4)
    network.eval()
    x = torch.from_numpy(seen.pixels_of(seen.train.tolist())).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        expected = nn.functional.cross_entropy(network(x), torch.from_numpy(seen.train_label))
    assert epoch.train_loss == pytest.approx(float(expected), rel=1e-4)
    assert epoch.train_penalty is not None
    assert epoch.train_penalty > 0
    write_history(tmp_path / "history.csv", [Epoch.of(epoch)])
    assert read_history(tmp_path / "history.csv") == (Epoch.of(epoch),)
    write_history(tmp_path / "plain.csv", [Epoch.of(replace(epoch, train_penalty=None))])
    assert "train_penalty" not in (tmp_path / "plain.csv").read_text(encoding="utf-8")


def test_a_step_reads_nothing_back_from_the_device(images: TrainingImages) -> None:
    choices = recipe()
    network, loss_of = tiny().to("meta"), ImageLoss("cross_entropy")
    optimizer = torch.optim.AdamW(network.parameters())
    precision = Precision("meta")
    stepper = Stepper(network, optimizer, 8, is_divisible=True, precision=precision, emit=lambda event: None)
    order = {"batch_size": 8, "augment": Augment(), "seed": 0, "epoch": 1}
    seen = StepResults()
    # `meta` has no numbers to give: whoever asks for one gets an error.
    for x, label in training_batches(images.pixels_of, images.train, images.train_label, device="meta", **order):
        seen.add(stepper.step(loss_of, x, label, max_gradient_norm=1.0), label)
    with pytest.raises(RuntimeError, match="meta"):
        seen.scores(choices)


def test_a_standardized_head_gives_the_same_logits_before_and_after_training() -> None:
    network, x = without_norms(), 50 + torch.rand(40, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    linear, before = network.head, network(x).detach()
    with standardized_head(network, x.split(16)):  # type: ignore[arg-type]  # all of a Network that it asks for
        torch.testing.assert_close(network(x), before)
        seen = (network.features(x) - network.head.mean) / network.head.sd
        torch.testing.assert_close(seen.mean(0), torch.zeros(8), atol=1e-3, rtol=0)
        is_alive = network.features(x).std(0) > 1e-3
        assert is_alive.sum() > 3
        torch.testing.assert_close(
            seen.std(0, unbiased=False)[is_alive], torch.ones(int(is_alive.sum())), atol=1e-3, rtol=0
        )
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(0.01)
        trained_logits = network(x).detach()
    assert network.head is linear
    torch.testing.assert_close(network(x), trained_logits, atol=1e-3, rtol=1e-3)
    assert not torch.allclose(trained_logits, before, atol=1e-2)


def test_batch_norms_that_will_follow_batches_begin_with_the_statistics_of_training_images(
    images: TrainingImages,
) -> None:
    def begun(choices: Recipe, *, is_frozen: bool = False) -> tuple[nn.BatchNorm2d, torch.Tensor]:
        """The batch norm of a network from elsewhere, and (6,) standard deviations of what it gives here."""
        network = tiny()
        norm = network.backbone[1]  # type: ignore[index]
        norm.running_mean += 5
        norm.running_var *= 1e-4
        norm.requires_grad_(not is_frozen)
        begin_batch_statistics(network, choices, images.pixels_of, images.train)
        x = torch.from_numpy(images.pixels_of(images.train.tolist())).permute(0, 3, 1, 2) / 255
        with torch.no_grad():
            features = network.eval().backbone[:2](x)  # type: ignore[index]
        return norm, features.std(dim=(0, 2, 3))

    norm, sd = begun(recipe(init="imagenet", batch_norm="learn"))
    assert (norm.momentum, norm.training) == (0.5, False)
    torch.testing.assert_close(sd, torch.ones(6), atol=0.2, rtol=0)
    for choices in (recipe(init="imagenet"), recipe(batch_norm="learn")):
        assert begun(choices)[1].min() > 3  # those that it came with
    assert begun(recipe(init="imagenet", batch_norm="learn"), is_frozen=True)[1].min() > 3


@pytest.mark.parametrize(
    ("choice", "schedule", "is_last"),
    [("auto", "cosine", True), ("auto", "constant", False), ("best", "cosine", False), ("last", "constant", True)],
)
def test_the_last_epoch_is_kept_where_training_begins_gently(
    images: TrainingImages, tmp_path: Path, choice: str, schedule: str, is_last: bool
) -> None:
    gentle = recipe(init="imagenet", checkpoint_selection=choice, schedule=schedule, learning_rate=0.5, warmup=0)
    assert gentle.keeps_last_epoch == is_last
    epochs: list[EpochEnded] = []
    context = RunContext(tmp_path, emit=lambda e: epochs.append(e) if isinstance(e, EpochEnded) else None)
    done = finetune(without_norms(), images, gentle, context)  # type: ignore[arg-type]  # all of a Network that it asks for
    best = max(epochs[1:], key=lambda e: (e.val_f1, -e.val_loss)).epoch  # type: ignore[operator]  # there are some
    assert max(e.epoch for e in epochs if e.is_best) == best
    assert (done.selected_epoch, done.selection) == ((done.epochs_run, "last") if is_last else (best, "best"))


def equal_states(first: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return first.keys() == other.keys() and all(torch.equal(tensor, other[name]) for name, tensor in first.items())
