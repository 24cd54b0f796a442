"""Running a network fast and equal. Importing this room imports torch."""

from coverslip.engines.embedding import embed, fingerprint
from coverslip.engines.running import Engine, fastest_engine, n_threads
from coverslip.engines.views import as_input, run_views

__all__ = ["Engine", "as_input", "embed", "fastest_engine", "fingerprint", "n_threads", "run_views"]
