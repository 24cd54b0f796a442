"""Run networks fast, with the results of PyTorch; compute and cache features."""

from coverslip.engines.embedding import Features, as_input, embed, n_missing, run_tta, turned
from coverslip.engines.running import (
    LARGEST_DIFFERENCE,
    N_CHECKED,
    Engine,
    as_onnx,
    difference,
    engine_of,
    fastest_engine,
    fingerprint,
    import_openvino,
    remember_engine,
)

__all__ = [
    "LARGEST_DIFFERENCE",
    "N_CHECKED",
    "Engine",
    "Features",
    "as_input",
    "as_onnx",
    "difference",
    "embed",
    "engine_of",
    "fastest_engine",
    "fingerprint",
    "import_openvino",
    "n_missing",
    "remember_engine",
    "run_tta",
    "turned",
]
