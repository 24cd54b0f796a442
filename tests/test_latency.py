"""How long one image and many take here: shared by `models --bench` and studies."""

import json
from pathlib import Path

import pytest
from trained import SMALL_NETWORK

import coverslip as cs
from coverslip.cli import main
from coverslip.inference import load_classifier
from coverslip.inference.latency import classifier_latency
from coverslip.runs.folder import Run
from coverslip.studies.figures import pareto_front


@pytest.mark.slow
def test_what_nothing_cheaper_equals_is_the_front() -> None:
    assert pareto_front([(3, 0.9), (1, 0.7), (2, 0.7), (4, 0.95), (5, 0.8)]) == [(1, 0.7), (3, 0.9), (4, 0.95)]


@pytest.mark.slow
def test_a_classifier_is_timed_on_its_own_images_alone_and_whole(trained: Run, cells: Path) -> None:
    files = sorted(cells.rglob("*.png"))[:12]
    latency = classifier_latency(load_classifier(trained.folder, "cpu"), files, repeats=2)
    assert (latency.n_many, latency.image_px) == (12, 48)
    for timing in (latency.network_one, latency.network_many, latency.whole_one, latency.whole_many):
        assert 0 < timing.low <= timing.median <= timing.high
    assert latency.ratio == latency.whole_many.median / latency.whole_one.median


@pytest.mark.slow
def test_a_classifier_is_timed_on_the_boxes_of_a_table(trained: Run, cells: Path, tmp_path: Path) -> None:
    file, boxes = next(cells.rglob("*.png")), ("4,4", "8,8", "12,12", "4000,4000")
    lines = [f"{file},small,{box},24,24" for box in boxes]
    (tmp_path / "boxes.csv").write_text("\n".join(["path,label,x,y,width,height", *lines]), encoding="utf-8")
    data = cs.open_dataset(tmp_path / "boxes.csv")
    assert classifier_latency(load_classifier(trained.folder, "cpu"), data, repeats=1).n_many == 3


@pytest.mark.slow
@pytest.mark.exhaustive
def test_models_bench_shows_seconds_and_the_computer(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", SMALL_NETWORK, "--bench", "--image-size", "32", "--json"]) == 0
    latency = json.loads(capsys.readouterr().out)["latency"]
    assert (latency["n_many"], latency["image_px"]) == (100, 32)
    assert latency["processor"]
    assert latency["network_many"]["median"] > 0
    assert main(["models", "--bench"]) == 2
