"""Which images a run is about: written down when it begins, found again when it goes on or is measured."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from coverslip.datasets import Dataset, ImageRecord, Opening, Split, open_again, with_classes
from coverslip.errors import BadRun
from coverslip.files import sha256_json
from coverslip.images import ReadPlan
from coverslip.runs.documents import read_object as read_json
from coverslip.runs.documents import read_table, write_table
from coverslip.runs.folder import SPLIT_COLUMNS, Run
from coverslip.runs.recipe import Recipe


def where_images_lie(data: Dataset) -> dict[str, Any]:  # Any: JSON values
    """How the images were opened, and where those of each domain lie."""
    records_of: dict[str, list[ImageRecord]] = {origin.domain: [] for origin in data.origins}
    for record in data.records:
        records_of.setdefault(record.domain, []).append(record)
    roots = {origin.domain: (origin.root, origin.sources) for origin in data.origins}
    opening = data.opening
    described = []
    for domain, records in records_of.items():
        root, sources = roots.get(domain, (data.root, opening.sources))
        described.append(
            {
                "domain": domain,
                "root": str(root),
                "sources": list(sources),
                "n_images": len(records),
                "fingerprint": _fingerprint(records),
            }
        )
    return {
        "opened": {"sources": list(opening.sources), "group": opening.group, "group_pattern": opening.group_pattern},
        "data": described,
    }


def write_split(folder: Path, data: Dataset, split: Split, fold_of: Sequence[int | None] = ()) -> None:
    """Write `split.csv`.

    Args:
        folder: of the run.
        data: the images.
        split: where each of them goes.
        fold_of: the fold that each is tested in, where there are folds.

    Raises:
        BadRun: there is one already, of a run that goes on, and the split would be another.
    """
    rows = [
        {
            "image_id": record.image_id,
            "path": data.relative_path(record),
            "label": record.label or "",
            "group": record.group or "",
            "domain": record.domain,
            "split": part,
            "fold": str(fold or ""),
            "reason": reason,
        }
        for record, part, reason, fold in zip(
            data.records, split.parts, split.reasons, fold_of or [None] * len(data.records), strict=True
        )
    ]
    file = folder / "split.csv"
    if file.exists() and read_table(file) != rows:  # the run goes on
        raise BadRun("Images have changed since the run began: the split would be another", file=file, do="Train anew.")
    write_table(file, SPLIT_COLUMNS, rows)


def same_images(run: Run) -> Dataset:
    """The images of a run, for going on with it.

    Raises:
        BadRun: some are gone, or described anew.
    """
    data = images_of(run)
    now = [one["fingerprint"] for one in where_images_lie(data)["data"]]
    if now != [one["fingerprint"] for one in read_json(run.folder / "environment.json")["data"]]:
        raise BadRun(
            "Images were taken away or labelled anew since the run began",
            file=data.root,
            do="Put them back, or train a new run.",
        )
    return data


def held_out_images(run: Run) -> Dataset:
    """The images that a run kept aside, found again where they were."""
    rows = {row["image_id"]: row for row in read_table(run.folder / "split.csv") if row["split"] == "test"}
    data = images_of(run)
    found = data.chosen(i for i, record in enumerate(data.records) if record.image_id in rows)
    n_gone = len(rows) - len(found.records)
    n_changed = sum(_is_described_anew(record, rows[record.image_id]) for record in found.records)
    if n_gone or n_changed:
        what = "are no longer there" if n_gone else "have another label, group or domain than in the run"
        raise BadRun(
            f"{n_gone or n_changed:,} of the {len(rows):,} test images {what}",
            file=data.root,
            do="Put them back, or measure other labelled images: coverslip evaluate RUN DATA.",
        )
    return found


def refuse_other_images(folder: Path, data: Dataset) -> None:
    """An evaluation is measured again on its own images only; others need a folder of their own."""
    file = folder / "environment.json"
    if file.exists() and read_json(file)["opened"]["sources"] != list(data.opening.sources):
        raise BadRun(
            "There is an evaluation of that name, on other images", file=folder, do="Choose another name with --name."
        )


def plan_of(recipe: Recipe) -> ReadPlan:
    """The plane and channels that a recipe asks for."""
    return ReadPlan(plane=recipe.plane, channels=recipe.channels)


def images_of(run: Run) -> Dataset:
    """The images of a run as they are now; later ones do not belong to it."""
    opened = read_json(run.folder / "environment.json")["opened"]
    opening = Opening(tuple(opened["sources"]), opened["group"], opened["group_pattern"], plan_of(run.recipe))
    data = with_classes(open_again(opening), run.recipe.classes)
    split = run.folder / "split.csv"
    if not split.exists():
        return data
    own = {row["image_id"] for row in read_table(split)}
    return data.chosen(i for i, record in enumerate(data.records) if record.image_id in own)


def _is_described_anew(record: ImageRecord, row: dict[str, str]) -> bool:
    """Whether an image is no longer what its row of `split.csv` says."""
    now = (record.label, record.group, record.domain)
    return [value or "" for value in now] != [row[column] for column in ("label", "group", "domain")]


def _fingerprint(records: Sequence[ImageRecord]) -> str:
    """Tells whether images were added, taken away, or described anew."""
    described = [
        [record.image_id, record.label, record.group, record.given_split, record.plan.model_dump(mode="json")]
        for record in records
    ]
    return sha256_json(sorted(described, key=lambda image: str(image[0])))
