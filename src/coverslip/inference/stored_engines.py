"""The engine that is stored with a classifier, with which predictions need not import PyTorch."""

from contextlib import suppress
from pathlib import Path

from coverslip._version import __version__
from coverslip.engines import Engine, ExportedEngine, engine_name, exported_engine, software
from coverslip.errors import CoverslipError
from coverslip.messages import Note, note
from coverslip.runs import read_engine, write_engine


def stored_engine(classifier: Path, fingerprint: str) -> tuple[Engine | None, Note | None]:
    """Return the stored engine, and a note if it is damaged.

    An engine of other weights, software or another processor is ignored, since it was not verified with these.

    Args:
        classifier: the path of a classifier; `.coverslip` files contain no engines.
        fingerprint: of the network of the classifier.
    """
    if not classifier.is_dir():
        return None, None
    engine = None
    with suppress(ValueError):
        stored = read_engine(classifier, weights=fingerprint, software=_software())
        if stored is None:
            return None, None
        engine = ExportedEngine(engine_name(stored.record.library), stored.network, stored.check).load()
    return engine, None if engine is not None else note(
        "stored-engine-damaged", level="warning", folder=str(classifier)
    )


def store_engine(classifier: Path, fingerprint: str, engine: Engine) -> None:
    """Store an engine with a classifier, unless its folder cannot be written.

    Args:
        classifier, fingerprint: as of `stored_engine`.
        engine: from the cache; others are not stored.
    """
    exported = exported_engine(engine.cache_key)
    if exported is None or not classifier.is_dir():
        return
    with suppress(OSError, CoverslipError):
        write_engine(
            classifier,
            exported.network,
            exported.check,
            library=exported.library,
            weights=fingerprint,
            software=_software(),
        )


def _software() -> tuple[str, ...]:
    return (__version__, *software())
