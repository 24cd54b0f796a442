"""Prediction on a Ray cluster: a part done on one of its computers, and answers that are refused."""

import json
import pickle
import platform
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from refusing import refusing

import coverslip as cs
from coverslip import pipeline
from coverslip.datasets.index.records import Dataset
from coverslip.errors import BadClusterAnswer, CoverslipError
from coverslip.inference import Classifier
from coverslip.inference.ray_prediction import Packed, PredictionOptions, predict_batch, rows_of
from coverslip.runs.folder import Run
from coverslip.runs.predictions import Prediction
from coverslip.runtime.cluster import ROOTS_VARIABLE, call_resources

CLASSES = ("large", "medium", "small")
PLAIN = PredictionOptions(64, "cpu", {}, is_hashed=False, is_rescaled=False)


@pytest.fixture
def classifier(trained: Run) -> Classifier:
    return cs.load_classifier(trained.folder, "cpu")


@pytest.fixture
def packed(trained: Run, tmp_path: Path) -> Packed:
    return np.fromfile(cs.export(trained.folder, out=tmp_path / "small.coverslip"), np.uint8)


def rows_of_batch(packed: Packed, data: Dataset, prevalence: Mapping[str, float] | None = None) -> list[Prediction]:
    options = PredictionOptions(64, "cpu", prevalence or {}, is_hashed=True, is_rescaled=False)
    answer = predict_batch(packed, options, data.records)
    return [row for row, _ in rows_of(answer, data.records, CLASSES)]


def test_a_part_has_the_rows_that_are_predicted_here(classifier: Classifier, packed: Packed, cells: Path) -> None:
    data = classifier.open_images([str(file) for file in sorted(cells.rglob("*.png"))[:5]])
    assert rows_of_batch(packed, data) == list(classifier.predict_images(data))
    shares = {classifier.classes[0]: 0.01}
    assert rows_of_batch(packed, data, shares) == list(classifier.at_prevalence(shares).predict_images(data))


def test_images_may_be_in_another_folder_and_what_a_computer_cannot_read_is_reported_in_the_row(
    classifier: Classifier, packed: Packed, cells: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = sorted(cells.rglob("*.png"))[:2]
    (tmp_path / "new").mkdir()
    shutil.copy(first, tmp_path / "new" / "1 good.png")
    (tmp_path / "new" / "2 cut.png").write_bytes(second.read_bytes()[:60])
    shutil.copy(second, tmp_path / "new" / "3 gone.png")
    data = classifier.open_images(tmp_path / "new")
    (tmp_path / "new" / "3 gone.png").unlink()
    here = list(classifier.predict_images(data))
    (tmp_path / "new").rename(tmp_path / "mounted")
    monkeypatch.setenv(ROOTS_VARIABLE, f"/elsewhere=/nowhere;{tmp_path / 'new'}={tmp_path / 'mounted'}")
    good, cut, gone = rows_of_batch(packed, data)
    assert [good, cut] == here[:2]
    assert gone.path == here[2].path
    assert (gone.decision, str(gone.reason)) == ("unreadable", f"There is no such file, on {platform.node()}")


def test_a_classifier_that_cannot_be_used_there_is_reported_with_the_computer_s_name(packed: Packed) -> None:
    with pytest.raises(CoverslipError) as caught:
        rows_of(predict_batch(packed[:100], PLAIN, ()), (), CLASSES)
    assert caught.value.code == "refused-by-computer"
    assert caught.value.parameters["computer"] == platform.node()


def changed(answer: bytes, **values: object) -> bytes:
    """An answer with other values for its first image."""
    values_of_answer = json.loads(answer)
    values_of_answer["results"][0] |= values
    return json.dumps(values_of_answer).encode()


def test_an_answer_that_no_classifier_of_ours_gives_is_refused(
    classifier: Classifier, packed: Packed, cells: Path
) -> None:
    data = classifier.open_images([str(file) for file in sorted(cells.rglob("*.png"))[:2]])
    answer = predict_batch(packed, PLAIN, data.records)
    assert len(rows_of(answer, data.records, CLASSES)) == 2
    first = json.loads(answer)["results"][0]
    for bad in (
        pickle.dumps([1, 2]),
        [Prediction("", "", None, None, None, "unreadable", ())] * 2,  # an object, as Ray unpickles any
        answer[:-10],
        b"{}",
        answer + b" " * 1_000_000,
        changed(answer, decision="=HYPERLINK()"),
        changed(answer, predicted="cat"),
        changed(answer, prediction_set=["cat"]),
        changed(answer, probabilities=[0.5]),
        changed(answer, probabilities=[2.0, -1.0, 0.0]),
        changed(answer, logits=[0.0]),
        changed(answer, image=None),
        changed(answer, image=first["image"] | {"width_px": -1}),
        changed(answer, image=first["image"] | {"dtype": "\x1b[2J"}),
        changed(answer, path="/etc/passwd"),
    ):
        with pytest.raises(BadClusterAnswer):
            rows_of(bad, data.records, CLASSES)


@pytest.mark.parametrize(
    ("computers", "cores", "with_gpus", "needed"),
    [
        ([{"CPU": 0}, {"CPU": 4}, {"CPU": 8}], None, True, (3, 4, 0)),  # the head lends nothing, the large one does two
        ([{"CPU": 16, "GPU": 2}, {"CPU": 64}], None, True, (2, 8, 1)),
        ([{"CPU": 16, "GPU": 2}, {"CPU": 64}], None, False, (5, 16, 0)),
        ([{"CPU": 1, "GPU": 2}], None, True, (1, 1, 1)),
        ([{"CPU": 3}, {"CPU": 4}], 2, True, (3, 2, 0)),
        ([{"CPU": 16, "GPU": 2}, {"CPU": 64}], 12, True, (1, 12, 1)),
    ],
)
def test_a_call_takes_a_computer_or_one_of_the_gpus_or_the_stated_cores(
    computers: Sequence[Mapping[str, float]], cores: int | None, with_gpus: bool, needed: tuple[int, int, int]
) -> None:
    assert call_resources(computers, cores, with_gpus=with_gpus) == needed


def test_a_cluster_without_cores_and_ray_that_is_not_installed_are_errors(
    trained: Run, cells: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for computers, cores in ([{"CPU": 0.0}], None), ([{"CPU": 2.0}], 4):
        with refusing(CoverslipError, "no-computer-for-task"):
            call_resources(computers, cores, with_gpus=True)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(CoverslipError, match="extra 'cluster'"):
        pipeline.predict(trained.folder, cells, out=tmp_path / "there.csv", on="ray")
    assert not (tmp_path / "there.csv").exists()
