"""How large the cache may grow."""

import os
import re
import shutil

from coverslip.cache.kinds import cache_folder
from coverslip.errors import CoverslipError

LIMIT_VARIABLE = "COVERSLIP_CACHE_LIMIT"

# 20 GB hold 130,000 colour images of 224 x 224 pixels. On a small or full disk a quarter of what would be free without
# the cache, so that it is never the cache that fills the disk.
_DEFAULT_LIMIT = 20 * 10**9
_SHARE_OF_DISK = 4
_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def limit_bytes(held: int) -> int:
    """How large the cache may grow.

    Args:
        held: bytes that it holds now.

    Raises:
        CoverslipError: the limit that the environment gives is not a size.
    """
    chosen = chosen_limit()
    if chosen is not None:
        return chosen
    folder = cache_folder()
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    return min(_DEFAULT_LIMIT, (shutil.disk_usage(existing).free + held) // _SHARE_OF_DISK)


def chosen_limit() -> int | None:
    """Bytes that `COVERSLIP_CACHE_LIMIT` allows; None where it is not set.

    Raises:
        CoverslipError: it is not a size.
    """
    text = os.environ.get(LIMIT_VARIABLE, "").strip()
    if not text:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?B?)", text, re.IGNORECASE | re.ASCII)
    if not match:
        raise CoverslipError(
            f"{LIMIT_VARIABLE} is '{text}', which is not a size", do="Write a number and a unit, such as 5GB or 500MB."
        )
    unit = match[2].upper()
    return int(float(match[1]) * _UNITS[unit if unit in _UNITS else f"{unit}B"])
