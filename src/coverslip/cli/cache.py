"""`coverslip cache`: show or empty the cache of computed data."""

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from coverslip.cli._options import AsJson, option, usage_error
from coverslip.messages import text

if TYPE_CHECKING:
    from coverslip.cache import Store

_SECONDS_PER_DAY = 86_400


def cache(
    is_to_clean: Annotated[bool, option("--clean", "help-cache-clean")] = False,
    kind: Annotated[str | None, option("--kind KIND", "help-cache-kind")] = None,
    older_than: Annotated[float | None, option("--older-than DAYS", "help-cache-older-than", min=0)] = None,
    as_json: AsJson = False,
) -> None:
    """Show the cache, or empty it.

    The cache holds no results: everything in it can be computed again from your images. Old entries are removed when it
    exceeds its limit, which COVERSLIP_CACHE_LIMIT sets (such as 5GB). COVERSLIP_CACHE sets its folder.

    Examples:

      coverslip cache

      coverslip cache --clean

      coverslip cache --clean --kind pixels --older-than 30
    """
    if not is_to_clean and (kind is not None or older_than is not None):
        raise usage_error("usage-clean-options")
    from coverslip.cache import clean, is_in_use, list_kinds, list_stores
    from coverslip.cli._show import print_json, results_console, show_cache, size_in_words

    if not is_to_clean:
        listing = _described(list_stores())
        if as_json:
            print_json(listing)
        else:
            show_cache(results_console(), listing)
        return
    kinds = [store_kind.name for store_kind in list_kinds()]
    if kind is not None and kind not in kinds:
        raise usage_error("usage-cache-kind", store=kind, has_kinds=bool(kinds), kinds=", ".join(kinds))
    latest = None if older_than is None else time.time() - older_than * _SECONDS_PER_DAY
    selected_stores = [
        store
        for store in list_stores()
        if kind in (None, store.kind.name) and (latest is None or store.last_used <= latest)
    ]
    removed = clean(selected_stores)
    freed = sum(store.n_bytes for store in removed)
    stores_in_use = [store for store in selected_stores if store not in removed and is_in_use(store)]
    if as_json:
        names = {"removed": removed, "kept_in_use": stores_in_use}
        print_json(
            {"freed_bytes": freed, **{key: [str(store.folder) for store in stores] for key, stores in names.items()}}
        )
        return
    stdout = results_console()
    stdout.print(text("command-cache-freed", size=size_in_words(freed), n_removed=len(removed)))
    if stores_in_use:
        stdout.print(text("command-cache-in-use", size=size_in_words(sum(store.n_bytes for store in stores_in_use))))


def _described(stores: "list[Store]") -> dict[str, Any]:  # Any: JSON values
    from coverslip.cache import cache_folder, is_in_use, limit_bytes, store_content

    size = sum(store.n_bytes for store in stores)
    rows = []
    for store in stores:
        content = store_content(store)
        rows.append(
            {
                "kind": store.kind.name,
                "folder": str(store.folder),
                "title": store.kind.title,
                "each": content.each,
                "n_records": content.n_records,
                "size_bytes": store.n_bytes,
                "last_used": datetime.fromtimestamp(store.last_used, UTC).isoformat(timespec="seconds"),
                "is_in_use": is_in_use(store),
                "is_damaged": content.is_damaged,
            }
        )
    return {"folder": str(cache_folder()), "size_bytes": size, "limit_bytes": limit_bytes(size), "stores": rows}
