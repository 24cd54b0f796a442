"""Training that is initialized with an earlier run, or by pretraining on other images."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from drawing import write_cells
from refusing import refusing
from safetensors.numpy import load_file
from trained import INSTANT, SMALL_NETWORK

import coverslip as cs
from coverslip.errors import BadClassifier, BadDataset, BadRecipe, BadRun, LeakageFound, WeightsUnavailable
from coverslip.events import EpochEnded, Event, Noted
from coverslip.messages import Set, text
from coverslip.models.networks import create_network
from coverslip.pipeline import train_without_report
from coverslip.runs.folder import Run
from coverslip.runs.recipe import FromRun, Pretraining, Recipe, SplitPlan
from coverslip.runs.recipe_keys import check_recipe, load_recipe, pretraining_recipe, save_recipe, with_settings
from coverslip.training.instant import initial_classifier, whole_options

SMALL = Recipe(
    model=SMALL_NETWORK, init="scratch", image_size=32, tta=1, epochs=2, split=SplitPlan(folds=0), patience=None
)
ON_TOP = SMALL.model_copy(update={"stage": "instant"})


def write_discs(folder: Path, names: tuple[str, str], *, seed: int, n: int = 40, channels: int = 3) -> Path:
    """Small and large cells on one slide, other ones for every seed."""
    return write_cells(folder, n, classes=names, radii=(0.12, 0.28), n_slides=1, side=32, channels=channels, seed=seed)


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("earlier")
    images = write_discs(folder / "images", ("01", "02"), seed=1)
    return train_without_report(cs.open_dataset(images), SMALL, out=folder / "run")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_discs(tmp_path_factory.mktemp("new") / "images", ("1", "2"), seed=2)


@pytest.fixture(scope="module")
def on_top(earlier: Run, images: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The instant classifier on the features of `earlier`."""
    recipe = ON_TOP.model_copy(update=from_run(earlier))
    return train_without_report(cs.open_dataset(images), recipe, out=tmp_path_factory.mktemp("on top") / "run")


def weights_of(run: Run) -> dict[str, np.ndarray]:
    return load_file(run.classifier_folder / "weights.safetensors")


def notes_of(run: Run) -> list[str]:
    lines = (run.folder / "events.jsonl").read_text(encoding="utf-8").splitlines()
    return [event["code"] for event in map(json.loads, lines) if event.get("event") == "Noted"]


def from_run(run: Run, **more: object) -> dict[str, object]:
    return {"init": FromRun(run=str(run.folder), **more)}  # type: ignore[arg-type]


@pytest.mark.exhaustive
@pytest.mark.slow
def test_the_instant_stage_works_on_the_features_of_the_earlier_run(earlier: Run, on_top: Run) -> None:
    before, after = weights_of(earlier), weights_of(on_top)
    assert set(before) == set(after)
    for name in before:
        is_head = name.startswith("head.")
        assert np.array_equal(before[name], after[name]) != is_head, name


@pytest.mark.slow
@pytest.mark.exhaustive
def test_fine_tuning_starts_from_the_earlier_run_which_the_report_names(
    earlier: Run, images: Path, tmp_path: Path
) -> None:
    gentle = SMALL.model_copy(update={**from_run(earlier), "learning_rate": 1e-6})
    run = cs.train(cs.open_dataset(images), gentle, out=tmp_path / "run")
    near = np.abs(
        weights_of(run)["backbone.body.conv_stem.weight"] - weights_of(earlier)["backbone.body.conv_stem.weight"]
    )
    torch.manual_seed(SMALL.seed)
    random = (
        create_network(SMALL_NETWORK, n_classes=2, pretrained=False)
        .state_dict()["backbone.body.conv_stem.weight"]
        .numpy()
    )
    assert near.mean() < 0.5 * np.abs(random - weights_of(earlier)["backbone.body.conv_stem.weight"]).mean()
    report = (run.folder / "report.html").read_text(encoding="utf-8")
    assert "the earlier run “run”" in report
    assert "The training images of the initial classifier are not known." not in report
    assert load_recipe(run.folder / "recipe.yaml").init == FromRun(run=str(earlier.folder))


@pytest.mark.exhaustive
@pytest.mark.slow
def test_fine_tuning_begins_with_the_instant_classifier_or_a_random_head(
    earlier: Run, images: Path, tmp_path: Path
) -> None:
    runs = {}
    for head_init, stage_selection in (("instant", "better"), ("random", "finetune")):
        begun = {"head_init": head_init, "stage_selection": stage_selection, "epochs": 1}
        recipe = SMALL.model_copy(update={**from_run(earlier), **begun})
        runs[head_init] = cs.train(cs.open_dataset(images), recipe, out=tmp_path / head_init)
    probes, finetunings = zip(*((run.training.instant, run.training.finetune) for run in runs.values()), strict=True)
    assert probes[0].temperature == probes[1].temperature  # it is fitted in either case
    assert [stage.started_from for stage in finetunings] == ["instant classifier", "random head"]
    begun_instant, begun_random = (runs[name].history[0] for name in ("instant", "random"))
    assert begun_instant.val_loss < 0.3
    assert begun_random.val_loss > 0.5  # as one who guesses between two classes: 0.69
    report = (tmp_path / "random" / "report.html").read_text(encoding="utf-8")
    assert "a random last layer" in report
    assert probes[1].val_macro_f1 > begun_random.val_f1
    assert (runs["random"].training.chosen, "kept in any case" in report) == ("finetune", True)  # as the recipe says


@pytest.mark.slow
def test_a_head_for_the_same_classes_under_other_names_is_taken_over(earlier: Run, images: Path) -> None:
    start = FromRun(run=str(earlier.folder), labels={"01": "1", "02": "2"})
    head = initial_classifier(start, ["2", "1"]).head()
    assert head is not None
    temperature = json.loads((earlier.classifier_folder / "classifier.json").read_text())["temperature"]
    np.testing.assert_allclose(head.weight[::-1] * temperature, weights_of(earlier)["head.weight"], rtol=1e-6)
    # A renamed class or a new one: they cannot be distinguished.
    partly = FromRun(run=str(earlier.folder), labels={"01": "1"})
    assert initial_classifier(partly, ["1", "2"]).head() is None


@pytest.mark.exhaustive
@pytest.mark.slow
def test_the_head_is_kept_where_validation_images_prefer_it(trained: Run, tmp_path: Path) -> None:
    """Labels of the new training images are wrong more often than right, those of validation images are right."""
    images = write_cells(tmp_path / "images", 60, n_slides=1, seed=3)
    rows = ["path,label,split"]
    for i, file in enumerate(sorted(images.glob("*/*.png"), key=lambda file: file.name)):
        split = ("train", "train", "train", "val", "test")[i // 3 % 5]
        other = {"small": "medium", "medium": "large", "large": "small"}[file.parent.name]
        label = other if split == "train" and i // 3 % 3 else file.parent.name
        rows.append(f"{file.relative_to(images).as_posix()},{label},{split}")
    (images / "table.csv").write_text("\n".join(rows), encoding="utf-8")
    recipe = INSTANT.model_copy(update=from_run(trained))
    run = train_without_report(cs.open_dataset(images / "table.csv"), recipe, out=tmp_path / "run")
    stage = json.loads((run.folder / "training.json").read_text())["stages"][0]
    assert stage["head"] == "kept"
    temperature = json.loads((trained.classifier_folder / "classifier.json").read_text())["tested"]["temperature"]
    np.testing.assert_allclose(
        weights_of(run)["head.weight"] * temperature, weights_of(trained)["head.weight"], rtol=1e-5
    )


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize(("before", "after"), [(3, 1), pytest.param(1, 3, marks=pytest.mark.exhaustive)])
def test_gray_images_look_the_same_to_a_network_for_color_and_the_other_way_round(
    tmp_path: Path, before: int, after: int
) -> None:
    images = write_discs(tmp_path / "images", ("a", "b"), seed=4, n=20, channels=before)
    model = "timm/tf_mobilenetv3_small_minimal_100"  # whose normalization is the same for all channels
    recipe = SMALL.model_copy(update={"model": model, "epochs": 1})
    run = train_without_report(cs.open_dataset(images), recipe, out=tmp_path / "run")
    sizes = {"pretrained": False, "image_size": 32}
    old, new = (create_network(model, n_classes=2, channels=n, **sizes).eval() for n in (before, after))  # type: ignore[arg-type]
    for network in (old, new):
        initial = initial_classifier(FromRun(run=str(run.folder)), ["a", "b"])
        network.load_backbone(initial.backbone(network.architecture))
    gray = torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        actual, expected = (network.features(gray.expand(2, n, 32, 32)) for network, n in ((new, after), (old, before)))
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_images_that_the_earlier_run_was_trained_on_cannot_measure_the_new_one(earlier: Run, tmp_path: Path) -> None:
    same = cs.open_dataset(earlier.folder.parent / "images")
    recipe = ON_TOP.model_copy(update={**from_run(earlier), "seed": 1})
    inside = recipe.model_copy(update={"init": FromRun(run=str(earlier.classifier_folder))})
    for i, choices in enumerate((recipe, inside)):
        with pytest.raises(LeakageFound) as refused:
            cs.train(same, choices, out=tmp_path / f"refused{i}")
        assert refused.value.code == "images-of-pretraining-tested"
    run = cs.train(same, recipe, out=tmp_path / "allowed", allow_leakage=True)
    assert "leakage-of-pretraining" in notes_of(run)
    # With the same split the test images of both are the same: nothing is known that should not be.
    cs.train(same, recipe.model_copy(update={"seed": 0}), out=tmp_path / "same split")


@pytest.mark.exhaustive
@pytest.mark.slow
def test_images_are_recognized_when_other_channels_of_them_are_read(earlier: Run, images: Path, tmp_path: Path) -> None:
    red, green = ({**ON_TOP.model_dump(), "images": {"channels": [k]}, "init": "scratch"} for k in (0, 1))
    first = train_without_report(cs.open_dataset(images), Recipe.model_validate(red), out=tmp_path / "red")
    second = Recipe.model_validate({**green, "seed": 1, "init": FromRun(run=str(first.folder))})
    with pytest.raises(LeakageFound) as refused:
        cs.train(cs.open_dataset(images), second, out=tmp_path / "refused")
    assert refused.value.code == "images-of-pretraining-tested"
    same_split = train_without_report(
        cs.open_dataset(images), second.model_copy(update={"seed": 0}), out=tmp_path / "green"
    )
    in_color = ON_TOP.model_copy(update={**from_run(same_split), "seed": 1})
    with pytest.raises(LeakageFound):  # what the first of three read counts too
        cs.train(cs.open_dataset(images), in_color, out=tmp_path / "refused too")
    events: list[Event] = []
    cs.evaluate(same_split.folder, cs.open_dataset(images), emit=events.append)
    assert "seen-in-training" in [event.code for event in events if isinstance(event, Noted)]
    two = Pretraining(train_on=str(images), recipe={"init": "scratch", "images": {"channels": [0]}})
    with pytest.raises(LeakageFound):
        cs.train(cs.open_dataset(images), Recipe.model_validate({**green, "init": two}), out=tmp_path / "two")


@pytest.mark.slow
@pytest.mark.exhaustive
def test_what_a_run_knows_is_remembered_by_those_that_start_from_it(earlier: Run, on_top: Run, tmp_path: Path) -> None:
    with pytest.raises(LeakageFound):
        cs.train(
            cs.open_dataset(earlier.folder.parent / "images"),
            ON_TOP.model_copy(update={**from_run(on_top), "seed": 1}),
            out=tmp_path / "third",
        )


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_packed_classifier_can_be_the_initialization_but_does_not_list_its_images(
    earlier: Run, images: Path, tmp_path: Path
) -> None:
    packed = cs.export(earlier.folder, out=tmp_path / "earlier.coverslip")
    recipe = ON_TOP.model_copy(update={"init": FromRun(run=str(packed))})
    run = cs.train(cs.open_dataset(images), recipe, out=tmp_path / "run")
    assert "unknown-initialization" in notes_of(run)
    # What is not known is not claimed, here or by those that start from here.
    after = cs.train(
        cs.open_dataset(images), recipe.model_copy(update={**from_run(run), "seed": 0}), out=tmp_path / "after"
    )
    for either in (run, after):
        report = (either.folder / "report.html").read_text(encoding="utf-8")
        assert "The training images of the initial classifier are not known." in report
    assert "unknown-initialization" in notes_of(after)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_folds_start_from_the_earlier_run_each(earlier: Run, images: Path, tmp_path: Path) -> None:
    recipe = ON_TOP.model_copy(update={**from_run(earlier), "split": SplitPlan(folds=2)})
    run = train_without_report(cs.open_dataset(images), recipe, out=tmp_path / "run")
    stem = "backbone.body.conv_stem.weight"
    for trained in (run, *(Run(run.folder / "folds" / k) for k in "12")):
        np.testing.assert_array_equal(weights_of(trained)[stem], weights_of(earlier)[stem])
    with pytest.raises(LeakageFound):
        cs.train(cs.open_dataset(earlier.folder.parent / "images"), recipe, out=tmp_path / "refused")


def two_steps(first: Path, **more: object) -> Recipe:
    init = Pretraining(train_on=str(first), recipe={"init": "scratch"}, labels={"01": "1", "02": "2"})
    return SMALL.model_copy(update={"init": init, **more})


@pytest.mark.slow
def test_two_steps_are_one_run_with_a_complete_run_in_it(earlier: Run, images: Path, tmp_path: Path) -> None:
    events: list[Event] = []
    recipe = two_steps(earlier.folder.parent / "images", epochs=1)
    run = cs.train(cs.open_dataset(images), recipe, out=tmp_path / "run", emit=events.append)
    first = Run(run.folder / "pretraining")
    assert first.recipe.init == "scratch"
    assert (first.folder / "report.html").exists()
    assert first.metrics["accuracy"].value is not None
    epochs = [(event.is_pretraining, event.epoch) for event in events if isinstance(event, EpochEnded)]
    assert epochs == [(True, 0), (True, 1), (False, 0), (False, 1)]
    assert [row.epoch for row in run.history] == [0, 1]
    assert "pretraining on “images”" in (run.folder / "report.html").read_text(encoding="utf-8")
    # The same as doing one after the other.
    by_hand = train_without_report(
        cs.open_dataset(images),
        SMALL.model_copy(update={"epochs": 1, **from_run(first, labels={"01": "1", "02": "2"})}),
        out=tmp_path / "by hand",
    )
    weights, by_hand_weights = (
        (either.classifier_folder / "weights.safetensors").read_bytes() for either in (run, by_hand)
    )
    assert weights == by_hand_weights


@pytest.mark.slow
def test_a_second_training_that_cannot_be_is_refused_before_the_first(earlier: Run, tmp_path: Path) -> None:
    same = earlier.folder.parent / "images"
    recipe = two_steps(same).model_copy(update={"init": Pretraining(train_on=str(same), recipe={"init": "scratch"})})
    with pytest.raises(LeakageFound) as refused:
        cs.train(cs.open_dataset(same), recipe, out=tmp_path / "run")
    assert refused.value.code == "images-of-pretraining-tested"
    assert not (tmp_path / "run" / "pretraining" / "training.json").exists()
    for wrong, code, parameters in (
        ({"freeze_to": "blocks.77"}, "unknown-network-part", {"name": "blocks.77"}),
        ({"freeze_to": ""}, "unknown-network-part", {"name": ""}),
        ({"model_options": {"wheels": 4}}, "model-option-not-accepted", {"option": "wheels"}),
        ({"model": "timm/pit_ti_224"}, "no-stage-maps", {}),
        ({"model": "inception_v3"}, "image-size-not-accepted", {"side_px": 32}),
        ({"model": "mobincep", "init": "imagenet"}, "no-imagenet-weights", {"model": "mobincep"}),
        ({"model": "mobincep", "init": Pretraining(train_on=str(same))}, "no-imagenet-weights", {"model": "mobincep"}),
    ):
        with refusing((BadRecipe, WeightsUnavailable), code, **parameters):
            cs.train(cs.open_dataset(same), SMALL.model_copy(update=wrong), out=tmp_path / "never")
    assert not (tmp_path / "never").exists()


@pytest.mark.slow
@pytest.mark.exhaustive
def test_two_steps_killed_in_the_first_resume_to_the_same_end(earlier: Run, images: Path, tmp_path: Path) -> None:
    recipe = two_steps(earlier.folder.parent / "images", epochs=2)
    whole = train_without_report(cs.open_dataset(images), recipe, out=tmp_path / "whole")
    file = tmp_path / "recipe.yaml"
    file.write_text((whole.folder / "recipe.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    killed = tmp_path / "killed"
    command = [sys.executable, "-m", "coverslip", "train", str(images), "--recipe", str(file), "--out", str(killed)]
    environment = {**os.environ, "COVERSLIP_CACHE": str(tmp_path / "cache")}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (killed / "pretraining" / "checkpoints" / "last.safetensors").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (killed / "classifier").exists()
    run = cs.resume(killed)
    weights, whole_weights = (
        (either.classifier_folder / "weights.safetensors").read_bytes() for either in (run, whole)
    )
    assert weights == whole_weights
    assert json.loads((run.folder / "metrics.json").read_text()) == json.loads(
        (whole.folder / "metrics.json").read_text()
    )


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_run_does_not_resume_from_another_initialization(on_top: Run, tmp_path: Path) -> None:
    run = Run(shutil.copytree(on_top.folder, tmp_path / "run"))
    status = json.loads((run.folder / "status.json").read_text())
    (run.folder / "status.json").write_text(json.dumps({**status, "state": "failed"}))
    environment = json.loads((run.folder / "environment.json").read_text())
    (run.folder / "environment.json").write_text(json.dumps({**environment, "initialization": "0" * 64}))
    with pytest.raises(BadRun) as refused:
        cs.resume(run.folder)
    assert refused.value.code == "initial-run-changed"


@pytest.mark.slow
def test_faults_of_an_initialization_are_reported_before_anything_is_written(
    earlier: Run, images: Path, tmp_path: Path
) -> None:
    data, out = cs.open_dataset(images), tmp_path / "run"
    with pytest.raises(BadClassifier):
        cs.train(data, SMALL.model_copy(update={"init": FromRun(run=str(tmp_path))}), out=out)
    with pytest.raises(BadDataset):
        cs.train(data, two_steps(tmp_path / "nothing"), out=out)
    with pytest.raises(BadRecipe) as caught:
        cs.train(data, Recipe(**from_run(earlier)), out=out)  # type: ignore[arg-type]
    assert caught.value.code == "initial-network-differs"
    assert Set("model", SMALL_NETWORK) in caught.value.remedies
    with pytest.raises(BadRecipe) as refused:
        cs.train(data, SMALL.model_copy(update=from_run(earlier, labels={"01": "9"})), out=out)
    assert refused.value.code == "unknown-class-of-images"
    assert refused.value.parameters["name"] == "9"
    assert not out.exists()


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        (["init=imagnet"], "init = 'imagnet': it must be imagenet, scratch"),
        (["init.run=a", "init.lables={a: b}"], "did you mean 'init.labels'"),
        (["init={labels: {a: b}}"], "there is no init.run"),
        (["init={run: a, train_on: b}"], "init: give either run or train_on, not both"),
        (["init={train_on:/cells}"], "in braces, a space must follow each colon"),
        (["init={train_on: cells, recipe: {epoch: 3}}"], "In init.recipe: .*did you mean 'epochs'"),
        (["init={train_on: cells, recipe: {stage: instant}}"], re.escape(text("pretraining-without-training"))),
        (["init={train_on: cells, recipe: {model: resnet34}}"], re.escape(text("pretraining-of-other-network"))),
        (["init={train_on: cells, recipe: {init: {train_on: more}}}"], re.escape(text("nested-pretraining"))),
    ],
)
def test_faults_in_how_to_start_are_named(settings: list[str], what: str) -> None:
    with pytest.raises(BadRecipe, match=what):
        with_settings(Recipe(), settings)


def test_classes_that_would_become_one_are_refused(earlier: Run, images: Path, tmp_path: Path) -> None:
    for labels in ({"01": "1", "02": "1"}, {"01": "02"}):
        start = SMALL.model_copy(update=from_run(earlier, labels=labels))
        here = images if "1" in labels.values() else earlier.folder.parent / "images"
        with pytest.raises(BadRecipe) as refused:
            cs.train(cs.open_dataset(here), start, out=tmp_path / "run")
        assert refused.value.code == "labels-merge-classes"
    assert not (tmp_path / "run").exists()


def test_options_of_a_start_count_by_what_they_do(tmp_path: Path) -> None:
    card = Recipe(model="mobilevit_mn", model_options={"dsc": True})
    assert whole_options(card) == whole_options(Recipe(model="mobilevit_mn"))
    assert whole_options(card) != whole_options(Recipe(model="mobilevit_mn", model_options={"dsc": False}))


def test_settings_reach_into_a_start_that_was_not_chosen_before() -> None:
    init = with_settings(Recipe(), ["init.train_on=cells", "init.recipe.split.val=0.3", "init.labels.a=1"]).init
    assert init == Pretraining(train_on="cells", recipe={"split": {"val": 0.3}}, labels={"a": "1"})
    with pytest.raises(BadRecipe, match=r"no key 'init\.recip\.epochs'"):
        with_settings(Recipe(), ["init.train_on=cells", "init.recip.epochs=1"])


def test_the_first_training_has_all_its_images() -> None:
    recipe = check_recipe({"init": {"train_on": "cells"}, "split": {"train_per_class": 5}})
    assert pretraining_recipe(recipe).split.train_per_class is None


def test_the_first_training_does_not_read_its_images_like_those_of_the_second() -> None:
    reading = {"images": {"z": "max"}, "channel_files": ["_w1", "_w2"], "crop_size": 64, "crop_margin": 0.2}
    recipe = check_recipe({"init": {"train_on": "cells", "recipe": {"crop_margin": 0.1}}, **reading})
    first, usual = pretraining_recipe(recipe), Recipe()
    assert first.crop_margin == 0.1
    assert (first.images, first.channel_files, first.crop_size) == (usual.images, usual.channel_files, usual.crop_size)


def test_a_start_survives_its_file(tmp_path: Path) -> None:
    run, cells = str(tmp_path / "moved" / "a"), "/data/cells"
    for init in (
        {"run": run, "labels": {"01": "1"}},
        {"train_on": cells, "recipe": {"epochs": 3, "init": {"run": run}}, "labels": {}},
    ):
        recipe = check_recipe({"init": init, "split": {"run": run, "folds": 0}})
        save_recipe(recipe, tmp_path / "recipe.yaml")
        assert load_recipe(tmp_path / "recipe.yaml") == recipe
        assert str(tmp_path) not in (tmp_path / "recipe.yaml").read_text()


def test_paths_in_a_recipe_file_are_relative_to_its_folder(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("init: {run: ../runs/a}\nsplit: {run: b}\n")
    recipe = load_recipe(tmp_path / "recipe.yaml")
    assert recipe.init == FromRun(run=str(tmp_path.parent / "runs" / "a"))
    assert recipe.split.run == str(tmp_path / "b")


def test_a_setting_states_an_initial_run() -> None:
    assert with_settings(Recipe(), ["init.run=runs/a"]).init == FromRun(run="runs/a")


@pytest.mark.parametrize("pretraining", [False, True])
def test_a_network_whose_weights_cannot_be_fetched_leaves_no_run_folder(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pretraining: bool
) -> None:
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "https://localhost")  # where no hub answers
    recipe = cs.Recipe(model="resnet34", init=Pretraining(train_on=str(images)) if pretraining else "imagenet")
    with pytest.raises(WeightsUnavailable, match="resnet34"):
        cs.train(cs.open_dataset(images), recipe, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
