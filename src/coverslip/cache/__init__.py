"""The cache folder: stores of several kinds within one size limit; stores in use are never removed.

A package that caches data registers a kind of store and opens its stores through it. Only this package locks and
removes stores.
"""

from coverslip.cache.arrays import ARRAYS, ArrayStore
from coverslip.cache.eviction import (
    claim_store,
    clean,
    configured_limit,
    exclusive_lock,
    is_in_use,
    limit_bytes,
    remove_stores_of,
    trim,
)
from coverslip.cache.file_hashes import FileHashes, FileIdentity, FileState, is_on_local, state_of, states_of
from coverslip.cache.memory import MemoryCache
from coverslip.cache.records import RECORDS, RecordStore
from coverslip.cache.stores import (
    FILES,
    Journal,
    Kind,
    Store,
    StoreLayout,
    cache_folder,
    list_kinds,
    list_stores,
    open_database,
    register,
    remove_database,
    store_content,
    unusable_note,
)

__all__ = [
    "ARRAYS",
    "FILES",
    "RECORDS",
    "ArrayStore",
    "FileHashes",
    "FileIdentity",
    "FileState",
    "Journal",
    "Kind",
    "MemoryCache",
    "RecordStore",
    "Store",
    "StoreLayout",
    "cache_folder",
    "claim_store",
    "clean",
    "configured_limit",
    "exclusive_lock",
    "is_in_use",
    "is_on_local",
    "limit_bytes",
    "list_kinds",
    "list_stores",
    "open_database",
    "register",
    "remove_database",
    "remove_stores_of",
    "state_of",
    "states_of",
    "store_content",
    "trim",
    "unusable_note",
]
