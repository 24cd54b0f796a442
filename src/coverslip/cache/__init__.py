"""The cache folder: stores of several kinds within one size limit; stores in use are never removed.

A package that caches data registers a kind of store and opens its stores through it. Only this package locks and
removes stores.
"""

from coverslip.cache.arrays import ARRAYS, ArrayStore
from coverslip.cache.eviction import chosen_limit, claimed, clean, forget, is_in_use, limit_bytes, sole_lock, trim
from coverslip.cache.records import RECORDS, RecordStore
from coverslip.cache.stores import (
    FILES,
    Journal,
    Kind,
    Layout,
    Store,
    cache_folder,
    known_kinds,
    list_stores,
    look_into,
    not_usable,
    open_database,
    register,
    remove_database,
)

__all__ = [
    "ARRAYS",
    "FILES",
    "RECORDS",
    "ArrayStore",
    "Journal",
    "Kind",
    "Layout",
    "RecordStore",
    "Store",
    "cache_folder",
    "chosen_limit",
    "claimed",
    "clean",
    "forget",
    "is_in_use",
    "known_kinds",
    "limit_bytes",
    "list_stores",
    "look_into",
    "not_usable",
    "open_database",
    "register",
    "remove_database",
    "sole_lock",
    "trim",
]
