"""Train, evaluate and apply microscope image classifiers.

    import coverslip as cs
    data = cs.open_dataset("images/")
    run = cs.train(data, cs.Recipe(), out="runs/first")
    run.metrics["macro_f1"].low
    cs.load_classifier(run).predict(["new/1.tif"])

Names are imported on first use, so that `import coverslip` is fast.
"""

from typing import TYPE_CHECKING, Any

from coverslip._version import __version__

if TYPE_CHECKING:
    from coverslip.audit.features import distance
    from coverslip.audit.live import live
    from coverslip.audit.readings import agreement
    from coverslip.audit.suggesting import suggest
    from coverslip.errors import CoverslipError
    from coverslip.experiments.adapting import adapt
    from coverslip.inference.explain.explaining import explain
    from coverslip.inference.spot_check import draw_spot_check, spot_check
    from coverslip.inference.summarising import summarise
    from coverslip.objects.collecting import collect_objects
    from coverslip.pipeline import (
        compare,
        decide,
        evaluate,
        export,
        export_objects,
        inspect,
        label_errors,
        load_classifier,
        methods_text,
        open_dataset,
        predict,
        preview,
        resume,
        train,
        watch,
        write_report,
    )
    from coverslip.reports.proportions_page import write_proportions_report
    from coverslip.runs.folder import Run, open_run
    from coverslip.runs.recipe import Recipe
    from coverslip.runs.recipe_keys import load_recipe

_MODULES = {
    "CoverslipError": "coverslip.errors",
    "Recipe": "coverslip.runs.recipe",
    "Run": "coverslip.runs.folder",
    "adapt": "coverslip.experiments.adapting",
    "agreement": "coverslip.audit.readings",
    "collect_objects": "coverslip.objects.collecting",
    "compare": "coverslip.pipeline",
    "decide": "coverslip.pipeline",
    "distance": "coverslip.audit.features",
    "draw_spot_check": "coverslip.inference.spot_check",
    "evaluate": "coverslip.pipeline",
    "explain": "coverslip.inference.explain.explaining",
    "export": "coverslip.pipeline",
    "export_objects": "coverslip.pipeline",
    "inspect": "coverslip.pipeline",
    "label_errors": "coverslip.pipeline",
    "live": "coverslip.audit.live",
    "load_classifier": "coverslip.pipeline",
    "load_recipe": "coverslip.runs.recipe_keys",
    "methods_text": "coverslip.pipeline",
    "open_dataset": "coverslip.pipeline",
    "open_run": "coverslip.runs.folder",
    "predict": "coverslip.pipeline",
    "preview": "coverslip.pipeline",
    "resume": "coverslip.pipeline",
    "spot_check": "coverslip.inference.spot_check",
    "suggest": "coverslip.audit.suggesting",
    "summarise": "coverslip.inference.summarising",
    "train": "coverslip.pipeline",
    "watch": "coverslip.pipeline",
    "write_proportions_report": "coverslip.reports.proportions_page",
    "write_report": "coverslip.pipeline",
}

__all__ = [
    "CoverslipError",
    "Recipe",
    "Run",
    "__version__",
    "adapt",
    "agreement",
    "collect_objects",
    "compare",
    "decide",
    "distance",
    "draw_spot_check",
    "evaluate",
    "explain",
    "export",
    "export_objects",
    "inspect",
    "label_errors",
    "live",
    "load_classifier",
    "load_recipe",
    "methods_text",
    "open_dataset",
    "open_run",
    "predict",
    "preview",
    "resume",
    "spot_check",
    "suggest",
    "summarise",
    "train",
    "watch",
    "write_proportions_report",
    "write_report",
]


def __getattr__(name: str) -> Any:  # Any: the public name
    if name not in _MODULES:
        raise AttributeError(f"module 'coverslip' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
