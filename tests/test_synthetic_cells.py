"""The synthetic images: the same by seed, with the planted faults, and neither trivial nor impossible to classify."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError

from coverslip.events import Event, Progressed
from coverslip.synthetic_cells import SEVEN_CLASSES, SampleSet, write_new_images, write_sample_images

N = 100


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> SampleSet:
    return write_sample_images(tmp_path_factory.mktemp("samples"), n_images=N)


def image_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix in {".png", ".bmp"})


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_equal_seeds_write_equal_files_and_other_seeds_other_pixels(samples: SampleSet, tmp_path: Path) -> None:
    repeated = write_sample_images(tmp_path / "again", n_images=N)
    other = write_sample_images(tmp_path / "other", n_images=N, seed=1)
    names = [path.relative_to(samples.folder) for path in image_files(samples.folder)]
    assert names == [path.relative_to(repeated.folder) for path in image_files(repeated.folder)]
    assert all((samples.folder / name).read_bytes() == (repeated.folder / name).read_bytes() for name in names)
    same = [name for name in names if (samples.folder / name).read_bytes() == (other.folder / name).read_bytes()]
    assert not same


def test_every_class_has_images_of_every_slide(samples: SampleSet) -> None:
    files = image_files(samples.folder)
    assert len(files) == samples.n_images == N
    assert {path.parent.name for path in files} == set(samples.classes)
    assert {path.name[:7] for path in files} == set(samples.slides)
    assert len(samples.slides) >= 12
    for name in samples.classes:
        assert len({path.name[:7] for path in files if path.parent.name == name}) == len(samples.slides)


@pytest.mark.slow
def test_duplicates_have_equal_pixels_and_the_last_pair_contradicts_itself(samples: SampleSet) -> None:
    for copy, original in samples.duplicates:
        assert copy != original
        assert np.array_equal(pixels(copy), pixels(original))
    assert any(copy.suffix != original.suffix for copy, original in samples.duplicates)
    assert any(copy.name[:7] != original.name[:7] for copy, original in samples.duplicates)
    classes_differ = [copy.parent != original.parent for copy, original in samples.duplicates]
    assert classes_differ == [False] * (len(classes_differ) - 1) + [True]


def test_apart_from_the_duplicates_no_two_images_are_equal(samples: SampleSet) -> None:
    copies = {copy for copy, _ in samples.duplicates}
    others = [path for path in image_files(samples.folder) if path not in copies and path not in samples.broken]
    assert len({pixels(path).tobytes() for path in others}) == len(others)


def test_the_broken_file_and_only_that_cannot_be_decoded(samples: SampleSet) -> None:
    broken = []
    for path in image_files(samples.folder):
        try:
            pixels(path)
        except (OSError, UnidentifiedImageError):
            broken.append(path)
    assert tuple(broken) == samples.broken
    assert len(broken) == 1


def test_images_are_color_crops_of_varying_size(samples: SampleSet) -> None:
    shapes = [pixels(path).shape for path in image_files(samples.folder) if path not in samples.broken]
    assert {len(shape) for shape in shapes} == {3}
    assert {shape[2] for shape in shapes} == {3}
    sides = [side for shape in shapes for side in shape[:2]]
    assert min(sides) >= 96
    assert max(sides) <= 160
    assert len(set(shapes)) > 10


def test_slides_differ_more_in_background_than_images_of_one_slide(samples: SampleSet) -> None:
    background: dict[str, list[np.ndarray]] = {}
    for path in image_files(samples.folder):
        if path not in samples.broken:
            corners = np.percentile(pixels(path).reshape(-1, 3), 90, axis=0)
            background.setdefault(path.name[:7], []).append(corners)
    within = np.mean([np.std(values, axis=0) for values in background.values()])
    between = np.std([np.mean(values, axis=0) for values in background.values()], axis=0).mean()
    assert between > 1.5 * within


def test_mean_color_alone_does_not_distinguish_the_classes(samples: SampleSet) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    files = [path for path in image_files(samples.folder) if path not in samples.broken]
    color = np.array([pixels(path).reshape(-1, 3).mean(axis=0) for path in files])
    labels, slides = [path.parent.name for path in files], [path.name[:7] for path in files]
    model = make_pipeline(StandardScaler(), LogisticRegression())
    accuracy = cross_val_score(model, color, labels, groups=slides, cv=GroupKFold(5)).mean()
    assert accuracy < 0.6


def test_a_design_has_other_classes_uneven_slides_and_a_wrong_label(tmp_path: Path) -> None:
    samples = write_sample_images(tmp_path / "images", design=SEVEN_CLASSES, n_images=N)
    copies = {copy for copy, _ in samples.duplicates}
    assert set(samples.drawn) | copies == set(image_files(samples.folder))
    assert {path.parent.name for path in samples.drawn} == set(samples.classes) == set(SEVEN_CLASSES.similar)
    assert samples.mislabeled == tuple(path for path, label in samples.drawn.items() if path.parent.name != label)
    assert len(samples.mislabeled) == 1
    of_slides: dict[str, list[str]] = {path.name[:7]: [] for path in samples.drawn}
    for path, label in samples.drawn.items():
        of_slides[path.name[:7]].append(label)
    assert any(len(set(labels)) < len(labels) / 2 for labels in of_slides.values())  # all differ if slides are even
    new = write_new_images(tmp_path / "new", design=SEVEN_CLASSES, n_images=12, n_slides=3, folder_per_slide=True)
    assert {path.parent.name for path in new.drawn} == set(new.slides) == {"slide61", "slide62"}  # seven images each


def test_new_images_are_flat_and_of_slides_that_training_has_not_seen(samples: SampleSet, tmp_path: Path) -> None:
    new = write_new_images(tmp_path, n_images=12)
    files = image_files(tmp_path)
    assert len(files) == new.n_images == 12
    assert {path.parent for path in files} == {tmp_path}
    assert not {path.name[:7] for path in files} & set(samples.slides)
    assert len(new.broken) == 1


def test_the_folder_says_that_it_is_synthetic(samples: SampleSet) -> None:
    assert "SYNTHETIC" in (samples.folder / "README.txt").read_text(encoding="utf-8")


def test_progress_ends_at_the_total(tmp_path: Path) -> None:
    events: list[Event] = []
    write_new_images(tmp_path, n_images=5, emit=events.append)
    last = events[-1]
    assert isinstance(last, Progressed)
    assert last.done == last.total == 5


def test_too_few_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 60"):
        write_sample_images(tmp_path, n_images=10)
