"""What is said about an image stays on its pixels, whatever happens to its file and to the sources of its dataset."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from drawing import save_cell
from hypothesis import given, settings
from hypothesis import strategies as st
from image_sets import workspace_in
from sqlalchemy import select

from coverslip.workspace.correcting.history import exclude
from coverslip.workspace.correcting.readings import import_readings
from coverslip.workspace.datasets.labels import confirm_labels, set_labels
from coverslip.workspace.datasets.sources import Source, change_dataset, open_sources, refresh_dataset
from coverslip.workspace.datasets.state import dataset_state
from coverslip.workspace.store.rows import confirmed_ids
from coverslip.workspace.store.tables import images, readings
from coverslip.workspace.viewing.filters import ImageSelection

PLACES, LABELS = st.integers(0, 6), st.sampled_from(["x", "y"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["label", "read"]), PLACES, LABELS),
        st.tuples(st.sampled_from(["exclude", "confirm", "remove", "restore", "rename"]), PLACES, st.none()),
        st.tuples(st.just("exchange"), PLACES, PLACES),
        st.tuples(st.sampled_from(["refresh", "move", "second"]), st.none(), st.none()),
    ),
    min_size=4,
    max_size=16,
)


@dataclass
class Said:
    label: str | None = None  # None: that of the folder was left
    is_excluded: bool = False
    confirmed: str | None = None
    reading: str | None = None


class Laboratory:
    """Two folders of images, a dataset, and what was said about each image, by the seed of its pixels."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.workspace = folder, workspace_in(folder)
        self.first, self.second, self.has_second = folder / "first", folder / "second", False
        places = [*(self.first / name / f"{k}.png" for name in "ab" for k in range(2)), self.second / "a" / "0.png"]
        self.files = {path: seed for seed, path in enumerate(places)}
        for path, seed in self.files.items():
            save_cell(path, seed=seed)
        self.statements = {seed: Said() for seed in self.files.values()}
        self.removed: list[int] = []
        self.listed: dict[Path, int] = {}  # the images of the dataset, as they were read last
        self.dataset_id = open_sources(self.workspace, self.sources).id
        self.read()

    @property
    def sources(self) -> list[Source]:
        return [Source(str(self.first)), *([Source(str(self.second))] if self.has_second else [])]

    def read(self) -> None:
        self.workspace.background.wait_all()
        folders = [Path(source.path) for source in self.sources]
        self.listed = {path: seed for path, seed in self.files.items() if any(map(path.is_relative_to, folders))}

    def rows(self) -> list[tuple[int, Path]]:
        query = select(images.c.row_id, images.c.path).where(images.c.dataset_id == self.dataset_id)
        with self.workspace.engine.connect() as connection:
            return [(row.row_id, Path(row.path)) for row in connection.execute(query.order_by(images.c.path))]

    def do(self, step: str, place: int | None, more: object) -> None:
        if step in ("label", "read", "exclude", "confirm"):
            rows = self.rows()
            row_id, path = rows[(place or 0) % len(rows)]
            self.say(step, row_id, path, str(more))
        elif step in ("refresh", "move", "second"):
            self.sort(step)
        else:
            self.change(step, place or 0, more)

    def say(self, step: str, row_id: int, path: Path, label: str) -> None:
        statements, selection = self.statements[self.listed[path]], ImageSelection(rows=[row_id])
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
        with self.workspace.engine.connect() as connection:
            rows = connection.execute(select(images).where(images.c.dataset_id == self.dataset_id)).all()
            confirmed = confirmed_ids(connection, self.dataset_id)
            reading_of = {row.row_id: row.label for row in connection.execute(select(readings))}
        assert {Path(row.path) for row in rows} == set(self.listed)
        for row in rows:
            statements, path = self.statements[self.listed[Path(row.path)]], Path(row.path)
            label = statements.label or path.parent.name
            assert (row.label, row.is_excluded, reading_of.get(row.row_id)) == (
                label,
                statements.is_excluded,
                statements.reading,
            )
            assert (row.image_id in confirmed) == (statements.confirmed == label)


@pytest.mark.slow
@settings(max_examples=12)
@given(STEPS)
def test_all_that_is_said_stays_on_the_pixels(steps: list[tuple[str, int | None, object]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        laboratory = Laboratory(Path(folder).resolve())
        for step in steps:
            laboratory.do(*step)
        laboratory.check()
        laboratory.workspace.engine.dispose()


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
