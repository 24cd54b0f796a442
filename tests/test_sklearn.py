"""The scikit-learn estimator: scikit-learn's own tools on images."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from trained import INSTANT

import coverslip as cs
from coverslip.sklearn import ImageClassifier

pytestmark = pytest.mark.slow

KEYS = INSTANT.model_dump(exclude_unset=True)


@pytest.fixture(scope="module")
def paths(cells: Path) -> list[str]:
    return sorted(map(str, cells.rglob("*.png")))


@pytest.fixture(scope="module")
def labels(paths: list[str]) -> list[str]:
    return [Path(path).parent.name for path in paths]


@pytest.fixture(scope="module")
def slides(paths: list[str]) -> list[str]:
    return [Path(path).name.partition("_")[0] for path in paths]


@pytest.fixture(scope="module")
def fitted(paths: list[str], labels: list[str], slides: list[str]) -> ImageClassifier:
    return ImageClassifier(INSTANT).fit(paths, labels, groups=slides)


def test_files_and_arrays_of_the_same_images_give_the_same_classifier(
    fitted: ImageClassifier, paths: list[str], labels: list[str], slides: list[str]
) -> None:
    arrays = np.stack([np.asarray(Image.open(path)) for path in paths])
    from_arrays = ImageClassifier(KEYS).fit(arrays, labels, groups=slides)
    probabilities = fitted.predict_proba(paths)
    np.testing.assert_allclose(from_arrays.predict_proba(arrays), probabilities, atol=1e-6)
    np.testing.assert_allclose(fitted.predict_proba(arrays), probabilities, atol=1e-6)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert fitted.classes_.tolist() == sorted(set(labels))
    assert fitted.predict(paths).tolist() == fitted.classes_[probabilities.argmax(axis=1)].tolist()
    assert fitted.score(paths, labels) == accuracy_score(labels, fitted.predict(paths)) > 0.5


def test_the_classifier_is_the_one_that_coverslip_trains(
    fitted: ImageClassifier, trained: cs.Run, paths: list[str]
) -> None:
    expected = cs.load_classifier(trained).predict(paths)
    assert fitted.predict(paths).tolist() == expected["predicted"]


@pytest.mark.exhaustive
def test_labels_may_be_numbers(paths: list[str], labels: list[str]) -> None:
    numbers = [7 * sorted(set(labels)).index(label) - 1 for label in labels]
    few = ImageClassifier(INSTANT).fit(paths, numbers)
    assert few.classes_.tolist() == sorted(set(numbers))
    assert few.predict(paths[:3]).dtype == few.classes_.dtype
    assert few.score(paths, numbers) > 0.5


def test_a_copy_has_the_recipe_and_is_not_trained(fitted: ImageClassifier, paths: list[str]) -> None:
    copy = clone(fitted)
    assert copy.get_params() == {"recipe": INSTANT}
    with pytest.raises(NotFittedError):
        copy.predict(paths)
    assert copy.set_params(recipe={"stage": "instant"}).recipe == {"stage": "instant"}


def test_a_pickle_predicts_as_before(fitted: ImageClassifier, paths: list[str]) -> None:
    expected = fitted.predict_proba(paths[:9])
    restored = pickle.loads(pickle.dumps(fitted))  # noqa: S301 - own bytes
    np.testing.assert_array_equal(restored.predict_proba(paths[:9]), expected)


@pytest.mark.exhaustive
def test_tools_of_scikit_learn_cross_validate_and_search_with_groups(
    paths: list[str], labels: list[str], slides: list[str]
) -> None:
    scores = cross_val_score(
        ImageClassifier(INSTANT), paths, labels, cv=GroupKFold(2), groups=slides, params={"groups": slides}
    )
    assert scores.shape == (2,)
    assert all(1 / 3 < score <= 1 for score in scores)
    choices = {"imageclassifier__recipe": [KEYS, {**KEYS, "image_size": 32}]}
    pipeline = make_pipeline(FunctionTransformer(list), ImageClassifier())
    search = GridSearchCV(pipeline, choices, cv=GroupKFold(2)).fit(paths, labels, groups=slides)
    assert search.best_params_["imageclassifier__recipe"] in choices["imageclassifier__recipe"]
    assert len(search.predict(paths)) == len(paths)


def test_an_image_that_cannot_be_read_is_one_clear_error(fitted: ImageClassifier, tmp_path: Path) -> None:
    (broken := tmp_path / "broken.png").write_bytes(b"no image")
    for predict in (fitted.predict, fitted.predict_proba):
        with pytest.raises(cs.CoverslipError) as refused:
            predict([str(broken)])
        assert refused.value.code == "image-not-predicted"
        assert str(refused.value.file) == str(broken)
