"""Types that several sections of a recipe share, and the sets of augmentations."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationInfo,
    field_validator,
)
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from coverslip.augmentation import AUGMENT_SETS, AUGMENTATIONS, Augmentation
from coverslip.messages import text
from coverslip.tables import no_such

Fraction = Annotated[float, Field(ge=0, lt=1)]


class Choices(BaseModel):
    """A section whose keys are all known, and in which a truth value is no number."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def _truth_is_no_number(cls, value: object, info: ValidationInfo) -> object:
        """To Python `true` is 1, and `epochs: true` would train for one epoch."""
        annotation = cls.model_fields[info.field_name or ""].annotation
        takes_truth = annotation is bool or bool in get_args(annotation)
        values = value if isinstance(value, list | tuple) else [value]
        if not takes_truth and any(isinstance(item, bool) for item in values):
            raise ValueError(text("value-is-boolean"))
        return value


@dataclass(frozen=True, slots=True)
class OneOf:
    """In a field's annotation: it holds a name out of a table, as the table is when the recipe is read."""

    kind: str  # in words, for the error: "metric"
    names: Callable[[], Iterable[str]]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # Any: Pydantic's
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), "enum": list(self.names())}

    def _checked(self, name: str) -> str:
        if name not in (names := tuple(self.names())):
            raise no_such(self.kind, name, names)
        return name


class Augment(Choices):
    """Data augmentation: random changes to training images, drawn again in every epoch for whole batches.

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
        ValueError: there is no such set; the message lists the names.
    """
    augment_set = AUGMENT_SETS.find(name)
    others = {} if augment_set.others_are_default else {key: record.off for key, record in AUGMENTATIONS.items()}
    return Augment(**{**others, **augment_set.amounts})
