"""Run networks fast, with the results of PyTorch; compute and cache features."""

from coverslip.engines.embedding import Features, as_input, embed, n_missing, run_tta, turned
from coverslip.engines.running import (
    LARGEST_DIFFERENCE,
    N_CHECKED,
    Engine,
    ExportedEngine,
    as_onnx,
    difference,
    engine_name,
    engine_of,
    exported_engine,
    fastest_engine,
    fingerprint,
    import_openvino,
    openvino_core,
    remember_engine,
    software,
)

__all__ = [
    "LARGEST_DIFFERENCE",
    "N_CHECKED",
    "Engine",
    "ExportedEngine",
    "Features",
    "as_input",
    "as_onnx",
    "difference",
    "embed",
    "engine_name",
    "engine_of",
    "exported_engine",
    "fastest_engine",
    "fingerprint",
    "import_openvino",
    "n_missing",
    "openvino_core",
    "remember_engine",
    "run_tta",
    "software",
    "turned",
]
