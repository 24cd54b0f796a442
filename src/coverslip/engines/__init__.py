"""Running a network fast and equal. Importing this room imports torch."""

from coverslip.engines.embedding import Features, embed
from coverslip.engines.running import N_CHECKED, Engine, fastest_engine, fingerprint
from coverslip.engines.tta import as_input, run_tta

__all__ = ["N_CHECKED", "Engine", "Features", "as_input", "embed", "fastest_engine", "fingerprint", "run_tta"]
