"""The scikit-learn estimator: scikit-learn's own tools on images."""

import hashlib
import pickle
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from parameters import only_first
from PIL import Image
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import Tags
from sklearn.utils.estimator_checks import estimator_checks_generator
from trained import INSTANT

import coverslip as cs
from coverslip.errors import BadRecipe
from coverslip.sklearn import ImageClassifier, ImagesWithoutGroups, NotImages

if TYPE_CHECKING:
    from _pytest.mark import ParameterSet

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


def test_labels_with_spaces_and_decomposed_accents_are_predicted_as_given(paths: list[str], labels: list[str]) -> None:
    spelled = [f"e\N{COMBINING ACUTE ACCENT} {label} " for label in labels]
    classifier = ImageClassifier(INSTANT).fit(paths, spelled)
    assert classifier.classes_.tolist() == sorted(set(spelled))
    assert classifier.score(paths, spelled) > 0.5
    assert classifier.predict_proba(paths[:2]).sum(axis=1) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("change", "recipe", "code"),
    [
        (lambda label, k: label + " " * (k % 2), {}, "estimator-equal-labels"),
        (lambda label, k: label if k else " ", {}, "estimator-empty-label"),
        (lambda label, k: label, {"classes": {"rename": {"large": "big"}}}, "estimator-changed-classes"),
    ],
    ids=["equal labels", "empty label", "renamed class"],
)
def test_labels_that_would_be_other_classes_are_refused(
    paths: list[str], labels: list[str], change: Callable[[str, int], str], recipe: dict[str, Any], code: str
) -> None:
    changed = [change(label, k) for k, label in enumerate(labels)]
    with pytest.raises(cs.CoverslipError) as refused:
        ImageClassifier(KEYS | recipe).fit(paths, changed)
    assert refused.value.code == code


class OfRows(ImageClassifier):
    """The estimator for the checks of scikit-learn, whose input are rows of numbers: each becomes an image."""

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        return super().fit(images_of_rows(X), y, groups)

    def predict(self, X: Any) -> Any:
        return super().predict(images_of_rows(X))

    def predict_proba(self, X: Any) -> Any:
        return super().predict_proba(images_of_rows(X))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        return tags


def images_of_rows(X: Any) -> Any:
    """Return an image for each row: a gray block for each number, under a texture so that images are not duplicates."""
    if hasattr(X, "tocsr"):
        return X
    numbers = np.asarray(X)
    if numbers.ndim != 2 or numbers.size == 0:
        return X
    rows = numbers.astype(np.float64)
    levels = np.mod(128 + 25 * rows, 256)
    blocks = np.repeat(levels, -(-24 // levels.shape[1]), axis=1)[:, None].repeat(24, axis=1)
    seeds = [int.from_bytes(hashlib.sha256(row.astype(np.float32).tobytes()).digest()[:8], "big") for row in rows]
    textures = [np.random.default_rng(seed).uniform(-20, 20, blocks.shape[1:]) for seed in seeds]
    return np.clip(blocks + np.array(textures), 0, 255).astype(np.uint8)


ANY_SIZE = "images may have any size, so there is no number of features"
EXCLUDED = {
    "check_n_features_in": ANY_SIZE,
    "check_n_features_in_after_fitting": ANY_SIZE,
    "check_classifiers_train": f"its last step expects a refusal of another number of features; {ANY_SIZE}",
    "check_estimators_empty_data_messages": f"it expects an error about 0 features; {ANY_SIZE}",
    "check_estimators_nan_inf": "images of 8 or 16 bits have neither NaN nor infinity",
    "check_classifiers_one_label": "a classifier needs two classes, and the refusal is no ValueError",
    "check_fit2d_predict1d": "it expects advice about the shape of rows of numbers",
    "check_fit2d_1sample": "a training needs images for each set, and the refusal is no ValueError",
}


def checks_of_scikit_learn() -> Iterator["ParameterSet"]:
    """Each check; those that train an estimator take seconds."""
    quick = {
        *("check_estimator_cloneable", "check_estimator_tags_renamed", "check_valid_tag_types"),
        *("check_estimator_repr", "check_no_attributes_set_in_init", "check_estimators_unfitted"),
        *("check_do_not_raise_errors_in_init_or_set_params", "check_mixin_order", "check_get_params_invariance"),
        *("check_parameters_default_constructible", "check_set_params", "check_requires_y_none"),
        *("check_classifiers_regression_target", "check_estimator_sparse_array"),
    }
    for estimator, check in estimator_checks_generator(OfRows({**KEYS, "image_size": 32})):
        name = getattr(check, "func", check).__name__
        marks = [] if name in quick else [pytest.mark.exhaustive]
        if name in EXCLUDED:
            marks.append(pytest.mark.skip(reason=EXCLUDED[name]))
        yield pytest.param(estimator, check, marks=marks, id=f"{name}-{getattr(check, 'keywords', '')}")


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("estimator", "check"), [*checks_of_scikit_learn()])
def test_the_estimator_passes_the_checks_of_scikit_learn(estimator: OfRows, check: Callable[[OfRows], None]) -> None:
    check(estimator)


@pytest.mark.parametrize(
    ("X", "code"),
    only_first(
        2,
        [
            (np.zeros((4, 30)), "estimator-without-images"),
            ([0.5, 1.5], "estimator-without-images"),
            (csr_matrix(np.eye(4)), "estimator-without-images"),
            ([], "estimator-x-empty"),
        ],
    ),
    ids=["rows", "numbers", "sparse", "empty"],
)
def test_rows_of_numbers_are_refused_with_a_clear_error(fitted: ImageClassifier, X: Any, code: str) -> None:
    for call in (fitted.predict, fitted.predict_proba, lambda X: ImageClassifier(KEYS).fit(X, [0] * np.shape(X)[0])):
        with pytest.raises(ValueError, match=r".") as refused:
            call(X)
        assert isinstance(refused.value, cs.CoverslipError)
        assert refused.value.code == code


def test_a_copy_has_the_recipe_and_is_not_trained(fitted: ImageClassifier, paths: list[str]) -> None:
    copy = clone(fitted)
    assert copy.get_params(deep=False) == {"recipe": INSTANT, "needs_groups": False}
    with pytest.raises(NotFittedError):
        copy.predict(paths)
    assert copy.set_params(recipe={"stage": "instant"}).recipe == {"stage": "instant"}


def test_keys_of_the_recipe_are_parameters() -> None:
    recipe = {"stage": "instant", "augment": "none"}
    classifier = ImageClassifier(recipe)
    assert classifier.get_params()["recipe__split__val"] == cs.Recipe().split.val
    pipeline = make_pipeline(FunctionTransformer(list), classifier)
    pipeline.set_params(imageclassifier__recipe__seed=3, imageclassifier__recipe__split__folds=4)
    assert classifier.recipe == cs.Recipe.model_validate({**recipe, "seed": 3, "split": {"folds": 4}})
    assert classifier.get_params()["recipe__seed"] == 3
    assert recipe == {"stage": "instant", "augment": "none"}
    with pytest.raises(BadRecipe):
        classifier.set_params(recipe__sead=4)
    assert ImageClassifier({"sead": 4}).set_params(recipe={"seed": 4}, recipe__seed=5).get_params()["recipe__seed"] == 5


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
    paths, labels, slides = ([*each, *each[:9]] for each in (paths, labels, slides))  # some images again
    search = GridSearchCV(pipeline, choices, cv=GroupKFold(2)).fit(paths, labels, groups=slides)
    assert search.best_params_["imageclassifier__recipe"] in choices["imageclassifier__recipe"]
    assert len(search.predict(paths)) == len(paths)


def test_a_search_that_loses_the_groups_warns_and_one_with_metadata_routing_passes_them(
    paths: list[str], labels: list[str], slides: list[str]
) -> None:
    keep = {"param_grid": {"recipe": [KEYS]}, "cv": GroupKFold(2), "refit": False}
    with pytest.warns(ImagesWithoutGroups) as caught:
        GridSearchCV(ImageClassifier(), **keep).fit(paths, labels, groups=slides)
    warning = caught[0].message
    assert isinstance(warning, ImagesWithoutGroups)
    copy = type(warning)(*warning.args)  # as pytest-xdist and joblib send it
    assert copy.args == warning.args
    with sklearn.config_context(enable_metadata_routing=True), warnings.catch_warnings():
        warnings.simplefilter("error", ImagesWithoutGroups)
        needing = ImageClassifier(needs_groups=True)
        GridSearchCV(needing, **keep, error_score="raise").fit(paths, labels, groups=slides)
        by_group = {"cv": GroupKFold(2), "error_score": "raise"}
        cross_validate(needing.set_params(recipe=KEYS), paths, labels, **by_group, params={"groups": slides})


def test_a_classifier_that_needs_groups_refuses_to_train_without(
    paths: list[str], labels: list[str], slides: list[str]
) -> None:
    keep = {"cv": GroupKFold(2), "error_score": "raise"}
    with pytest.raises(cs.CoverslipError) as refused:
        cross_validate(ImageClassifier(KEYS, needs_groups=True), paths, labels, groups=slides, **keep)
    assert refused.value.code == "estimator-needs-groups"


def test_data_frames_of_one_column_are_its_images(
    fitted: ImageClassifier, paths: list[str], labels: list[str], slides: list[str]
) -> None:
    X = pd.DataFrame({"path": paths})
    few = ImageClassifier(INSTANT).fit(X, pd.Series(labels), groups=pd.DataFrame({"slide": slides}))
    np.testing.assert_array_equal(few.predict_proba(X[:9]), fitted.predict_proba(paths[:9]))
    assert fitted.predict(pl.DataFrame({"path": paths[:9]})).tolist() == fitted.predict(paths[:9]).tolist()
    with pytest.raises(NotImages) as refused:
        fitted.predict(X.assign(slide=slides))
    assert refused.value.code == "estimator-columns"


def test_an_image_may_be_listed_several_times(fitted: ImageClassifier, paths: list[str], labels: list[str]) -> None:
    sample = np.random.default_rng(0).integers(0, len(paths), len(paths))
    assert len(set(sample.tolist())) < len(sample)
    X, y = [paths[k] for k in sample], [labels[k] for k in sample]
    predicted = fitted.predict(paths)[sample]
    weights = np.arange(len(sample))
    assert fitted.predict(X).tolist() == fitted.predict(np.array(paths)[sample]).tolist() == predicted.tolist()
    assert fitted.score(X, y, sample_weight=weights) == accuracy_score(y, predicted, sample_weight=weights)
    assert clone(fitted).recipe == fitted.recipe


def test_an_image_that_cannot_be_read_is_one_clear_error(fitted: ImageClassifier, tmp_path: Path) -> None:
    (broken := tmp_path / "broken.png").write_bytes(b"no image")
    for predict in (fitted.predict, fitted.predict_proba):
        with pytest.raises(cs.CoverslipError) as refused:
            predict([str(broken)])
        assert refused.value.code == "image-not-predicted"
        assert str(refused.value.file) == str(broken)
