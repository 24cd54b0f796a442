"""What is kept to save time: stores by kind, within one bound, never removed while in use.

A room that caches registers its kind of store here and opens its stores by it; it locks and removes nothing itself.
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
