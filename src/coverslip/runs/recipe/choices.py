"""What sections of a recipe have in common."""

from typing import Annotated, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

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
        each = value if isinstance(value, list | tuple) else [value]
        if not takes_truth and any(isinstance(one, bool) for one in each):
            raise ValueError("true and false have no meaning here")
        return value
