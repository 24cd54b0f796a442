"""Studies with a first step: how far its images are, and where networks look with and without it."""

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest
from drawing import write_cells
from PIL import Image
from trained import GROUPS, SMALL_NETWORK

from coverslip.cli import main
from coverslip.errors import BadRun
from coverslip.evaluation.results import Metric
from coverslip.runs.folder import open_run
from coverslip.studies.study import run_study, study_comparison
from coverslip.studies.variants import StepDistance


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of one dataset, with and without a first step on other cells."""
    place = tmp_path_factory.mktemp("steps")
    cells, first = (str(write_cells(place / name, 36, seed=seed)) for seed, name in enumerate(("cells", "others")))
    plan = {
        "datasets": [{"path": cells, "group_pattern": GROUPS}],
        "models": [{"name": "small", "recipe": {"model": SMALL_NETWORK}}],
        "regimes": ["imagenet", {"name": "two-step", "two_step": first, "recipe": {"group": GROUPS}}],
        "folds": 0,
        "recipe": {"image_size": 32, "tta": 1, "stage": "instant"},
    }
    (place / "study.yaml").write_text(json.dumps(plan))
    run_study(place / "study.yaml", out=place / "out")
    return place / "out"


@pytest.mark.exhaustive
@pytest.mark.slow
def test_first_steps_are_measured_and_maps_drawn_where_that_is_requested(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = study_comparison(folder)
    assert (before.distances, before.heat_maps) == ((), ())
    assert main(["study", "compare", str(folder), "--distances", "--explain"]) == 0
    stdout = capsys.readouterr().out
    assert "Distance to the pretraining images" in stdout
    assert "gain over center" in " ".join(stdout.split())

    after = study_comparison(folder)  # kept
    (distance,) = after.distances
    assert (distance.dataset, distance.model, distance.first) == ("cells", "small", "others")
    assert distance.mmd2.value is not None
    assert distance.mmd2.low is not None
    assert distance.mmd2.low <= distance.mmd2.value
    assert 0 < distance.p <= 1
    (drawn,) = after.heat_maps
    assert [row.regime for row in drawn.maps] == ["imagenet", "two-step"]
    assert {row.verdict for row in drawn.maps} <= {"passed", "failed"}
    assert len(drawn.pictures) == 3  # one of each class
    heights = {Image.open(folder / picture).height for picture in drawn.pictures}
    assert min(heights) > 2 * 192  # a row for each way to start
    rows = (folder / "explanations" / "cells_small" / "explanations.csv").read_text()
    tested = {row.image_id for row in open_run(folder / "cells" / before_cell(folder)).predictions}
    shown = {line.split(",")[0] for line in rows.splitlines()[1:]}
    assert len(shown) == 3
    assert shown <= tested
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 3
    stored = json.loads((folder / "comparison.json").read_text())
    assert [row["regime"] for row in stored["heat_maps"][0]["maps"]] == ["imagenet", "two-step"]


def before_cell(folder: Path) -> str:
    """The folder of the training without a first step."""
    return next(each.name for each in (folder / "cells").iterdir() if each.is_dir() and "imagenet" in each.name)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_an_earlier_distance_is_not_shown_if_it_cannot_be_measured_again(folder: Path, tmp_path: Path) -> None:
    study, value = shutil.copytree(folder, tmp_path / "study"), Metric(value=0.2)
    names = {"dataset": "cells", "first": "others", "model": "small", "regime": "two-step"}
    earlier = StepDistance(**names, mmd2=value, p=0.1, coral=value)
    (study / "distances.json").write_text(json.dumps({"distances": [asdict(earlier)]}))
    assert study_comparison(study).distances == (earlier,)
    for file in study.glob("pretraining/*/environment.json"):  # it states the images
        file.unlink()
    assert study_comparison(study, distances=True).distances == ()


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_damaged_file_of_distances_is_one_clear_error(folder: Path) -> None:
    file = folder / "distances.json"
    whole = file.read_bytes() if file.exists() else None
    file.write_text('{"distances": [{"dataset": 3}]}')
    try:
        with pytest.raises(BadRun) as refusal:
            study_comparison(folder)
        assert refusal.value.file == file
    finally:
        file.unlink()
        if whole is not None:
            file.write_bytes(whole)
