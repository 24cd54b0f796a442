"""Running a network fast and equal."""

from coverslip.engines.embedding import Features, embed, n_missing
from coverslip.engines.engine import Engine
from coverslip.engines.keeping import engine_of, remember_engine
from coverslip.engines.running import N_CHECKED, fastest_engine, fingerprint
from coverslip.engines.tta import as_input, run_tta, turned

__all__ = [
    "N_CHECKED",
    "Engine",
    "Features",
    "as_input",
    "embed",
    "engine_of",
    "fastest_engine",
    "fingerprint",
    "n_missing",
    "remember_engine",
    "run_tta",
    "turned",
]
