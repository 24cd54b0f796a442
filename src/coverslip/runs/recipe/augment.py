"""The recipe's section on random changes to training images: a key for each of the table of changes."""

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field
from pydantic.fields import FieldInfo

from coverslip.augmentation import AUGMENT_SETS, AUGMENTATIONS, Augmentation
from coverslip.runs.recipe.choices import Choices


class Augment(Choices):
    """Random changes to training images, drawn afresh in every epoch and applied to whole batches.

    Cells under a microscope have no 'up', so flips and rotation by any angle are on by default.
    """

    if TYPE_CHECKING:  # the keys come from the table

        def __init__(self, **amounts: Any) -> None: ...  # Any: a number, or whatever the record says

        def __getattr__(self, name: str) -> Any: ...  # Any: the same


def follow_table() -> None:
    """Give `Augment` the keys of the table as it is now; models that hold one must be rebuilt after it."""
    Augment.__pydantic_fields__.clear()
    Augment.__pydantic_fields__.update({name: _field(record) for name, record in AUGMENTATIONS.items()})
    Augment.model_rebuild(force=True)


def _field(record: Augmentation) -> FieldInfo:
    default = Field(default=record.default, description=record.meaning, **record.limits)  # type: ignore[call-overload]  # ge, gt, le, lt
    return FieldInfo.from_annotated_attribute(Annotated[record.type, record.key], default)  # type: ignore[arg-type]  # it is one


follow_table()


def augment_named(name: str) -> Augment:
    """The random changes of that name.

    Raises:
        ValueError: there is no such set; the names are told.
    """
    chosen = AUGMENT_SETS.find(name)
    others = {} if chosen.others_are_default else {key: record.off for key, record in AUGMENTATIONS.items()}
    return Augment(**{**others, **chosen.amounts})
