"""What sections of a recipe have in common."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationInfo,
    field_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

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
            raise ValueError("true and false have no meaning here")
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
