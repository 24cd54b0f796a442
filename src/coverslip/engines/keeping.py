"""Engines kept in the cache, so that a process which only predicts needs neither PyTorch nor the network's code."""

import hashlib
import io
import json
import sqlite3
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from zipfile import BadZipFile

import numpy as np

from coverslip._version import __version__
from coverslip.cache import FILES, RECORDS, Kind, RecordStore, claimed, register
from coverslip.engines.engine import BUILDERS, LARGEST_DIFFERENCE, Engine, EngineName, FloatArray, difference
from coverslip.errors import CoverslipError, has_extra
from coverslip.files import write_bytes
from coverslip.machine import processor_name

ENGINES = register(Kind("engines", "networks made ready to predict", FILES, bound_bytes=2 * 10**9))
ENGINE_KEYS = register(Kind("engine-keys", "which of them classifiers need", RECORDS))
_NETWORK, _CHECK = "network.onnx", "check.npz"
_NOT_KEPT = (OSError, sqlite3.Error, CoverslipError)  # a full disk, a cache that cannot be written: done without


def engine_key(fingerprint: str, shape: tuple[int, ...]) -> str:
    """Return the name of an engine for a network and images of a shape, of these versions, on such a processor."""
    made_by = [fingerprint, shape, __version__, *software()]
    return hashlib.sha256(json.dumps(made_by).encode()).hexdigest()[:32]


def software() -> list[str]:
    """The versions of what runs networks, and the processor: with others the last digits of results may differ."""
    return [*(_version_of(package) for package in ("openvino", "onnxruntime", "torch")), processor_name()]


def keep_engine(key: str, name: EngineName, exported: bytes, example: FloatArray, expected: FloatArray) -> bool:
    """Keep a network as ONNX with what it is to be checked with; whether that could be done.

    Args:
        key: as of `engine_key`.
        name: what runs it.
        exported: the network for one image.
        example: images that it was compared with PyTorch on.
        expected: what PyTorch gives for them.
    """
    check = io.BytesIO()
    digest = np.array(hashlib.sha256(exported).hexdigest())
    np.savez(check, name=np.array(name), example=example[:1], expected=expected[:1], sha256=digest)
    try:
        with claimed(ENGINES, key) as claim:
            write_bytes(claim.folder / _NETWORK, exported)
            write_bytes(claim.folder / _CHECK, check.getvalue())
        claim.release()
    except _NOT_KEPT:
        return False
    return True


def kept_engine(key: str) -> Engine | None:
    """The engine of this name, where it is undamaged and gives what PyTorch gave for the image that is kept with it."""
    if not has_extra("onnx") or not (ENGINES.folder / key / _CHECK).is_file():
        return None
    try:
        with claimed(ENGINES, key, will_grow=False) as claim:
            exported = (claim.folder / _NETWORK).read_bytes()
            with np.load(claim.folder / _CHECK, allow_pickle=False) as check:
                name, example, expected = _named(str(check["name"])), check["example"], check["expected"]
                is_intact = str(check["sha256"]) == hashlib.sha256(exported).hexdigest()
        claim.release(has_grown=False)
        if not is_intact:  # a changed weight may stay below the difference that is allowed
            return None
        run = BUILDERS[name](exported)
        far = difference(run(example), expected)
    except (ImportError, RuntimeError, ValueError, KeyError, EOFError, BadZipFile, *_NOT_KEPT):
        return None
    return Engine(name, "cpu", run, far, key) if far <= LARGEST_DIFFERENCE else None


def remember_engine(classifier: str, engine: Engine) -> None:
    """Let `engine_of` find an engine that is kept, for a classifier by its fingerprint."""
    if engine.kept_as is not None:
        with suppress(*_NOT_KEPT), RecordStore(ENGINE_KEYS, "classifiers") as store:
            store.keep({_record_key(classifier): engine.kept_as.encode()})


def engine_of(classifier: str) -> Engine | None:
    """Return the engine that was remembered for a classifier, if it is kept and works here."""
    with suppress(*_NOT_KEPT), RecordStore(ENGINE_KEYS, "classifiers") as store:
        name = store.find([_record_key(classifier)]).get(_record_key(classifier))
        return None if name is None else kept_engine(name.decode())
    return None


def _record_key(classifier: str) -> str:
    return engine_key(classifier, ())


def _named(name: str) -> EngineName:
    return "openvino" if name == "openvino" else "onnxruntime"


@cache  # to look up a version takes longer than all else of a key
def _version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
