"""Maps of what speaks for a class: exact where they can be, checked before they are shown."""

import csv
import io
import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from trained import SMALL_NETWORK

import coverslip as cs
from coverslip.cache.stores import RecordStore
from coverslip.cli import main
from coverslip.engines import turned as turned_array
from coverslip.errors import Stopped
from coverslip.events import Event, Progressed, ignore
from coverslip.images.preprocessing import PreprocessedImage, pixel_hash
from coverslip.inference.explain.explainer import Explainer
from coverslip.inference.explain.explaining import TILE_PX, overlay, strength
from coverslip.inference.explain.heat_maps import (
    CheckResult,
    _shares_of_taps,
    _turned,
    averaged,
    check_maps,
    contributions,
    deletion_curve,
    grad_cam,
    grad_cam_plus_plus,
    maps_by,
    methods_of,
    occlusion,
    with_random_weights,
)
from coverslip.models import model_info
from coverslip.models.backbone import Architecture
from coverslip.models.networks import Network, create_network
from coverslip.models.zoo import UNCHANGED
from coverslip.reports.reported import read_run
from coverslip.reports.sections import SECTIONS, sections_of
from coverslip.runs.folder import Run, RunContext
from coverslip.workspace.explanations import EXPLANATIONS, explain
from coverslip.workspace.store.workspace import Workspace


def small_network(head: str = "multi_layer") -> Network:
    torch.manual_seed(0)
    return create_network(SMALL_NETWORK, n_classes=3, head=head, pretrained=False).eval()


def test_contributions_add_up_to_the_logit() -> None:
    network = small_network()
    x, classes = torch.rand(2, 3, 64, 64), torch.tensor([0, 2])
    with torch.no_grad():
        logits = network(x).gather(1, classes[:, None])[:, 0]
    shares = sum(part.mean(dim=(1, 2)) for part in _shares_of_taps(network, x, classes))
    torch.testing.assert_close(shares + network.head.bias[classes], logits, atol=1e-4, rtol=1e-4)
    assert contributions(network, x, classes).shape[0] == 2


class Mean(nn.Module):
    """(B, C, H, W) -> (B, C)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=(2, 3))


def plain_network(weight: Tensor) -> Network:
    """Channels of the image, their means, a linear head: all that a map says of it is known."""
    record = replace(model_info(SMALL_NETWORK), heatmap_layer="0")
    architecture = Architecture(SMALL_NETWORK, "native", 3, 32)
    network = Network(record, architecture, nn.Sequential(nn.ReLU(), Mean()), 3, 2, UNCHANGED)
    with torch.no_grad():
        network.head.weight.copy_(weight)
        network.head.bias.zero_()
    return network.eval()


WEIGHT = torch.tensor([[40.0, -20.0, 0.0], [0.0, 0.0, 0.0]])


def test_grad_cam_of_a_linear_network_is_its_weighted_channels() -> None:
    x = torch.rand(2, 3, 4, 4)
    drawn = grad_cam(plain_network(WEIGHT), x, torch.tensor([0, 0]))
    torch.testing.assert_close(drawn, (40 * x[:, 0] - 20 * x[:, 1]) / 16)


def test_grad_cam_plus_plus_takes_rising_slopes_only_as_its_equation_has_them() -> None:
    x = torch.rand(1, 3, 4, 4)
    drawn = grad_cam_plus_plus(plain_network(WEIGHT), x, torch.tensor([0]))
    slope, total = 40 / 16, x[0, 0].sum()
    alpha = slope**2 / (2 * slope**2 + total * slope**3)
    torch.testing.assert_close(drawn, 16 * alpha * slope * x[:, 0])


def test_occlusion_finds_the_place_that_counts() -> None:
    x = torch.zeros(1, 3, 28, 28)
    x[:, 0, 20:, :8] = 1
    falls = occlusion(plain_network(WEIGHT), x, torch.tensor([0]))[0]
    assert divmod(int(falls.argmax()), 7) == (6, 0)


@pytest.mark.parametrize("tta", [1, 2, 4, 8])
def test_maps_of_turned_copies_are_turned_back(tta: int) -> None:
    x = torch.rand(1, 3, 5, 5)
    torch.testing.assert_close(averaged(lambda _, y, __: y[:, 0], small_network(), x, torch.tensor([0]), tta), x[:, 0])
    np.testing.assert_array_equal(_turned(x, tta - 1).numpy(), turned_array(x.numpy(), tta - 1))


def corner_images(n: int = 12) -> Tensor:
    """Noise with what counts in the corner."""
    x = 0.05 * torch.rand(n, 3, 28, 28, generator=torch.Generator().manual_seed(0))
    x[:, 0, 20:, :8] += 0.9
    return x


def test_blurring_what_counts_takes_the_prediction_away_first() -> None:
    network, x = plain_network(WEIGHT), corner_images(1)
    by_map = deletion_curve(network, x, torch.tensor([0]), x[:, 0])
    by_others = deletion_curve(network, x, torch.tensor([0]), -x[:, 0])
    assert by_map[0] == by_others[0]
    assert by_map[2] < by_others[2] - 0.03


def test_a_map_that_says_the_center_beats_it_by_nothing_and_fails() -> None:
    network, x = plain_network(WEIGHT), corner_images()
    ramp = torch.linspace(-1, 1, 28)
    center = -(ramp[:, None] ** 2 + ramp[None] ** 2)[None]
    checked = check_maps(network, lambda *_: center, x, [network])
    assert abs(checked.gain) < 1e-6
    assert not checked.beats_center


def test_a_map_that_shows_the_image_itself_fails_and_one_of_what_was_learnt_passes() -> None:
    network, x = plain_network(WEIGHT), corner_images()
    other = plain_network(torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]]))
    by_image = check_maps(network, lambda _, y, __: y.mean(dim=1), x, [other])
    assert by_image.similarity == pytest.approx(1)
    assert by_image.beats_center
    assert not by_image.passes
    assert check_maps(network, grad_cam, x, [other]).passes


def test_too_few_images_pass_no_check() -> None:
    assert not CheckResult(n_images=7, similarity=0.0, gain=0.5, gain_low=0.4).passes


@pytest.mark.slow
def test_random_weights_are_drawn_alike_and_leave_random_numbers_alone() -> None:
    before = torch.get_rng_state()
    networks, repeated = (
        with_random_weights(small_build, torch.rand(4, 3, 32, 32, generator=seeded())) for _ in range(2)
    )
    assert torch.equal(before, torch.get_rng_state())
    x = torch.rand(1, 3, 32, 32, generator=seeded())
    with torch.no_grad():
        assert torch.equal(networks[0](x), repeated[0](x))
        assert not torch.equal(networks[0](x), networks[1](x))


def small_build() -> Network:
    return create_network(SMALL_NETWORK, n_classes=3, pretrained=False)


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_a_map_is_shown_from_nothing_to_its_strongest_place() -> None:
    drawn = np.array([[-1.0, 1.0], [3.0, 0.0]], np.float32)
    np.testing.assert_allclose(strength(drawn, is_centered=False), [[0, 1 / 3], [1, 0]])
    np.testing.assert_allclose(strength(drawn, is_centered=True), [[0, 1 / 9], [1, 0]], atol=0.02)
    assert not strength(-np.ones((2, 2), np.float32), is_centered=False).any()
    gray = np.full((4, 4, 1), 128, np.uint8)
    assert overlay(gray, strength(drawn, is_centered=False), "jet").getpixel((5, 190)) != overlay(
        gray, strength(drawn, is_centered=False)
    ).getpixel((5, 190))


@pytest.mark.slow
@pytest.mark.exhaustive
def test_explaining_leaves_a_picture_for_each_image_and_withholds_what_failed(
    own_run: Run, cells: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    split_rows = [own_run.split[0], own_run.split[40]]
    table = tmp_path / "labeled.csv"
    other = {"small": "large", "medium": "small", "large": "medium"}
    rows = [f"{cells / row.path},{other[row.label]}" for row in split_rows]
    table.write_text("\n".join(["path,label", *rows, f"{tmp_path / 'gone.png'},small"]), encoding="utf-8")
    out = tmp_path / "explained"
    assert main(["explain", str(own_run.folder), str(table), "--out", str(out), "--nearest", "2", "--json"]) == 0
    printed = capsys.readouterr()
    assert "gone.png" in printed.err
    printed_json = json.loads(printed.out)
    (of_run,) = printed_json["checks"]
    assert of_run["checked_on"] == "validation"
    assert {check["method"] for check in of_run["checks"]} >= {"contributions"}
    with (out / "explanations.csv").open(encoding="utf-8", newline="") as file:
        written = list(csv.DictReader(file))
    assert len(list(out.glob("*.png"))) == 2
    assert [written[-1]["predicted"], written[-1]["decision"]] == ["", "unreadable"]
    by_id = {row.image_id: row for row in cs.load_classifier(own_run.folder).predict(table)}
    assert [row["decision"] for row in written] == [by_id[row["image_id"]].decision for row in written]
    assert written[0]["probability"] == f"{by_id[written[0]['image_id']].probability:.6f}"
    assert {row["explained"] for row in written if row["picture"].startswith("0001")} == {
        written[0]["predicted"],
        other[split_rows[0].label],
    }
    assert all(Path(split_rows[0].image_id).name not in row["nearest"] for row in written[:2])
    checks = Run(own_run.folder).map_checks
    assert checks is not None
    assert "map_checks" in {section.name for section in sections_of(read_run(own_run.folder))}
    assert SECTIONS["map_checks"].blocks(read_run(own_run.folder))[0].rows[0][0] == "contributions"
    failed = checks.model_copy(
        update={
            "checks": tuple(
                checks.checks[0].model_copy(update={"method": method, "passes": False})
                for method in methods_of(small_network())
            )
        }
    )
    failed.write(own_run.map_checks_file)
    image = str(cells / split_rows[0].path)
    withheld = cs.explain(own_run.folder, [image], out=tmp_path / "withheld", n_nearest=0)
    stamped = cs.explain(own_run.folder, [image], out=tmp_path / "stamped", n_nearest=0, show_failed=True)
    assert [withheld.images[0].is_shown, stamped.images[0].is_shown] == [False, True]
    assert stamped.images[0].check == "failed"
    pictures = [Image.open(each.folder / str(each.images[0].picture)).tobytes() for each in (withheld, stamped)]
    assert pictures[0] != pictures[1]
    with pytest.raises(cs.CoverslipError) as refused:
        cs.explain(own_run.folder, [image], out=tmp_path / "stamped")
    assert refused.value.code == "explanation-folder-in-use"


@pytest.mark.slow
def test_an_image_is_decoded_once_and_its_copies_are_no_neighbors(own_run: Run, cells: Path, tmp_path: Path) -> None:
    row = next(row for row in own_run.split if row.split == "train")
    classifier = cs.load_classifier(own_run.folder)
    opened = classifier.open_images([str(cells / row.path)])
    ((predicted, image),) = classifier.predict_with_pixels(opened.records, is_hashed=True)
    assert isinstance(image, PreprocessedImage)
    assert image.pixel_hash == pixel_hash(opened.records[0].read())
    assert [predicted] == list(classifier.predict_images(opened))
    copy = tmp_path / "copy.tif"
    Image.open(cells / row.path).save(copy)
    explanations = cs.explain(own_run.folder, [str(copy)], out=tmp_path / "out", n_nearest=3, method="grad-cam")
    assert len(explanations.images[0].nearest) == 3
    assert not [each for each in explanations.images[0].nearest if each.endswith(row.image_id)]


@pytest.mark.exhaustive
@pytest.mark.slow
def test_the_app_explains_one_image_as_its_row_was_read(own_run: Run, cells: Path, tmp_path: Path) -> None:
    image, plan = cells / own_run.split[0].path, {"region": [4, 4, 44, 44]}
    workspace, stored = Workspace(tmp_path, ()), {"job_id": "job", "key": "image"}
    question = {
        **stored,
        "run": str(own_run.folder),
        "file": str(image),
        "plan": plan,
        "label": "small",
        "tested": True,
    }
    explain(workspace, question, ignore)
    with RecordStore(EXPLANATIONS, "job") as store, io.BytesIO(store.find(["image"])["image"]) as picture:
        assert Image.open(picture).width < 3 * TILE_PX
    checks = Run(own_run.folder).map_checks
    assert checks is not None
    assert "contributions" in {check.method for check in checks.checks}
    with pytest.raises(cs.CoverslipError):
        explain(workspace, {**question, "file": str(tmp_path / "gone.png")}, ignore)


def test_images_are_named_after_the_runs(trained: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(trained.folder), "--out", "nowhere"]) == 2
    assert "images after the runs" in capsys.readouterr().err


def test_a_head_on_the_last_layer_alone_has_no_contributions() -> None:
    assert "contributions" not in methods_of(small_network("native"))
    with pytest.raises(cs.CoverslipError) as refused:
        maps_by("contributions")(small_network("native"), torch.rand(1, 3, 32, 32), torch.tensor([0]))
    assert refused.value.code == "no-heat-map"


def checked_method(event: Event) -> str | None:
    """The method whose heat maps are being checked."""
    is_checking = isinstance(event, Progressed) and event.stage == "checking-heat-maps"
    return event.parameters["method"] if is_checking else None


@pytest.mark.exhaustive
@pytest.mark.slow
def test_finished_checks_are_kept_if_the_next_is_canceled_and_not_repeated(
    own_run: Run, cells: Path, tmp_path: Path
) -> None:
    image = cells / own_run.split[0].path
    own_run.map_checks_file.unlink(missing_ok=True)

    def give_up(event: Event) -> None:
        if checked_method(event) == "grad-cam":
            raise Stopped("work-stopped")

    methods: list[str | None] = []
    with suppress(Stopped):
        cs.explain(own_run.folder, [image], out=tmp_path / "first", n_nearest=0, emit=give_up)
    assert Run(own_run.folder).map_checks is not None
    cs.explain(
        own_run.folder,
        [image],
        out=tmp_path / "again",
        n_nearest=0,
        emit=lambda event: methods.append(checked_method(event)),
    )
    assert "contributions" not in methods


@pytest.mark.slow
def test_maps_on_a_device_leave_the_network_of_predictions_on_the_processor(trained: Run) -> None:
    classifier = cs.load_classifier(trained.folder, device="cpu")
    explainer = Explainer("run", classifier, None, RunContext(trained.folder, "meta"))  # "meta" stands for a GPU
    devices = [tensor.device.type for tensor in explainer.network.state_dict().values()]
    side, channels = classifier.card.preprocessing.image_size, classifier.card.preprocessing.channels
    classifier.predict_pixels(np.zeros((1, side, side, channels), np.uint8))
    assert [tensor.device.type for tensor in explainer.network.state_dict().values()] == devices
    assert {tensor.device.type for tensor in classifier.network.state_dict().values()} == {"cpu"}
    assert set(devices) == {"meta"}
