"""Galleries: which images match, and which page of them."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from coverslip.workspace.store.rows import Paging
from coverslip.workspace.viewing.filters import Filters


class FilteredPage(Filters, Paging):
    """A page of the images that match."""


@dataclass(frozen=True, slots=True)
class Positions:
    """The images that match, in order."""

    items: Annotated[list[int], Field(description="Their places in the dataset, from 0.")]
    image_ids: Annotated[
        list[str], Field(description="Of the same images, in the same order: what labels and exclusions name them by.")
    ]
    total: int
