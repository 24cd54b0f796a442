"""Galleries: which page of the images that match."""

from typing import Annotated

from pydantic import BaseModel, Field

from coverslip.workspace.viewing.filters import Filters


class FilteredPage(Filters):
    """A page of the images that match."""

    offset: Annotated[int, Field(ge=0, lt=2**53)] = 0
    limit: Annotated[int, Field(ge=1, le=2_000)] = 200


class Positions(BaseModel):
    """Which images match, in order."""

    positions: list[int]
    total: int
