"""The zoo's records: a table in a file for each kind of network, no torch.

Every module here whose name does not begin with `_` has `NETWORKS`, a tuple of records; a new one is found by itself.
The counts were taken by `coverslip.models.complexity` from the built networks; a test takes them again.
"""

import importlib
import pkgutil

from coverslip.models.records import ModelRecord


def networks() -> tuple[ModelRecord, ...]:
    """Return the records of all modules of this folder, by the modules' names."""
    names = [module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")]
    tables = (importlib.import_module(f"{__name__}.{name}").NETWORKS for name in sorted(names))
    return tuple(record for table in tables for record in table)
