"""Class plans: merge, exclude, rename and order the classes of a dataset.

Each label is changed at most once. Labels that already have their new names are unchanged, so that images with old or
new labels can be evaluated with one run.

Domains of one dataset may have classes with the same name. `<domain>/<class>` is the class of one domain.
"""

import datetime
import difflib
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Annotated

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from coverslip.datasets.index.records import Dataset, ImageRecord
from coverslip.datasets.names import clean_label, natural_key, one_line, some
from coverslip.documented_fields import DocumentedModel
from coverslip.errors import BadRecipe
from coverslip.keys import Key
from coverslip.messages import Note, Set, note, text


def _as_name(value: object) -> object:
    """Return a class's name as labels are compared. YAML reads a class named 7 or 2024-01-05 as a number or a date."""
    is_simple = isinstance(value, str | int | float | datetime.date) and not isinstance(value, bool)
    return clean_label(str(value)) if is_simple else value


def _as_names(value: object) -> object:
    """Return a single name as a tuple of one name."""
    return value if isinstance(value, list | tuple | dict) else (value,)


Name = Annotated[str, BeforeValidator(_as_name), Field(min_length=1)]
Names = Annotated[tuple[Name, ...], BeforeValidator(_as_names)]


class ClassPlan(DocumentedModel):
    """The classes to train on, derived from the labels of the images."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    merge: Annotated[dict[Name, Annotated[Names, Field(min_length=1)]], Key("classes")] = Field(default_factory=dict)
    drop: Annotated[Names, Key("classes")] = ()
    rename: Annotated[dict[Name, Name], Key("classes")] = Field(default_factory=dict)
    by_domain: Annotated[bool, Key("classes")] = False
    order: Annotated[Names, Key("classes")] = ()

    def new_names(self) -> dict[str, str]:
        """Return the new name of each renamed or merged class."""
        return self.rename | {old: new for new, olds in self.merge.items() for old in olds}

    def changes(self) -> dict[str, str]:
        """Return the new label of the images of every class that the plan changes or excludes."""
        return self.new_names() | {name: name for name in self.drop}

    @model_validator(mode="after")
    def _changes_each_class_once(self) -> "ClassPlan":
        faults = [*self._named_twice(), *self._joined_by_rename(), *self._changed_twice_by_name(), *self._misordered()]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _named_twice(self) -> Iterator[str]:
        changes: dict[str, list[str]] = defaultdict(list)
        for new, olds in self.merge.items():
            for old in olds:
                changes[old].append(text("class-merged", name=new))
        for name in self.drop:
            changes[name].append(text("class-excluded"))
        for old, new in self.rename.items():
            changes[old].append(text("class-renamed", name=new))
        for old, changes_of_class in changes.items():
            if len(changes_of_class) > 1:
                yield text("class-changed-twice", label=old, changes=" and ".join(changes_of_class))

    def _joined_by_rename(self) -> Iterator[str]:
        olds_of: dict[str, list[str]] = defaultdict(list)
        for old, new in self.rename.items():
            olds_of[new].append(old)
        for new, olds in olds_of.items():
            if new in self.merge:
                yield text("rename-to-merged", label=olds[0], name=new)
            elif len(olds) > 1:
                merge = f"merge: {{{new}: [{', '.join(olds)}]}}"
                yield text("several-renamed", labels=some(olds), name=new, merge=merge)

    def _changed_twice_by_name(self) -> Iterator[str]:
        new_names = self.new_names()
        for new in dict.fromkeys(new_names.values()):
            if new in self.drop:
                yield text("new-name-excluded", name=new)
            elif new_names.get(new, new) != new:
                yield text("new-name-changed", name=new, new_name=new_names[new])

    def _misordered(self) -> Iterator[str]:
        new_names = self.new_names()
        for name, n in Counter(self.order).items():
            if n > 1:
                yield text("order-repeats-class", name=name, n_times=n)
            if name in self.drop:
                yield text("order-has-excluded-class", name=name)
            elif new_names.get(name, name) != name:
                yield text("order-has-old-name", name=name, new_name=new_names[name])


def with_classes(dataset: Dataset, plan: ClassPlan, known: Iterable[str] = ()) -> Dataset:
    """Return the images with changed labels. A label that the plan does not name stays, and so does a new name.

    Excluded images keep their records and labels, so that the split lists them.

    Args:
        dataset: images with their original labels.
        plan: the changes.
        known: the classes after the change, if they are known. Labels among them are unchanged.
    """
    changes, known = plan.changes(), frozenset(known)

    def renamed(record: ImageRecord) -> ImageRecord:
        new, old_name = record.label, _named(dataset, record, plan, changes)
        if old_name is not None:
            new = changes[old_name]
        elif plan.by_domain and new is not None:
            class_in_domain = class_of_domain(dataset, record)
            new = new if new in known and class_in_domain not in known else class_in_domain
        return record if new == record.label else record.with_label(new)

    records = tuple(map(renamed, dataset.records)) if changes or plan.by_domain else dataset.records
    new_classes = frozenset(plan.new_names().values())
    return replace(
        dataset, records=records, dropped=frozenset(plan.drop), class_order=plan.order, made_classes=new_classes
    )


def _named(dataset: Dataset, record: ImageRecord, plan: ClassPlan, changes: Container[str]) -> str | None:
    """Return the name by which the plan changes an image's class; `<domain>/<class>` takes precedence."""
    if record.label is None:
        return None
    class_in_domain = class_of_domain(dataset, record)
    names = (class_in_domain,) if plan.by_domain else (class_in_domain, record.label)
    return next((name for name in names if name in changes), None)


def class_of_domain(dataset: Dataset, record: ImageRecord) -> str:
    """Return the name of an image's class that is unique to its domain: `<domain>/<class>`."""
    start, label = f"{dataset.domain_of(record)}/", record.label or ""
    return label if label.startswith(start) else start + label


def shared_class_notes(dataset: Dataset) -> list[Note]:
    """Return a note on classes with the same name in several domains, unless the recipe defines them."""
    domains_of: dict[str, set[str]] = defaultdict(set)
    for record in dataset.records:
        if record.label is not None and dataset.has_class(record):
            domains_of[record.label].add(record.domain)
    shared = [name for name in dataset.classes if len(domains_of[name]) > 1 and name not in dataset.made_classes]
    if not shared:
        return []
    domains = sorted(set().union(*(domains_of[name] for name in shared)), key=natural_key)
    return [
        note(
            "shared-classes",
            domains=some(domains),
            names=some(shared, 12),
            classes=shared,
            remedies=(Set("classes.by_domain", True),),
        )
    ]


def check_classes(dataset: Dataset, plan: ClassPlan) -> None:
    """Refuse a plan that does not match the labels of the images.

    Raises:
        BadRecipe: all faults at once: names that do not exist, with the nearest that do, and new names that classes
            already have.
    """
    one_of_each = {(record.domain, record.label): record for record in dataset.records if record.label is not None}
    classes_of_domains = {class_of_domain(dataset, record) for record in one_of_each.values()}
    existing = sorted(classes_of_domains, key=natural_key) if plan.by_domain else dataset.classes
    changed = {key: list(names) for key, names in (("drop", plan.drop), ("rename", plan.rename)) if names}
    if plan.merge:
        changed["merge"] = [old for olds in plan.merge.values() for old in olds]
    faults = [
        text(
            "no-image-of-class",
            key=f"classes.{key}",
            name=one_line(name, 60),
            hint=_spelling_hint(name, existing, classes_of_domains),
        )
        for key, names in changed.items()
        for name in names
        if name not in classes_of_domains and name not in existing
    ]
    changes, new_names = plan.changes(), plan.new_names()
    unchanged: Sequence[str] = ()
    if new_names:
        unnamed = (i for i, record in enumerate(dataset.records) if _named(dataset, record, plan, changes) is None)
        unchanged = with_classes(dataset.subset(unnamed), plan).classes
    for new in dict.fromkeys(new_names.values()):
        if new in unchanged:
            olds = ", ".join([new, *(old for old, name in new_names.items() if name == new)])
            faults.append(text("class-exists", name=one_line(new, 60), merge=f"classes.merge: {{{new}: [{olds}]}}"))
    after = with_classes(dataset, plan).classes
    faults += [
        text("order-names-no-class", name=one_line(name, 60), hint=_spelling_hint(name, after))
        for name in plan.order
        if name not in after
    ]
    if not faults and len(after) < 2 <= len(existing):
        faults.append(text("too-few-classes-left", n_classes=len(after), classes=some(after)))
    if faults:
        mismatches = "; ".join(faults)
        raise BadRecipe(
            "classes-do-not-fit", mismatches=mismatches, classes=some(existing, 12), has_classes=bool(existing)
        )


def _spelling_hint(name: str, names: Iterable[str], names_of_domains: Iterable[str] = ()) -> str:
    """Return a hint with the most similar of these names, or of the classes of the domain in `name`."""
    candidates = [*names, *names_of_domains] if "/" in name else list(names)
    plain = {candidate.casefold(): candidate for candidate in candidates}
    near = [candidate for candidate in candidates if candidate.endswith(f"/{name}")]
    near += [plain[match] for match in difflib.get_close_matches(name.casefold(), plain, n=1, cutoff=0.5)]
    return f" {text('did-you-mean', name=one_line(near[0], 60))}" if near else ""
