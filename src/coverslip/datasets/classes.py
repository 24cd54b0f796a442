"""Other classes than the folders or the table name: joined, left out, renamed, put in order.

Each label is changed once, and no new name is itself changed again. So labels that already have their new names stay
as they are, and images labelled either way can be measured with one run.
"""

import datetime
import difflib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from coverslip.datasets.records import Dataset, ImageRecord, clean_label, one_line, some
from coverslip.errors import BadRecipe


def _as_name(value: object) -> object:
    """A class's name as labels are compared; YAML reads a class called 7 or 2024-01-05 as a number or a date."""
    is_simple = isinstance(value, str | int | float | datetime.date) and not isinstance(value, bool)
    return clean_label(str(value)) if is_simple else value


def _as_names(value: object) -> object:
    """A name by itself is a list of one."""
    return value if isinstance(value, list | tuple | dict) else (value,)


Name = Annotated[str, BeforeValidator(_as_name), Field(min_length=1)]
Names = Annotated[tuple[Name, ...], BeforeValidator(_as_names)]


class ClassPlan(BaseModel):
    """Which classes are trained on, made from those that the images are labelled with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    merge: dict[Name, Annotated[Names, Field(min_length=1)]] = Field(
        default_factory=dict, description="Classes to join: the new name, then the list of old ones."
    )
    drop: Names = Field((), description="Classes whose images are left out.")
    rename: dict[Name, Name] = Field(default_factory=dict, description="Other names for classes: old name, new name.")
    order: Names = Field(
        (), description="Classes, by their new names, in the order of all results; the others follow by name."
    )

    def new_names(self) -> dict[str, str]:
        """What each renamed or merged class is called from now on."""
        return self.rename | {old: new for new, olds in self.merge.items() for old in olds}

    @model_validator(mode="after")
    def _changes_each_class_once(self) -> "ClassPlan":
        faults = [*self._named_twice(), *self._joined_by_rename(), *self._changed_again(), *self._misordered()]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _named_twice(self) -> Iterator[str]:
        changes: dict[str, list[str]] = defaultdict(list)
        for new, olds in self.merge.items():
            for old in olds:
                changes[old].append(f"merged into '{new}'")
        for name in self.drop:
            changes[name].append("dropped")
        for old, new in self.rename.items():
            changes[old].append(f"renamed to '{new}'")
        for old, said in changes.items():
            if len(said) > 1:
                yield f"'{old}' is {' and '.join(said)}; only one of these can be"

    def _joined_by_rename(self) -> Iterator[str]:
        olds_of: dict[str, list[str]] = defaultdict(list)
        for old, new in self.rename.items():
            olds_of[new].append(old)
        for new, olds in olds_of.items():
            if new in self.merge:
                yield f"'{olds[0]}' is renamed to '{new}', which others are merged into; put it among those"
            elif len(olds) > 1:
                yield f"{some(olds)} are all renamed to '{new}'; to join them use merge: {{{new}: [{', '.join(olds)}]}}"

    def _changed_again(self) -> Iterator[str]:
        new_names = self.new_names()
        for new in dict.fromkeys(new_names.values()):
            if new in self.drop:
                yield f"'{new}' is dropped and also a new name; choose another new name"
            elif new_names.get(new, new) != new:
                yield f"'{new}' is a new name, and itself becomes '{new_names[new]}'; choose another new name"

    def _misordered(self) -> Iterator[str]:
        new_names = self.new_names()
        for name, n in Counter(self.order).items():
            if n > 1:
                yield f"'{name}' stands in order {n} times"
            if name in self.drop:
                yield f"'{name}' stands in order and is dropped"
            elif new_names.get(name, name) != name:
                yield f"'{name}' stands in order, but becomes '{new_names[name]}'; use that name"


def with_classes(dataset: Dataset, plan: ClassPlan) -> Dataset:
    """The images with their labels changed; a label that the plan does not name stays, and so does a new name.

    Dropped images keep their records and labels: what happened to them can be seen in the split.
    """
    new_names = plan.new_names()

    def renamed(record: ImageRecord) -> ImageRecord:
        new = new_names.get(record.label or "")
        return record if new is None or new == record.label else replace(record, label=new)

    records = tuple(map(renamed, dataset.records))
    return replace(dataset, records=records, dropped=frozenset(plan.drop), class_order=plan.order)


def check_classes(dataset: Dataset, plan: ClassPlan) -> None:
    """Refuse, before any work, a plan that does not fit the classes that images are labelled with.

    Raises:
        BadRecipe: all faults at once: names that do not exist, with the nearest that do, and new names of classes that
            are there already.
    """
    there, new_names = set(dataset.classes), plan.new_names()
    changed = {key: list(names) for key, names in (("drop", plan.drop), ("rename", plan.rename)) if names}
    if plan.merge:
        changed["merge"] = [old for olds in plan.merge.values() for old in olds]
    faults = [
        f"classes.{key} names '{one_line(name, 60)}', which no image is labelled with{_nearest(name, dataset.classes)}"
        for key, names in changed.items()
        for name in names
        if name not in there
    ]
    for new in dict.fromkeys(new_names.values()):
        if new in there and new not in new_names:
            olds = ", ".join([new, *(old for old, name in new_names.items() if name == new)])
            faults.append(
                f"there is a class '{one_line(new, 60)}' already; to join them write classes.merge: {{{new}: [{olds}]}}"
            )
    after = with_classes(dataset, plan).classes
    faults += [
        f"classes.order names '{one_line(name, 60)}', which is not among the classes{_nearest(name, after)}"
        for name in plan.order
        if name not in after
    ]
    if not faults and len(after) < 2 <= len(there):
        faults.append(f"after classes.merge and classes.drop {some(after) if after else 'no class'} alone is left")
    if faults:
        raise BadRecipe(
            f"The recipe's classes do not fit the images: {'; '.join(faults)}",
            do=f"The images have the classes {some(dataset.classes, 12)}." if there else "No image has a label.",
        )


def _nearest(name: str, names: Iterable[str]) -> str:
    plain = {other.casefold(): other for other in names}
    near = difflib.get_close_matches(name.casefold(), plain, n=1, cutoff=0.5)
    return f" (did you mean '{one_line(plain[near[0]], 60)}'?)" if near else ""
