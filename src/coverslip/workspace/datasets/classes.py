"""The classes of a dataset: their names, their order, and the plan of classes for trainings."""

from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import Connection, select

from coverslip.datasets import (
    DECISIONS,
    ClassPlan,
    Dataset,
    ImageRecord,
    check_classes,
    clean_label,
    natural_key,
    one_line,
    with_classes,
)
from coverslip.errors import BadRecipe, CoverslipError
from coverslip.workspace.store.rows import OUTSIDE, WHOLE, AnyRow, Json, as_dataset, class_order
from coverslip.workspace.store.tables import image_facts, images

_LONGEST = 200  # characters


class Classes(BaseModel):
    """The classes for trainings: merged, excluded or renamed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    merge: dict[str, list[str]] = Field(default_factory=dict, description="New name, old names.")
    drop: list[str] = Field(default_factory=list, description="Classes whose images are excluded.")
    rename: dict[str, str] = Field(default_factory=dict, description="Old name, new name.")


def clean_name(name: str) -> str:
    """Return the normalized name of a class.

    Raises:
        CoverslipError: this cannot be the name of a class.
    """
    cleaned = clean_label(name)
    if not cleaned:
        raise empty_class_name()
    if len(cleaned) > _LONGEST or "\0" in cleaned:
        raise CoverslipError("long-class-name", n_characters=_LONGEST)
    if cleaned in DECISIONS:
        raise reserved_class_name(cleaned)
    return cleaned


def empty_class_name() -> CoverslipError:
    """Return the error of a class without a name."""
    return CoverslipError("empty-class-name")


def reserved_class_name(name: str) -> CoverslipError:
    """Return the error of a class with a name that predictions use if no class is decided."""
    return CoverslipError("reserved-name", name=one_line(name))


def checked_names(names: list[str]) -> list[str]:
    """Return the normalized names of classes.

    Raises:
        CoverslipError: a name is not valid, or is given twice.
    """
    cleaned = [clean_name(name) for name in names]
    if len(set(cleaned)) < len(cleaned):
        raise CoverslipError("repeated-class-name")
    return cleaned


def checked_plan(connection: Connection, row: AnyRow, plan: Json) -> Json:
    """Return the plan, if it fits the existing classes.

    Raises:
        BadRecipe: it contradicts itself, or names classes that do not exist.
    """
    try:
        checked = ClassPlan.model_validate(plan)
    except ValidationError as error:
        faults = "; ".join(str(fault.get("ctx", {}).get("error", fault["msg"])) for fault in error.errors())
        raise BadRecipe("invalid-classes", reason=faults) from error
    pairs = connection.execute(
        select(images.c.label, images.c.domain).where(images.c.dataset_id == row.id).distinct()
    ).all()
    if row.opened is not None:
        check_classes(_representatives(row, [(label, domain) for label, domain in pairs]), checked)
    return {
        "merge": {new: list(olds) for new, olds in checked.merge.items()},
        "drop": list(checked.drop),
        "rename": dict(checked.rename),
    }


def trained_labels(row: AnyRow, kinds: Iterable[tuple[str | None, str]]) -> dict[tuple[str | None, str], str | None]:
    """Return the class in trainings for each label and domain, by the dataset's plan; None: excluded."""
    kinds = list(kinds)
    data = with_classes(_representatives(row, kinds), ClassPlan.model_validate(row.class_plan))
    return {
        kind: record.label if data.has_class(record) else None for kind, record in zip(kinds, data.records, strict=True)
    }


def trained_order(connection: Connection, row: AnyRow, plan: ClassPlan) -> list[str]:
    """Return the classes of a training by a plan, in the order of the dataset's pages.

    Only classes with images can be in a recipe. If each domain has its own classes (`classes.by_domain`), those of a
    domain stay together. A single dataset is named after the location of its table, so only the training knows the
    names
    of its classes: then the list is empty.
    """
    of_images = (images.c.dataset_id == image_facts.c.dataset_id) & (images.c.position == image_facts.c.position)
    kinds = connection.execute(
        select(images.c.label, images.c.domain)
        .select_from(images.outerjoin(image_facts, of_images))
        .where(images.c.dataset_id == row.id, images.c.label.is_not(None))
        .where(image_facts.c.reason.is_distinct_from(OUTSIDE))  # trainings do not use these images
        .distinct()
    ).all()
    place = {name: k for k, name in enumerate(class_order(row.class_names, {label for label, _ in kinds}))}
    if plan.by_domain:
        named = sorted(((k, d) for k, d in kinds if d), key=lambda kind: (natural_key(kind[1]), place[kind[0]]))
    else:
        named = sorted(kinds, key=lambda kind: (place[kind[0]], natural_key(kind[1])))
    labels = [record.label for record in with_classes(_representatives(row, named), plan).records]
    return [label for label in dict.fromkeys(labels) if label is not None and label not in plan.drop]


def _representatives(row: AnyRow, kinds: Iterable[tuple[str | None, str]]) -> Dataset:
    """Return a dataset with one artificial image for each label and domain: a plan depends on nothing else."""
    records = [
        ImageRecord(str(k), Path("/"), label, None, domain, None, WHOLE) for k, (label, domain) in enumerate(kinds)
    ]
    return as_dataset(row, records)
