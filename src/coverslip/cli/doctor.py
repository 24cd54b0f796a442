"""`coverslip doctor` and `cache`: what is installed, what this computer offers, and the cache of computed data."""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coverslip.cli._options import AsJson, option, usage_error
from coverslip.errors import EXTRA_MODULES, has_extra
from coverslip.messages import Failure, failure, text

if TYPE_CHECKING:
    from coverslip.cache.stores import Store

_PACKAGES = (
    *("torch", "torchvision", "timm", "numpy", "scipy", "scikit-learn", "pillow", "tifffile"),
    *("onnxruntime", "nd2", "liffile", "czifile", "oiffile", "zarr", "pydicom"),
)
_LEAST_MEMORY_BYTES, _LEAST_DISK_BYTES = 4 * 10**9, 2 * 10**9
_GPU_SECONDS = 20


def doctor(as_json: AsJson = False) -> None:
    """Check the installation and this computer.

    Shows versions, extras, processor, memory, GPUs and the folders that coverslip writes to, and what to do where
    something is missing. Sends nothing. The exit code is 1 if something must be fixed. `coverslip demo` tests all from
    images to a report.

    Examples:

      coverslip doctor

      coverslip doctor --json > doctor.json
    """
    from coverslip.cli._show import print_json, results_console, show_record

    failures, warnings = _findings()
    facts = _facts()
    if as_json:
        print_json(
            {
                **facts,
                "errors": [_finding_as_json(each) for each in failures],
                "warnings": [_finding_as_json(each) for each in warnings],
            }
        )
    else:
        console = results_console()
        for title, record in zip(
            ("doctor-installation", "doctor-computer", "doctor-folders"), facts.values(), strict=True
        ):
            console.print(text(title))
            show_record(console, record)
            console.print()
        for level, findings in (("doctor-error", failures), ("doctor-warning", warnings)):
            for finding in findings:
                console.print(text(level, what=finding.what, do=finding.do), soft_wrap=True)
        if not failures and not warnings:
            console.print(text("doctor-no-findings"))
    if failures:
        raise typer.Exit(1)


def _facts() -> dict[str, dict[str, Any]]:  # Any: JSON values
    """Return what is installed and what this computer offers, by section."""
    from coverslip._version import __version__
    from coverslip.cli._show import size_in_words
    from coverslip.machine import free_memory_bytes, memory_mib, n_cores, package_version, processor_name

    return {
        "installation": {
            "coverslip": __version__,
            "folder": str(Path(__file__).parents[1]),
            "python": f"{platform.python_version()} ({sys.executable})",
            **{name: package_version(name) for name in _PACKAGES},
            "extras": [name for name in sorted(EXTRA_MODULES) if has_extra(name)],
            "extras_not_installed": [name for name in sorted(EXTRA_MODULES) if not has_extra(name)],
        },
        "computer": {
            "system": platform.platform(),
            "processor": f"{processor_name()} ({platform.machine()})",
            "cores": n_cores(),
            "memory": size_in_words(memory_mib() * 2**20),
            "free_memory": size_in_words(free_memory_bytes()),
            "gpus": _gpus(),
            "devices": _devices(),
        },
        "folders": {
            name: f"{folder} ({size_in_words(_free_bytes(folder))})" for name, (folder, _) in _folders().items()
        },
    }


def _findings() -> tuple[list[Failure], list[Failure]]:
    """Return the errors and the warnings about this computer."""
    from coverslip.cli._show import size_in_words
    from coverslip.machine import memory_mib

    failures: list[Failure] = []
    warnings: list[Failure] = []
    if (reason := _fault_of_networks()) is not None:
        failures.append(failure("doctor-networks", reason=reason))
    elif has_extra("train"):
        warnings += gpu_findings(_gpus(), _devices(), is_cuda_build=_is_cuda_build())
        warnings += _torchvision_findings()
    if (total := memory_mib() * 2**20) < _LEAST_MEMORY_BYTES:
        warnings.append(failure("doctor-little-memory", size=size_in_words(total)))
    for folder, variable in _folders().values():
        if (reason := _fault_of_folder(folder)) is not None:
            failures.append(failure("doctor-folder", file=str(folder), variable=variable, reason=reason))
        elif (free := _free_bytes(folder)) < _LEAST_DISK_BYTES:
            warnings.append(
                failure("doctor-little-disk", file=str(folder), variable=variable, size=size_in_words(free))
            )
    return failures, warnings


def gpu_findings(gpus: Sequence[str], devices: Sequence[str], *, is_cuda_build: bool) -> Iterator[Failure]:
    """Yield why PyTorch does not use the GPUs of this computer.

    Args:
        gpus: NVIDIA GPUs by name.
        devices: what PyTorch can use.
        is_cuda_build: whether PyTorch was built for such GPUs.
    """
    if gpus and not is_cuda_build:
        yield failure("doctor-gpu-without-cuda", gpus=", ".join(gpus))
    elif gpus and "cuda" not in devices:
        yield failure("doctor-gpu-not-usable", gpus=", ".join(gpus))


def _torchvision_findings() -> Iterator[Failure]:
    """Yield why notebooks and other programs cannot import torchvision or timm."""
    import torch
    import torchvision

    from coverslip.models._libraries import torchvision_fits

    if not torchvision_fits:
        version, _, build = torch.__version__.partition("+")
        versions = {"torchvision": torchvision.__version__, "torch": torch.__version__}
        yield failure("doctor-torchvision", **versions, version=version, build=build or "cpu")


def _finding_as_json(finding: Failure) -> dict[str, Any]:  # Any: JSON values
    return {name: getattr(finding, name) for name in ("code", "what", "do", "file", "parameters")}


def _fault_of_networks() -> str | None:
    """Return why no network can be built; None if one can. Packages with compiled parts fail in many ways."""
    from coverslip.datasets.names import one_line

    try:
        from coverslip.engines import fastest_engine
        from coverslip.models.backbone import Architecture
        from coverslip.models.graphs import pretrained_backbone
        from coverslip.runs.recipe import Recipe

        recipe = Recipe()
        backbone = pretrained_backbone(Architecture(recipe.model, recipe.head, 3, 32))
        fastest_engine(backbone).run(backbone.noise())
        if has_extra("train"):
            from coverslip.models.networks import cost_of_model

            cost_of_model(recipe.model, n_classes=2, channels=3, options={})
    except Exception as error:  # noqa: BLE001
        return one_line(f"{type(error).__name__}: {error}", 200)
    return None


def _devices() -> list[str]:
    from coverslip.machine import usable_devices

    try:
        return usable_devices()
    except Exception:  # noqa: BLE001  a broken PyTorch is a finding
        return []


def _is_cuda_build() -> bool:
    import torch

    return torch.version.cuda is not None or torch.version.hip is not None


def _gpus() -> list[str]:
    """Return the NVIDIA GPUs that the driver lists, whether PyTorch can use them or not."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    command = [program, "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_GPU_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]


def _folders() -> dict[str, tuple[Path, str]]:
    """Return the folders that coverslip writes to, each with the variable that sets it."""
    from coverslip.cache.stores import cache_folder
    from coverslip.files import default_workspace_folder, weights_folder

    return {
        "cache": (cache_folder(), "COVERSLIP_CACHE"),
        "weights": (weights_folder(), "COVERSLIP_WEIGHTS"),
        "app": (default_workspace_folder(), "COVERSLIP_HOME"),
        "temporary_files": (Path(tempfile.gettempdir()), "TMPDIR"),
    }


def _fault_of_folder(folder: Path) -> str | None:
    """Return why nothing can be written to a folder, which may not exist yet; None if files can be written."""
    try:
        nearest = next(each for each in (folder, *folder.parents) if os.path.lexists(each))  # a link may lead nowhere
        with tempfile.TemporaryFile(dir=nearest):
            return None
    except OSError as error:
        return error.strerror or str(error)


def _free_bytes(folder: Path) -> int:
    exists = os.path.exists  # `Path.exists` raises PermissionError below a folder that may not be entered
    return shutil.disk_usage(next(filter(exists, (folder, *folder.parents)))).free


# `coverslip cache`: show or empty the cache of computed data.

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
    from coverslip.cache.stores import clean, is_in_use, list_stores
    from coverslip.cli._show import print_json, results_console, show_cache, size_in_words

    if not is_to_clean:
        listing = _cache_listing(list_stores())
        if as_json:
            print_json(listing)
        else:
            show_cache(results_console(), listing)
        return
    stores = list_stores()
    kinds = sorted({store.kind.name for store in stores})
    if kind is not None and kind not in kinds:
        raise usage_error("usage-cache-kind", store=kind, has_kinds=bool(kinds), kinds=", ".join(kinds))
    latest = None if older_than is None else time.time() - older_than * _SECONDS_PER_DAY
    selected_stores = [
        store for store in stores if kind in (None, store.kind.name) and (latest is None or store.last_used <= latest)
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


def _cache_listing(stores: "list[Store]") -> dict[str, Any]:  # Any: JSON values
    from coverslip.cache.stores import cache_folder, is_in_use, limit_bytes, store_content

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
