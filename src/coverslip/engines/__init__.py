"""Run networks fast, with the results of PyTorch; compute and cache features."""

from coverslip.engines.embedding import Features, as_input, embed, n_missing, run_tta, turned
from coverslip.engines.running import N_CHECKED, Engine, engine_of, fastest_engine, fingerprint, remember_engine

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
