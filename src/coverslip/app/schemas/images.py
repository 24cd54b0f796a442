"""Galleries: which page of the images that match."""

from coverslip.workspace.store.rows import Paging
from coverslip.workspace.viewing.filters import Filters


class FilteredPage(Filters, Paging):
    """A page of the images that match."""
