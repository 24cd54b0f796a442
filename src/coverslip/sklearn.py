"""A scikit-learn estimator that trains and applies a classifier of images."""

import contextlib
import os
import shutil
import tempfile
import warnings
import weakref
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

import coverslip as cs
from coverslip.datasets.index.in_memory import columns_of, is_table
from coverslip.datasets.names import clean_label, some
from coverslip.errors import require_extra
from coverslip.messages import text
from coverslip.pipeline import train_without_report
from coverslip.runs.recipe_keys import check_recipe, values_of, with_values

require_extra("sklearn")

from sklearn.base import BaseEstimator, ClassifierMixin  # noqa: E402
from sklearn.utils import Tags, column_or_1d  # noqa: E402
from sklearn.utils.multiclass import check_classification_targets, unique_labels  # noqa: E402
from sklearn.utils.validation import check_consistent_length, check_is_fitted  # noqa: E402

if TYPE_CHECKING:
    from coverslip.inference import Classifier
    from coverslip.runs.predictions import Predictions

Images = Sequence[Any] | npt.NDArray[Any]  # Any: paths of image files, or images in memory as for `open_dataset`


class NotImages(cs.CoverslipError, ValueError):
    """`X` does not contain images."""


class ImagesWithoutGroups(UserWarning):
    """The names of the images suggest groups, and `fit` has none. As text alone, it can be sent between processes."""


class ImageClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Classifier of images with the interface of scikit-learn.

    `X` is a sequence of paths, of arrays (height, width) or (height, width, channels), one array of all images, or a
    data frame of one column. With the metadata routing of scikit-learn, the estimator requests `groups`. Keys of the
    recipe are parameters: `set_params(recipe__seed=3, recipe__split__folds=5)`.

    Args:
        recipe: the settings of the training: a `Recipe`, or the keys that differ from the defaults, such as
            `{"stage": "instant", "seed": 3}`. Each training keeps validation and test images apart from `X`, as the
            recipe says; with `{"split": {"folds": 5}}` the final classifier is trained on all of `X`.
        needs_groups: whether `fit` refuses to train without `groups`, which tools of scikit-learn may not pass on.

    Attributes:
        classes_: the labels, sorted.
        classifier_file_: the content of a `.coverslip` file.

    Examples:
        >>> from sklearn.model_selection import cross_val_score
        >>> from coverslip.sklearn import ImageClassifier
        >>> scores = cross_val_score(ImageClassifier({"stage": "instant"}), X, y, cv=5)
    """

    __metadata_request__fit = {"groups": True}  # noqa: RUF012  read by scikit-learn

    def __init__(
        self,
        recipe: cs.Recipe | Mapping[str, Any] | None = None,  # Any: values of recipe keys
        *,
        needs_groups: bool = False,
    ) -> None:
        self.recipe = recipe
        self.needs_groups = needs_groups

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters; with `deep` also those of a valid recipe, such as `recipe__split__folds`."""
        params: dict[str, Any] = super().get_params(deep=False)
        if deep:
            with contextlib.suppress(cs.CoverslipError, TypeError, ValueError):  # `fit` refuses this recipe
                values = values_of(_recipe(self.recipe))
                params |= {f"recipe__{key.replace('.', '__')}": value for key, value in values.items()}
        return params

    def set_params(self, **params: Any) -> Self:  # Any: each its own
        """Set parameters, and keys of the recipe such as `recipe__split__folds`.

        Raises:
            BadRecipe: a key or a value of the recipe is not valid.
        """
        values = {name: value for name, value in params.items() if name.startswith("recipe__")}
        super().set_params(**{name: value for name, value in params.items() if name not in values})
        if values:
            keys = (name.removeprefix("recipe__").replace("__", ".") for name in values)
            self.recipe = with_values(_recipe(self.recipe), zip(keys, values.values(), strict=True))
        return self

    def fit(self, X: Images, y: Sequence[Any], groups: Sequence[Any] | None = None) -> Self:  # Any: labels and groups
        """Train on images and their labels.

        Args:
            X: the images.
            y: the label of each image: text or whole numbers.
            groups: the group of each image, such as its patient. Images of a group stay in the same set.

        Warns:
            ImagesWithoutGroups: related names share labels or appearance beyond chance, and `groups` is None.

        Raises:
            NotImages: `X` is empty, or has rows of numbers.
            CoverslipError: `groups` are needed and None, a label cannot be the name of a class, the recipe changes the
                classes, or the training is refused, for example because a class has too few images.
        """
        if self.needs_groups and groups is None:
            raise cs.CoverslipError("estimator-needs-groups")
        images = _images(X)
        labels = column_or_1d(y, warn=True)
        check_consistent_length(X, labels, groups)
        check_classification_targets(labels)
        self.classes_ = unique_labels(labels)
        self._position = _position_of_class(self.classes_)
        column = "path" if all(isinstance(image, str | os.PathLike) for image in images) else "image"
        table = {column: images, "label": [str(label) for label in labels]}
        if groups is not None:
            table["group"] = list(column_or_1d(groups))
        data = cs.open_dataset(table, group=None if groups is None else "group")
        recipe = _recipe(self.recipe)
        if recipe.classes.new_names() or recipe.classes.by_domain:
            raise cs.CoverslipError("estimator-changed-classes")
        with tempfile.TemporaryDirectory(prefix="coverslip-", ignore_cleanup_errors=True) as folder:
            run = train_without_report(data, recipe, out=Path(folder) / "run")
            self.classifier_file_ = cs.export(run, out=Path(folder) / "classifier.coverslip").read_bytes()
            findings = run.inspection.findings if run.inspection else ()
        self._packaged = _Packaged(self.classifier_file_)
        for finding in findings:
            # Names that a split can keep together.
            if groups is None and finding.code == "hidden-groups" and finding.remedies:
                n_groups, example = finding.parameters["n_groups"], finding.parameters["example"]
                sentences = str(cs.CoverslipError("estimator-without-groups", n_groups=n_groups, example=example))
                warnings.warn(sentences, ImagesWithoutGroups, stacklevel=2)
        return self

    def predict(self, X: Images) -> npt.NDArray[Any]:  # Any: the labels
        """Return the predicted label of each image.

        Raises:
            NotImages: `X` is empty, or has rows of numbers.
            CoverslipError: an image cannot be read.
        """
        table = self._predicted(X)
        predicted: npt.NDArray[Any] = self.classes_[[self._position[row.predicted or ""] for row in table]]
        return predicted

    def predict_proba(self, X: Images) -> npt.NDArray[np.float64]:
        """Return (n_images, n_classes) calibrated probabilities in the order of `classes_`.

        Raises:
            NotImages: `X` is empty, or has rows of numbers.
            CoverslipError: an image cannot be read.
        """
        table = self._predicted(X)
        probabilities = np.zeros((len(table), len(self.classes_)))
        probabilities[:, [self._position[name] for name in table.classes]] = table.probabilities
        return probabilities

    def _predicted(self, X: Images) -> "Predictions":
        check_is_fitted(self)
        table = self._packaged.classifier.predict(_images(X))
        for row in table:
            if row.predicted is None:
                raise cs.CoverslipError("image-not-predicted", file=Path(row.path), reason=row.reason or "")
        return table

    def __sklearn_tags__(self) -> Tags:
        """Describe the input for scikit-learn: images, not rows of features."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.input_tags.string = True
        return tags


def _recipe(choices: cs.Recipe | Mapping[str, Any] | None) -> cs.Recipe:  # Any: values of recipe keys
    return choices if isinstance(choices, cs.Recipe) else check_recipe(choices or {})


def _position_of_class(labels: npt.NDArray[Any]) -> dict[str, int]:  # Any: the labels
    """Return the position in `labels` of each class, whose name is the label in the form that tables of images have.

    Raises:
        CoverslipError: a label has no text, or two labels are the same class.
    """
    position: dict[str, int] = {}
    for k, label in enumerate(labels):
        name = clean_label(str(label))
        if not name:
            raise cs.CoverslipError("estimator-empty-label")
        if name in position:
            spellings = f"{labels[position[name]]!r}, {label!r}"
            raise cs.CoverslipError("estimator-equal-labels", name=name, labels=spellings)
        position[name] = k
    return position


class _Packaged:
    """The content of a `.coverslip` file, and its classifier, which a copy or pickle loads again."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __reduce__(self) -> tuple[type[Self], tuple[bytes]]:
        return type(self), (self._content,)

    @cached_property
    def classifier(self) -> "Classifier":
        folder = Path(tempfile.mkdtemp(prefix="coverslip-"))  # the classifier reads its weights when it needs them
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        file = folder / "classifier.coverslip"
        file.write_bytes(self._content)
        return cs.load_classifier(file)


def _images(X: Images) -> list[Any]:  # Any: paths of image files, or images in memory
    """Return the images.

    Raises:
        NotImages: there are none, they are rows of numbers, or a data frame has several columns.
    """
    if hasattr(X, "tocsr"):
        raise NotImages("estimator-without-images", shape=text("estimator-sparse"))
    if is_table(X):
        columns = columns_of(X)
        if len(columns) != 1:
            raise NotImages("estimator-columns", columns=some(columns))
        (X,) = columns.values()
    images = list(X)
    if not images:
        raise NotImages("estimator-x-empty")
    for image in images:
        if isinstance(image, np.ndarray | np.number | np.bool | float | int | list | tuple) and np.ndim(image) < 2:
            raise NotImages("estimator-without-images", shape=text("estimator-rows", n_numbers=np.size(image)))
    return images
