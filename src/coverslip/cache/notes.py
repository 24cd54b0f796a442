"""What is said where nothing can be kept."""

import sqlite3

from coverslip.cache.kinds import cache_folder
from coverslip.messages import CleanCache, Note


def not_usable(error: OSError | sqlite3.Error) -> Note:
    """The cache cannot be written to: results are the same, and work takes longer."""
    return Note(
        "cache-not-usable",
        f"The cache folder '{cache_folder()}' cannot be written to ({error}). Results stay the same, but nothing is "
        "kept for the next time. Free some space, empty the cache, or set COVERSLIP_CACHE to a folder that you may "
        "write to.",
        level="warning",
        remedies=(CleanCache(),),
    )
