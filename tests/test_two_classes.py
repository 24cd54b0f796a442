"""A training of two classes whose threshold is set by a wish: folder, words and numbers follow it."""

from pathlib import Path

import numpy as np
import pytest
from tables import json_of, rows_of
from trained import GROUPS, INSTANT

import coverslip as cs
from coverslip.datasets import ClassPlan
from coverslip.errors import BadRecipe
from coverslip.runs import Recipe, Run

TWO_CLASSES = ClassPlan(merge={"not small": ["large", "medium"]})


@pytest.fixture(scope="module")
def wished(cells: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    recipe = INSTANT.model_copy(update={"classes": TWO_CLASSES, "decide_by": "sensitivity", "wished": 0.8})
    data = cs.open_dataset(cells, group_pattern=GROUPS)
    return cs.train(data, recipe, out=tmp_path_factory.mktemp("runs") / "wished")


@pytest.mark.slow
def test_the_threshold_comes_from_validation_images_and_every_number_follows_it(wished: Run) -> None:
    card, validation = json_of(wished.classifier_folder / "classifier.json"), rows_of(wished.validation_file)
    assert card["classes"] == ["not small", "small"]
    threshold = card["operating_points"][1]
    found = [float(row["p:small"]) >= threshold for row in validation if row["label"] == "small"]
    assert np.mean(found) >= 0.8
    for row in rows_of(wished.predictions_file):
        assert row["predicted"] == ("small" if float(row["p:small"]) >= threshold else "not small")
    metrics = json_of(wished.metrics_file)
    assert metrics["positive_class"] == "small"
    assert wished.metrics.two_classes["sensitivity"] == wished.metrics.per_class["small"].metrics["recall"]
    page = wished.report_file.read_text(encoding="utf-8")
    assert "“small” counts as the positive class" in page
    assert f"{threshold:.3g} or more, chosen on validation images for a sensitivity of 80.0\N{NO-BREAK SPACE}%" in page


def test_a_wish_for_three_classes_is_refused_before_any_image_is_read(cells: Path, tmp_path: Path) -> None:
    with pytest.raises(BadRecipe, match="one of two classes"):
        cs.train(cells, Recipe(decide_by="sensitivity"), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
