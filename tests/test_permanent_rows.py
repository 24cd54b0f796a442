"""What is said about an image stays on its pixels, whatever happens to its file and to the sources of its dataset."""

import csv
import io
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from drawing import save_cell
from hypothesis import given, settings
from hypothesis import strategies as st
from image_kinds import write_zarr
from image_sets import workspace_in
from prediction_tables import written_prediction
from refusing import refusing
from sqlalchemy import select, update

from coverslip.cache import file_hashes
from coverslip.errors import Conflict
from coverslip.files import sha256_file
from coverslip.images.reader import ReadPlan
from coverslip.runs.predictions import Prediction
from coverslip.workspace.backups import restore_backup, write_backup
from coverslip.workspace.correcting import undoing
from coverslip.workspace.correcting.corrections import correct, dataset_of, exclude, history_lines
from coverslip.workspace.correcting.draws import decide, draw_images, import_readings, label_image, labels_table
from coverslip.workspace.correcting.joining import join_dataset
from coverslip.workspace.datasets import image_rows
from coverslip.workspace.datasets.image_rows import states_of_images
from coverslip.workspace.datasets.labels import (
    confirm_labels,
    resolve_overwritten,
    set_labels,
    table_lines,
    training_images,
)
from coverslip.workspace.datasets.reading_images import inspection
from coverslip.workspace.datasets.selection import ImageSelection
from coverslip.workspace.datasets.sources import Source, change_dataset, open_sources, refresh_dataset
from coverslip.workspace.datasets.state import dataset_state
from coverslip.workspace.lists import images_of_job
from coverslip.workspace.store.rows import acting_as, confirmed_ids, dataset_row, keys_of_dataset
from coverslip.workspace.store.tables import blind_labels, images, results
from coverslip.workspace.store.workspace import open_workspace

PLACES, LABELS = st.integers(0, 6), st.sampled_from(["x", "y"])
AUTHORS = st.sampled_from(["ada", "bob"])  # two clients
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["label", "read", "correct", "check"]), PLACES, LABELS, AUTHORS),
        st.tuples(
            st.sampled_from(["exclude", "confirm", "remove", "restore", "rename", "overwrite"]),
            PLACES,
            st.none(),
            AUTHORS,
        ),
        st.tuples(st.just("exchange"), PLACES, PLACES, AUTHORS),
        st.tuples(
            st.sampled_from(["refresh", "move", "second", "backup", "keep", "drop", "undo drop", "undo keep"]),
            *2 * [st.none()],
            AUTHORS,
        ),
        st.tuples(st.sampled_from(["predict", "predict folder", "dataset", "join"]), *2 * [st.none()], AUTHORS),
    ),
    min_size=6,
    max_size=24,
)


@dataclass
class Said:
    label: str | None = None  # None: that of the folder was left
    is_excluded: bool = False
    confirmed: str | None = None
    reading: str | None = None
    n: int = 0  # how often anything was said


@dataclass(eq=False)
class Known:
    """An image of the dataset: the seed of the pixels that something was said about, and of those that were read."""

    former: int
    current: int
    path: Path
    is_present: bool = True

    @property
    def is_overwritten(self) -> bool:
        return self.former != self.current


@dataclass
class Predicted:
    """A row of a prediction: the seed of its pixels, its file, its image in the dataset, and what users answered."""

    seed: int
    file: Path
    image: Known | None
    answer: str | None = None
    check: str | None = None  # the label of the spot check

    @property
    def place(self) -> Path:
        return self.file if self.image is None else self.image.path


@dataclass
class Kept:
    """An image whose labels were kept for its current content, its former content, and the results of that."""

    image: Known
    former: int
    current: int
    n_said: int
    results: list[Predicted]


class Laboratory:
    """Two folders of images, a dataset, and what was said about each image, by the seed of its pixels."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.workspace = folder, workspace_in(folder)
        self.first, self.second, self.has_second = folder / "first", folder / "second", False
        places = [*(self.first / name / f"{k}.png" for name in "ab" for k in range(2)), self.second / "a" / "0.png"]
        self.files = {path: seed for seed, path in enumerate(places)}
        self.n_seeds = len(places)
        for path, seed in self.files.items():
            save_cell(path, seed=seed)
        self.statements = {seed: Said() for seed in self.files.values()}
        self.removed: list[int] = []
        self.drops: list[tuple[int, dict[Path, Known]]] = []  # changes, and the images by path
        self.keeps: list[tuple[int, list[Kept]]] = []
        self.predicted: dict[str, list[Predicted]] = {}
        self.known: list[Known] = []
        self.listed: dict[Path, Known] = {}  # the images of the dataset, as they were read last
        self.dataset_id = open_sources(self.workspace, self.sources).id
        self.other_id = ""  # the dataset that predicted images are added to
        self.read()

    @property
    def sources(self) -> list[Source]:
        return [Source(str(self.first)), *([Source(str(self.second))] if self.has_second else [])]

    def read(self) -> None:
        """Follow the images as the app should: by their pixels, else those that something was said about by path."""
        self.workspace.background.wait_all()
        folders = [Path(source.path) for source in self.sources]
        free = {path: seed for path, seed in self.files.items() if any(map(path.is_relative_to, folders))}
        self.listed = {}

        def match(image: Known, path: Path | None) -> None:
            if image not in self.listed.values() and path in free:
                image.current, image.path = free.pop(path), path
                self.listed[path] = image

        def path_of(seed: int) -> Path | None:
            return next((path for path in free if free[path] == seed), None)

        present = [image for image in self.known if image.is_present]
        for images_ in (present, [image for image in self.known if not image.is_present]):
            for image in images_:
                match(image, path_of(image.former))
            for image in images_:
                match(image, path_of(image.current))
        for image in present:
            if self.statements[image.former].n > 0:
                match(image, image.path)
        for path, seed in free.items():
            self.listed[path] = Known(seed, seed, path)
            self.known.append(self.listed[path])
        for image in self.known:
            image.is_present = image in self.listed.values()

    def rows(self) -> list[tuple[int, Path]]:
        query = select(images.c.row_id, images.c.path).where(images.c.dataset_id == self.dataset_id)
        with self.workspace.engine.connect() as connection:
            return [(row.row_id, Path(row.path)) for row in connection.execute(query.order_by(images.c.path))]

    def do(self, step: str, place: int | None, more: object, author: str = "ada") -> None:
        with acting_as(author):
            self.act(step, place or 0, more)

    def act(self, step: str, place: int, more: object) -> None:
        if step in ("label", "read", "exclude", "confirm"):
            rows = self.rows()
            row_id, path = rows[place % len(rows)]
            if self.is_as_read(path):
                self.say(step, row_id, path, str(more))
            else:  # another image is there
                with pytest.raises(Conflict):
                    set_labels(self.workspace, self.dataset_id, ImageSelection(rows=[row_id]), "x")
        elif step in ("refresh", "move", "second"):
            self.sort(step)
        elif step in ("keep", "drop"):
            self.resolve(is_kept=step == "keep")
        elif step == "undo drop" and self.drops:
            self.undo_drop()
        elif step == "undo keep" and self.keeps:
            self.undo_keep()
        elif step in ("predict", "predict folder"):
            self.predict(is_of_dataset=step == "predict")
        elif step in ("correct", "check"):
            self.answer(step, place, str(more))
        elif step in ("dataset", "join"):
            self.use_answers(step)
        elif step == "backup":
            self.restore_from_backup()
        else:
            self.change(step, place, more)

    def is_as_read(self, path: Path) -> bool:
        """Whether the image of a path is neither overwritten nor another one since the dataset was read."""
        image = self.listed[path]
        return self.files.get(path, image.current) == image.current == image.former

    def resolve(self, *, is_kept: bool) -> None:
        overwritten = [image for image in self.listed.values() if image.is_overwritten]
        assert len(overwritten_ids(self)) == len(overwritten)
        if not overwritten:
            return
        selection = ImageSelection(images=overwritten_ids(self))
        change, n = resolve_overwritten(self.workspace, self.dataset_id, selection, is_kept=is_kept)
        assert n == len(overwritten)
        assert change is not None
        if is_kept:
            rows_of = {id(image): [row for row in self.all_predicted() if row.image is image] for image in overwritten}
            decisions = [
                Kept(image, image.former, image.current, self.statements[image.former].n, rows_of[id(image)])
                for image in overwritten
            ]
            self.keeps.append((change, decisions))
        else:
            self.drops.append((change, {image.path: image for image in overwritten}))
        for image in overwritten:
            if is_kept:
                self.statements[image.current] = self.statements[image.former]
                self.statements[image.former] = Said()
                image.former = image.current
                for row in self.all_predicted():
                    row.image = None if row.image is image else row.image
            else:
                self.listed[image.path] = Known(image.current, image.current, image.path)
                self.known.append(self.listed[image.path])
                image.is_present, image.current = False, image.former

    def undo_drop(self) -> None:
        """Undo the last drop: images are listed as overwritten again if nothing was said about the new ones."""
        change, dropped = self.drops.pop()
        restored = {}
        for path, image in dropped.items():
            new = self.listed.get(path)
            if not image.is_present and new is not None and not self.statements[new.former].n > 0:
                restored[path] = image
        if not restored:
            with refusing(Conflict, "changed-since"):
                undoing.undo(self.workspace, change)
            return
        step = undoing.undo(self.workspace, change)
        assert (step.n, step.n_left) == (len(restored), len(dropped) - len(restored))
        for path, image in restored.items():
            new = self.listed[path]
            new.is_present, image.is_present, image.current = False, True, new.current
            self.listed[path] = image

    def undo_keep(self) -> None:
        """Undo the last keep: images are overwritten again if nothing was said or predicted since."""
        change, decisions = self.keeps.pop()
        of_image = {id(row.image) for row in self.all_predicted()}
        contents = {image.current for image in self.known if image.is_present or self.statements[image.former].n}
        restored = [
            each
            for each in decisions
            if each.image.is_present
            and each.image.former == each.image.current == each.current
            and self.statements[each.image.current].n == each.n_said
            and id(each.image) not in of_image
            and each.former not in contents
        ]
        if not restored:
            with refusing(Conflict, "changed-since"):
                undoing.undo(self.workspace, change)
            return
        step = undoing.undo(self.workspace, change)
        assert (step.n, step.n_left) == (len(restored), len(decisions) - len(restored))
        for each in restored:
            image = each.image
            image.former = each.former
            self.statements[each.former] = self.statements[image.current]
            self.statements[image.current] = Said()
            for row in each.results:
                row.image = image

    def all_predicted(self) -> list[Predicted]:
        return [row for rows in self.predicted.values() for row in rows]

    def predict(self, *, is_of_dataset: bool) -> None:
        """Predict the images that are there; a request for those of the dataset is refused if files have changed."""
        if is_of_dataset and not all(map(self.is_as_read, self.listed)):
            with self.workspace.engine.connect() as connection, pytest.raises(Conflict):
                image_rows.refuse_changed_files(connection, dataset_row(connection, self.dataset_id))
            return
        id_of = dict(self.image_ids())
        paths = [path for path in (self.listed if is_of_dataset else sorted(self.files)) if path in self.files]
        rows = [Prediction(id_of.get(path, str(path)), str(path), None, "x", 0.9, "x", (0.9, 0.1)) for path in paths]
        keys = {"dataset_id": self.dataset_id, "image_keys": keys_of_dataset(self.workspace, self.dataset_id)}
        job_id = written_prediction(
            self.workspace,
            ("x", "y"),
            [(row, ReadPlan()) for row in rows],
            f"prediction-{len(self.predicted)}",
            [sha256_file(path) for path in paths],
            **(keys if is_of_dataset else {}),
        )
        self.predicted[job_id] = [
            Predicted(self.files[path], path, self.listed[path] if is_of_dataset else None) for path in paths
        ]
        assert len(images_of_job(self.workspace, job_id).at(range(len(rows)))) == len(rows)
        draw_images(self.workspace, job_id, len(rows))

    def image_ids(self) -> list[tuple[Path, str]]:
        query = select(images.c.path, images.c.image_id).where(images.c.dataset_id == self.dataset_id)
        with self.workspace.engine.connect() as connection:
            return [(Path(row.path), row.image_id) for row in connection.execute(query)]

    def is_changed(self, row: Predicted) -> bool:
        """Whether other pixels are where those of a row were."""
        return self.files.get(row.place, row.seed) != row.seed

    def answer(self, step: str, place: int, label: str) -> None:
        """Correct a row of the last prediction, and with it the image of the dataset, or label it in the spot check."""
        if not self.predicted:
            return
        job_id, rows = list(self.predicted.items())[-1]
        row = rows[k := place % len(rows)]
        if step == "check":
            if self.is_changed(row):
                with pytest.raises(Conflict):
                    label_image(self.workspace, job_id, k, label)
                return
            label_image(self.workspace, job_id, k, label)
            row.check = label
            return
        image = row.image if row.image is not None and row.image.is_present else None
        if self.is_changed(row) or (image is not None and not self.is_as_read(image.path)):
            with pytest.raises(Conflict):
                correct(self.workspace, job_id, k, label)
            return
        correct(self.workspace, job_id, k, label)
        row.answer = label
        if image is not None:
            statements = self.statements[image.former]
            statements.label, statements.n = label, statements.n + 1

    def use_answers(self, step: str) -> None:
        """Make a dataset of the corrected images of the last prediction, or add them to another dataset."""
        rows = list(self.predicted.values())[-1] if self.predicted else []
        answered = {row.seed: row.answer for row in rows if row.answer is not None and row.place in self.files}
        if not answered:
            return
        if not self.other_id:
            save_cell(self.folder / "other" / "x" / "0.png", seed=1000)
            self.other_id = open_sources(self.workspace, [Source(str(self.folder / "other"))]).id
            self.workspace.background.wait_all()
        job_id = list(self.predicted)[-1]
        try:
            if step == "dataset":
                dataset_id = dataset_of(self.workspace, job_id, only="corrected", name=None).id
            else:
                dataset_id = join_dataset(self.workspace, job_id, self.other_id).dataset.id
        except Conflict:
            assert any(self.is_changed(row) for row in rows if row.answer is not None)
            return
        self.workspace.background.wait_all()
        query = select(images.c.path, images.c.label).where(images.c.dataset_id == dataset_id)
        with self.workspace.engine.connect() as connection:
            labels = {self.files.get(Path(row.path)): row.label for row in connection.execute(query)}
        assert labels.items() >= answered.items()

    def restore_from_backup(self) -> None:
        """Go on with a copy of the workspace that was restored from a backup."""
        n = len(list(self.folder.glob("*.zip")))
        write_backup(self.workspace, self.folder / f"{n}.zip")
        self.workspace.engine.dispose()
        restored = restore_backup(self.folder / f"{n}.zip", self.folder / f"restored {n}")
        self.workspace = open_workspace(restored.folder, (self.folder,))

    def say(self, step: str, row_id: int, path: Path, label: str) -> None:
        statements, selection = self.statements[self.listed[path].former], ImageSelection(rows=[row_id])
        statements.n += 1
        match step:
            case "label":
                statements.label = label
                set_labels(self.workspace, self.dataset_id, selection, label)
            case "exclude":
                statements.is_excluded = not statements.is_excluded
                exclude(self.workspace, self.dataset_id, selection, is_excluded=statements.is_excluded)
            case "confirm":
                statements.confirmed = statements.label or path.parent.name
                confirm_labels(self.workspace, self.dataset_id, selection, is_confirmed=True)
            case _:
                statements.reading = label
                table = self.folder / "readings.csv"
                table.write_text(f"path,label,author\n{path},{label},eva\n", encoding="utf-8")
                assert import_readings(self.workspace, self.dataset_id, table).n == 1

    def change(self, step: str, place: int, more: object) -> None:
        paths = sorted(path for path in self.files if path.is_relative_to(self.first))
        path = paths[place % len(paths)]
        if step == "remove" and len(paths) > 1:
            self.removed.append(self.files.pop(path))
            path.unlink()
        elif step == "restore" and self.removed:
            seed = self.removed.pop()
            new = path.with_name(f"restored {len(list(self.folder.rglob('*')))} {seed}.png")
            self.files[new] = seed
            save_cell(new, seed=seed)
        elif step == "rename":
            new = path.with_name(f"renamed {self.files[path]}.png")
            if new not in self.files:
                self.files[new] = self.files.pop(path)
                path.rename(new)
        elif step == "overwrite":
            self.removed.append(self.files[path])
            self.files[path], self.n_seeds = self.n_seeds, self.n_seeds + 1
            self.statements[self.files[path]] = Said()
            save_cell(path, seed=self.files[path])
        elif step == "exchange" and isinstance(more, int):
            other = paths[more % len(paths)]
            self.files[path], self.files[other] = self.files[other], self.files[path]
            for each in (path, other):
                save_cell(each, seed=self.files[each])

    def sort(self, step: str) -> None:
        if step == "refresh":
            refresh_dataset(self.workspace, self.dataset_id)
            self.read()
            return
        if step == "move":
            former, self.first = self.first, self.first.with_name(f"{self.first.name}+")
            former.rename(self.first)
            places = {path: self.first / path.relative_to(former) for path in self.files if path.is_relative_to(former)}
            self.files = {places.get(path, path): seed for path, seed in self.files.items()}
        else:
            self.has_second = not self.has_second
        sources = [{"path": source.path, "domain": source.domain} for source in self.sources]
        change_dataset(self.workspace, self.dataset_id, {"sources": sources})
        self.read()

    def check(self) -> None:
        self.sort("refresh")
        is_reading = select(blind_labels).where(~blind_labels.c.is_first, blind_labels.c.list_id == self.dataset_id)
        with self.workspace.engine.connect() as connection:
            rows = connection.execute(select(images).where(images.c.dataset_id == self.dataset_id)).all()
            confirmed = confirmed_ids(connection, self.dataset_id)
            reading_of = {row.row_id: row.label for row in connection.execute(is_reading)}
        assert {Path(row.path) for row in rows} == set(self.listed)
        overwritten = {row.image_id for row in rows if self.listed[Path(row.path)].is_overwritten}
        assert set(overwritten_ids(self)) == overwritten
        for row in rows:
            path = Path(row.path)
            statements = self.statements[self.listed[path].former]
            label = statements.label or path.parent.name
            assert (row.label, row.is_excluded, reading_of.get(row.row_id)) == (
                label,
                statements.is_excluded,
                statements.reading,
            )
            assert (row.image_id in confirmed) == (statements.confirmed == label)
        image_of = {row.row_id: self.listed[Path(row.path)] for row in rows}
        for job_id, of_job in self.predicted.items():
            self.check_predicted(job_id, of_job, image_of)

    def check_predicted(self, job_id: str, rows: list[Predicted], image_of: dict[int, Known]) -> None:
        query = select(results.c.row_id, results.c.image).where(results.c.job_id == job_id)
        with self.workspace.engine.connect() as connection:
            stored = dict(connection.execute(query.order_by(results.c.row_id)).all())
        listed = images_of_job(self.workspace, job_id)
        assert [row.correction for row in listed.at(range(len(rows)))] == [row.answer for row in rows]
        for k, row in enumerate(rows):
            image = image_of.get(stored[k])
            assert image is (row.image if row.image is not None and row.image.is_present else None)
            assert image is None or image.is_overwritten or image.current == row.seed
        labeled = [row for row in rows if row.check is not None]
        if any(map(self.is_changed, labeled)):
            with pytest.raises(Conflict):
                labels_table(self.workspace, job_id)
            return
        table = csv.DictReader(io.StringIO(labels_table(self.workspace, job_id)))
        assert {row["label"] for row in table} - {""} == {row.check for row in labeled}


@pytest.mark.slow
@settings(max_examples=5)
@given(STEPS)
def test_all_that_is_said_stays_on_the_pixels(steps: list[tuple[str, int | None, object, str]]) -> None:
    check_steps(steps)


@pytest.mark.exhaustive
@settings(max_examples=100)
@given(STEPS)
def test_all_that_is_said_stays_on_the_pixels_in_many_sequences(
    steps: list[tuple[str, int | None, object, str]],
) -> None:
    check_steps(steps)


def check_steps(steps: list[tuple[str, int | None, object, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        laboratory = Laboratory(Path(folder).resolve())
        for step in steps:
            laboratory.do(*step)
        laboratory.check()
        laboratory.workspace.engine.dispose()


def labels_by_name(laboratory: Laboratory) -> dict[str, str | None]:
    query = select(images.c.path, images.c.label).where(images.c.dataset_id.is_not(None))
    with laboratory.workspace.engine.connect() as connection:
        return {f"{Path(row.path).parent.name}/{Path(row.path).name}": row.label for row in connection.execute(query)}


def refreshed(laboratory: Laboratory) -> dict[str, str | None]:
    """The labels by name, after the sources were read again."""
    refresh_dataset(laboratory.workspace, laboratory.dataset_id)
    laboratory.workspace.background.wait_all()
    return labels_by_name(laboratory)


def test_a_missing_image_comes_back_after_other_pixels_were_chosen(tmp_path: Path) -> None:
    laboratory = Laboratory(tmp_path)
    laboratory.do("second", None, None)
    laboratory.do("label", 4, "x")
    laboratory.do("second", None, None)
    change_dataset(laboratory.workspace, laboratory.dataset_id, {"pixels": {"channels": [1]}})
    laboratory.workspace.background.wait_all()
    laboratory.do("second", None, None)
    is_second = images.c.path == str(laboratory.second / "a" / "0.png")
    with laboratory.workspace.engine.connect() as connection:
        row = connection.execute(select(images.c.label, images.c.dataset_id).where(is_second)).one()
    assert tuple(row) == ("x", laboratory.dataset_id)


def test_labels_of_duplicates_follow_the_one_that_is_renamed(tmp_path: Path) -> None:
    laboratory = Laboratory(tmp_path)
    first, second, *_ = sorted(laboratory.listed)
    save_cell(second, seed=laboratory.files[first])
    refreshed(laboratory)
    for (row_id, _), label in zip(laboratory.rows(), "xy", strict=False):
        set_labels(laboratory.workspace, laboratory.dataset_id, ImageSelection(rows=[row_id]), label)
    third = second.rename(second.with_name("renamed.png"))
    assert refreshed(laboratory) == {"a/0.png": "x", "a/renamed.png": "y", "b/0.png": "b", "b/1.png": "b"}
    first.unlink()
    refreshed(laboratory)
    third.rename(second)
    assert refreshed(laboratory) == {"a/1.png": "y", "b/0.png": "b", "b/1.png": "b"}


def test_an_image_that_was_not_read_again_before_it_went_missing_keeps_its_content(tmp_path: Path) -> None:
    laboratory = Laboratory(tmp_path)
    laboratory.do("label", 0, "x")
    missing, *_ = sorted(laboratory.listed)
    nothing = dict.fromkeys(("pixel_hash", "width_px", "height_px"))
    with laboratory.workspace.engine.begin() as connection:  # as a server leaves it that ends before it reads
        connection.execute(update(images).values(**nothing, version="0" * 16))
    missing.unlink()
    refreshed(laboratory)
    save_cell(missing, seed=200)
    assert refreshed(laboratory)["a/0.png"] == "a"


def test_an_exclusion_of_a_missing_image_is_undone_with_the_others(tmp_path: Path) -> None:
    laboratory = Laboratory(tmp_path)
    (missing, path), (present, _), *_ = laboratory.rows()
    both = ImageSelection(rows=[missing, present])
    change, n = exclude(laboratory.workspace, laboratory.dataset_id, both, is_excluded=True)
    content = path.read_bytes()
    path.unlink()
    refreshed(laboratory)
    assert (n, undoing.undo(laboratory.workspace, change or 0).n) == (2, 2)
    path.write_bytes(content)
    refreshed(laboratory)
    with laboratory.workspace.engine.connect() as connection:
        rows = connection.execute(select(images.c.row_id, images.c.is_excluded).order_by(images.c.position)).all()
    assert (rows[0].row_id, {row.is_excluded for row in rows}) == (missing, {False})


def test_nothing_is_said_about_a_file_that_was_exchanged_until_the_dataset_is_read_again(tmp_path: Path) -> None:
    laboratory = Laboratory(tmp_path)
    laboratory.do("label", 0, "x")  # so that trainings get a table of labels
    (row_id, path), (other, _), *_ = laboratory.rows()
    touched = path.read_bytes()
    path.write_bytes(touched)  # the same content, at another time
    chosen_labels = [set_labels(laboratory.workspace, laboratory.dataset_id, ImageSelection(rows=[row_id]), "y")[1]]
    with laboratory.workspace.engine.connect() as connection:  # so that the next label need not read the file
        state = connection.execute(select(images.c.file_state).where(images.c.row_id == row_id)).scalar_one()
    assert states_of_images([(path,)]) == {(path,): state}
    laboratory.do("exchange", 0, 1)
    image = ImageSelection(rows=[row_id])
    for action in (
        lambda: set_labels(laboratory.workspace, laboratory.dataset_id, image, "x"),
        lambda: confirm_labels(laboratory.workspace, laboratory.dataset_id, image, is_confirmed=True),
        lambda: exclude(laboratory.workspace, laboratory.dataset_id, image, is_excluded=True),
        lambda: training_images(laboratory.workspace, laboratory.dataset_id),
    ):
        with pytest.raises(Conflict) as refused:
            action()
        assert refused.value.code == "image-files-changed"
    refreshed(laboratory)
    chosen_labels.append(set_labels(laboratory.workspace, laboratory.dataset_id, image, "x")[1])
    training_images(laboratory.workspace, laboratory.dataset_id)
    assert chosen_labels == [1, 1]
    assert other != row_id


def write_images(folder: Path, kind: str) -> Path:
    """Two images of several files each, or 600 crops of a file: a table of them."""
    rows = ["path,label"]
    if kind == "channels":
        rows = ["channel_1,channel_2,label"]
        for k in range(2):
            files = [save_cell(folder / f"{k}_{c}.png", seed=2 * k + c) for c in range(2)]
            rows.append(f"{files[0].name},{files[1].name},{'ab'[k]}")
    elif kind == "zarr":
        for k in range(2):
            write_zarr(folder / f"{k}.zarr", np.full((1, 16, 16), k + 1, np.uint8), "CYX", "0.5")
            rows.append(f"{k}.zarr,{'ab'[k]}")
    else:
        save_cell(folder / "0.png", seed=0, side=30)
        rows = ["path,label,x,y,width,height"] + [
            f"0.png,{'ab'[x % 2]},{x},{y},4,4" for x in range(25) for y in range(24)
        ]
    (folder / "t.csv").write_text("\n".join(rows), encoding="utf-8")
    return folder / "t.csv"


@pytest.mark.parametrize(
    ("kind", "changed"), [("channels", "0_1.png"), ("zarr", "0.zarr/0/c/0/0/0"), ("crops", "0.png")]
)
def test_all_files_of_all_images_are_compared(tmp_path: Path, kind: str, changed: str) -> None:
    (folder := tmp_path / "images").mkdir()
    home, file = workspace_in(tmp_path), folder / changed
    dataset_id = open_sources(home, [Source(str(write_images(folder, kind)))]).id
    home.background.wait_all()
    with home.engine.connect() as connection:
        rows = connection.execute(select(images.c.row_id).order_by(images.c.position)).scalars().all()
    everything = ImageSelection(rows=list(rows))
    set_labels(home, dataset_id, everything, "c")
    read = file.read_bytes()
    file.write_bytes(read)  # other times, the same content
    set_labels(home, dataset_id, everything, "a")
    file.write_bytes(bytes([*read[:-9], read[-9] ^ 255, *read[-8:]]))
    for action in (
        lambda: set_labels(home, dataset_id, everything, "b"),
        lambda: exclude(home, dataset_id, everything, is_excluded=True),
        lambda: list(table_lines(home, dataset_id)),
    ):
        with pytest.raises(Conflict) as refused:
            action()
        assert refused.value.code == "image-files-changed"
    if kind != "crops":
        assert set_labels(home, dataset_id, ImageSelection(rows=[rows[1]]), "d")[1] == 1
    file.write_bytes(read)
    assert len(list(table_lines(home, dataset_id))) > 0


def test_files_that_are_too_large_to_compare_are_read_again_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    laboratory = Laboratory(tmp_path)
    monkeypatch.setattr(image_rows, "_MOST_BYTES_READ", 1)
    (row_id, path), *_ = laboratory.rows()
    path.write_bytes(path.read_bytes())
    with pytest.raises(Conflict):
        set_labels(laboratory.workspace, laboratory.dataset_id, ImageSelection(rows=[row_id]), "x")
    refreshed(laboratory)
    assert set_labels(laboratory.workspace, laboratory.dataset_id, ImageSelection(rows=[row_id]), "x")[1] == 1


def test_files_whose_content_is_known_are_not_too_large_to_compare(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    laboratory = Laboratory(tmp_path)
    (row_id, path), *_ = laboratory.rows()
    path.write_bytes(path.read_bytes())
    monkeypatch.setattr(file_hashes, "_SETTLED_NS", 0)  # else a hash is stored a minute after the last change
    open_sources(laboratory.workspace, [Source(str(path.parent))], is_labeled=False)  # reads the file
    laboratory.workspace.background.wait_all()
    monkeypatch.setattr(image_rows, "_MOST_BYTES_READ", 1)
    assert set_labels(laboratory.workspace, laboratory.dataset_id, ImageSelection(rows=[row_id]), "x")[1] == 1


def test_decisions_and_imports_are_about_the_content_that_was_read(tmp_path: Path) -> None:
    laboratory = Laboratory(tmp_path)
    home, dataset_id = laboratory.workspace, laboratory.dataset_id
    laboratory.do("read", 0, "b")  # the first label is another one
    (row_id, path), *_ = laboratory.rows()
    laboratory.do("exchange", 0, 1)
    (laboratory.folder / "readings.csv").write_text(f"path,label,author\n{path},a,ada\n", encoding="utf-8")
    for action in (
        lambda: decide(home, dataset_id, row_id, "b"),
        lambda: import_readings(home, dataset_id, laboratory.folder / "readings.csv"),
    ):
        with pytest.raises(Conflict) as refused:
            action()
        assert refused.value.code == "image-files-changed"
    refreshed(laboratory)
    assert decide(home, dataset_id, row_id, "b").label == "b"


def overwritten_ids(laboratory: Laboratory) -> list[str]:
    """The image_ids that the findings list as overwritten."""
    findings = inspection(laboratory.workspace, laboratory.dataset_id).findings
    return [image_id for finding in findings if finding.code == "overwritten" for (image_id,) in finding.images]


def relabeled(tmp_path: Path) -> tuple[Laboratory, int, Path, bytes]:
    """A labeled, confirmed and excluded image whose file was overwritten by another: its row, file and former bytes."""
    laboratory = Laboratory(tmp_path)
    for step in ("label", "confirm", "read", "exclude"):
        laboratory.do(step, 0, "x")
    (row_id, path), *_ = laboratory.rows()
    former = path.read_bytes()
    save_cell(path, seed=100)
    refreshed(laboratory)
    return laboratory, row_id, path, former


def said_about(laboratory: Laboratory, row_id: int) -> tuple[object, ...]:
    """The label and exclusion of an image, whether it is confirmed, and its reading."""
    of_image = select(images.c.image_id, images.c.label, images.c.is_excluded).where(images.c.row_id == row_id)
    is_reading = (blind_labels.c.row_id == row_id) & ~blind_labels.c.is_first
    with laboratory.workspace.engine.connect() as connection:
        image_id, *statements = connection.execute(of_image).one()
        is_confirmed = image_id in confirmed_ids(connection, laboratory.dataset_id)
        return (*statements, is_confirmed, connection.execute(select(blind_labels.c.label).where(is_reading)).scalar())


SAID, NOT_SAID = ("x", True, True, "x"), ("a", False, False, None)


def resolve(laboratory: Laboratory, *, is_kept: bool) -> None:
    selection = ImageSelection(images=overwritten_ids(laboratory))
    resolve_overwritten(laboratory.workspace, laboratory.dataset_id, selection, is_kept=is_kept)


def test_labels_of_overwritten_images_are_listed_until_they_are_kept(tmp_path: Path) -> None:
    laboratory, row_id, _, _ = relabeled(tmp_path)
    refreshed(laboratory)
    assert (overwritten_ids(laboratory), said_about(laboratory, row_id)) == (["a/0.png"], SAID)
    image = ImageSelection(rows=[row_id])
    for action in (
        lambda: set_labels(laboratory.workspace, laboratory.dataset_id, image, "y"),
        lambda: exclude(laboratory.workspace, laboratory.dataset_id, image, is_excluded=False),
        lambda: decide(laboratory.workspace, laboratory.dataset_id, row_id, "b"),
        lambda: list(table_lines(laboratory.workspace, laboratory.dataset_id)),
        lambda: training_images(laboratory.workspace, laboratory.dataset_id),
    ):
        with refusing(Conflict, "images-overwritten"):
            action()
    resolve(laboratory, is_kept=True)
    assert len(list(table_lines(laboratory.workspace, laboratory.dataset_id))) > 0
    assert (overwritten_ids(laboratory), said_about(laboratory, row_id)) == ([], SAID)
    refreshed(laboratory)
    assert set_labels(laboratory.workspace, laboratory.dataset_id, image, "y")[1] == 1


def test_dropped_labels_of_overwritten_images_come_back_with_the_former_content(tmp_path: Path) -> None:
    laboratory, row_id, path, former = relabeled(tmp_path)
    resolve(laboratory, is_kept=False)
    (new, _), *_ = laboratory.rows()
    state = dataset_state(laboratory.workspace, laboratory.dataset_id)
    assert (new != row_id, said_about(laboratory, new), state.n_missing) == (True, NOT_SAID, 1)
    assert overwritten_ids(laboratory) == []
    refreshed(laboratory)
    assert said_about(laboratory, new) == NOT_SAID
    path.with_name("again.png").write_bytes(former)
    refreshed(laboratory)
    rows = [row for row, _ in laboratory.rows()[:3]]
    assert (rows[0], rows[2]) == (new, row_id)
    assert [said_about(laboratory, row) for row in rows] == [NOT_SAID, NOT_SAID, SAID]


def test_dropped_labels_are_in_the_history_and_undone_as_labels_of_overwritten_images(tmp_path: Path) -> None:
    laboratory, row_id, path, former = relabeled(tmp_path)
    selection = ImageSelection(rows=[row_id])
    change, _ = resolve_overwritten(laboratory.workspace, laboratory.dataset_id, selection, is_kept=False)
    assert change is not None
    history = list(csv.DictReader(io.StringIO("".join(history_lines(laboratory.workspace, laboratory.dataset_id)))))
    columns = ("image_id", "label_before", "label", "is_undone")
    assert [[row[name] for name in columns] for row in history] == [["a/0.png", "x", "a", "no"]]
    for _ in range(2):
        step = undoing.undo(laboratory.workspace, change)
        assert (step.n, step.rows, step.n_left) == (1, [row_id], 0)
        assert (overwritten_ids(laboratory), said_about(laboratory, row_id)) == (["a/0.png"], SAID)
        with refusing(Conflict, "images-overwritten"):
            training_images(laboratory.workspace, laboratory.dataset_id)
        undoing.redo(laboratory.workspace, change)
        assert (overwritten_ids(laboratory), said_about(laboratory, laboratory.rows()[0][0])) == ([], NOT_SAID)
    undoing.undo(laboratory.workspace, change)
    path.write_bytes(former)
    refreshed(laboratory)
    assert (overwritten_ids(laboratory), said_about(laboratory, row_id)) == ([], SAID)


def test_a_drop_is_not_undone_after_something_was_said_about_the_new_image(tmp_path: Path) -> None:
    laboratory, row_id, _, _ = relabeled(tmp_path)
    selection = ImageSelection(rows=[row_id])
    change, _ = resolve_overwritten(laboratory.workspace, laboratory.dataset_id, selection, is_kept=False)
    (new, _), *_ = laboratory.rows()
    set_labels(laboratory.workspace, laboratory.dataset_id, ImageSelection(rows=[new]), "y")
    with refusing(Conflict, "changed-since"):
        undoing.undo(laboratory.workspace, change or 0)
    assert said_about(laboratory, new)[0] == "y"


def test_kept_labels_are_those_of_overwritten_images_again_if_that_is_undone(tmp_path: Path) -> None:
    laboratory, row_id, path, former = relabeled(tmp_path)
    selection = ImageSelection(rows=[row_id])
    change, n = resolve_overwritten(laboratory.workspace, laboratory.dataset_id, selection, is_kept=True)
    assert (change is None, n) == (False, 1)
    for _ in range(2):
        step = undoing.undo(laboratory.workspace, change or 0)
        assert (step.n, step.rows, step.n_left) == (1, [row_id], 0)
        assert (overwritten_ids(laboratory), said_about(laboratory, row_id)) == (["a/0.png"], SAID)
        with refusing(Conflict, "images-overwritten"):
            training_images(laboratory.workspace, laboratory.dataset_id)
        undoing.redo(laboratory.workspace, change or 0)
        assert (overwritten_ids(laboratory), said_about(laboratory, row_id)) == ([], SAID)
    undoing.undo(laboratory.workspace, change or 0)
    path.with_name("again.png").write_bytes(former)
    refreshed(laboratory)
    assert (overwritten_ids(laboratory), said_about(laboratory, row_id)) == ([], SAID)
    assert dict(laboratory.rows())[row_id].name == "again.png"
    with refusing(Conflict, "changed-since"):
        undoing.redo(laboratory.workspace, change or 0)


@pytest.mark.parametrize("step", ["label", "confirm", "read", "exclude", "overwrite", "restore", "predict"])
def test_a_keep_is_not_undone_after_something_was_said_or_known_of_the_current_content(
    tmp_path: Path, step: str
) -> None:
    laboratory = Laboratory(tmp_path)
    laboratory.do("label", 0, "x")
    laboratory.do("overwrite", 0, None)
    laboratory.do("refresh", None, None)
    laboratory.do("keep", None, None)
    laboratory.do(step, 0, "y")
    laboratory.do("refresh", None, None)
    laboratory.do("undo keep", None, None)
    laboratory.check()
    assert not any(image.is_overwritten for image in laboratory.listed.values()) or step == "overwrite"


@pytest.mark.parametrize("name", ["0.png", "again.png"])
def test_labels_follow_the_former_content_before_anybody_decides(tmp_path: Path, name: str) -> None:
    laboratory, row_id, path, former = relabeled(tmp_path)
    path.with_name(name).write_bytes(former)
    refreshed(laboratory)
    assert (overwritten_ids(laboratory), said_about(laboratory, row_id)) == ([], SAID)
    assert dict(laboratory.rows())[row_id].name == name


def test_labels_follow_a_former_content_that_comes_with_the_overwriting_file(tmp_path: Path) -> None:
    laboratory = Laboratory(tmp_path)
    for step in ("label", "overwrite", "restore"):
        laboratory.do(step, 0, "x")
    laboratory.check()
    assert overwritten_ids(laboratory) == []


def test_overwritten_images_about_which_nothing_was_said_are_not_listed(tmp_path: Path) -> None:
    laboratory = Laboratory(tmp_path)
    save_cell(laboratory.rows()[0][1], seed=100)
    refreshed(laboratory)
    assert overwritten_ids(laboratory) == []


def test_an_edited_image_keeps_its_label_and_a_new_one_with_the_name_of_a_missing_one_gets_none(tmp_path: Path) -> None:
    laboratory = Laboratory(tmp_path)
    laboratory.do("label", 0, "x")
    laboratory.do("label", 1, "y")
    edited, missing = sorted(laboratory.listed)[:2]
    save_cell(edited, seed=100)
    missing.unlink()
    refresh_dataset(laboratory.workspace, laboratory.dataset_id)
    laboratory.workspace.background.wait_all()
    state = dataset_state(laboratory.workspace, laboratory.dataset_id)
    assert (state.n_images, state.n_labeled, state.n_missing) == (3, 3, 1)
    save_cell(missing, seed=101)
    refresh_dataset(laboratory.workspace, laboratory.dataset_id)
    laboratory.workspace.background.wait_all()
    with laboratory.workspace.engine.connect() as connection:
        labels = dict(
            connection.execute(select(images.c.path, images.c.label).where(images.c.dataset_id.is_not(None))).all()
        )
    assert (labels[str(edited)], labels[str(missing)]) == ("x", "a")
