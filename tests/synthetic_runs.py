"""Run folders and studies that are written instead of trained: the same numbers on every machine."""

import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

import coverslip as cs
from coverslip.datasets.quality.inspecting import inspect_dataset
from coverslip.datasets.quality.scanning import scan_images
from coverslip.evaluation.calibration import apply_temperature
from coverslip.evaluation.learning import no_learning_curve
from coverslip.evaluation.summary import evaluate_predictions
from coverslip.inference.latency import Latency, Timing
from coverslip.machine import Machine
from coverslip.messages import message, message_of
from coverslip.runs.folder import Run
from coverslip.runs.predictions import Prediction, Predictions
from coverslip.runs.recipe import Recipe
from coverslip.runs.recipe_keys import save_recipe
from coverslip.runs.results import LearningCurveRecord, write_inspection, write_metrics
from coverslip.runs.split import SplitRow, write_split
from coverslip.runs.status import DomainImages, Environment, Opened
from coverslip.runs.training import Calibration, Epoch, FinetuneStage, InstantStage, TrainingRecord, write_history
from coverslip.studies.comparing import StudyComparison, compare_study
from coverslip.studies.plan import StudyPlan
from coverslip.studies.results import ResultRow
from coverslip.studies.variants import EpochCurve, NetworkLatency

BLOOD = ("basophil", "eosinophil", "erythroblast", "lymphocyte", "monocyte", "neutrophil", "platelet", "immature")
DOMAINS, STAINS = ("hospital north", "hospital south"), ("May-Grünwald Giemsa", "Wright")
INSTANT_STAGE = InstantStage(
    seconds=31.5,
    engine="onnxruntime",
    engine_difference=None,
    n_features=100,
    head="fitted",
    shrinkage=0.01,
    temperature=1.2,
    val_accuracy=0.9,
    val_macro_f1=0.9,
)
FINETUNE = FinetuneStage(
    started_from="instant",
    seconds=402,
    selected_epoch=9,
    epochs_run=12,
    epochs_planned=12,
    stopped_because="all epochs done",
    images_per_second=40,
    precision="float32",
)


def write_run(
    folder: Path,
    classes: Sequence[str] = BLOOD,
    *,
    n_test: int = 200,
    n_groups: int = 40,
    finetuned: bool = True,
    skill: float = 3.2,
    left_out: int = 3,
    recipe: Recipe | None = None,
    has_subgroups: bool = False,
) -> Path:
    """A run folder as training leaves it, with drawn cells as images.

    With `has_subgroups`, images are of two domains, and of two stains by a column of the dataset's table.
    """
    generator = np.random.default_rng(0)
    images, run = folder / "images", Run(folder / "run")
    label = generator.choice(len(classes), size=n_test * 5, p=shares(len(classes)))
    group = generator.integers(0, max(n_groups, 1), len(label))
    part = np.array(["train", "train", "train", "val", "test"])[np.argsort(np.argsort(group, kind="stable")) // n_test]
    rows = [
        SplitRow(
            image_id=f"{safe(classes[k])}/slide{g:02d}_cell{i:04d}.png",
            path=f"{safe(classes[k])}/slide{g:02d}_cell{i:04d}.png",
            label=classes[k],
            group=f"slide{g:02d}" if n_groups else "",
            domain=DOMAINS[i % 2] if has_subgroups else "",
            split=p.item(),
            fold=None,
            reason="",
        )
        for i, (k, g, p) in enumerate(zip(label, group, part, strict=True))
    ]
    test = np.flatnonzero(part == "test")
    logits = generator.normal(size=(len(test), len(classes)))
    logits[np.arange(len(test)), label[test]] += skill + generator.normal(0, 0.5, n_groups or 1)[group[test]]
    probability, before = apply_temperature(logits, 0.44), apply_temperature(logits, 0.24)
    for i in test:
        draw_cell(images / rows[i].path, int(label[i]), i)
    first = images / rows[test[0]].path
    shutil.copy(first, first.with_name("copy.png"))
    draw_cell(first.with_name("wide.png"), 0, len(rows), width=120)
    reason = "unreadable: the file is cut off: 2,113 of 8,040 bytes"
    torn = [replace(rows[0], image_id=f"torn{i}.png", split="excluded", reason=reason) for i in range(left_out)]
    run.folder.mkdir(parents=True, exist_ok=True)
    write_split(run.split_file, [*rows, *torn])
    predictions = [predicted(rows[i], p, classes) for i, p in zip(test, probability, strict=True)]
    Predictions(predictions, classes).write_csv(run.predictions_file)
    metrics = evaluate_predictions(
        probability,
        label[test],
        classes,
        split="test",
        primary="macro_f1",
        group=np.array([f"slide{g}" for g in group[test]], dtype=object) if n_groups else None,
        probability_uncalibrated=before,
        domain=np.array([rows[i].domain for i in test]) if has_subgroups else None,
        columns={"stain": np.array(STAINS, dtype=object)[test // 2 % 2]} if has_subgroups else None,
    )
    write_metrics(run.metrics_file, metrics)
    save_recipe(recipe or Recipe(), run.recipe_file)
    write_facts(run, images, finetuned=finetuned)
    if finetuned:
        write_history(run.history_file, epochs(12))
    return run.folder


def shares(n_classes: int) -> np.ndarray:
    raw = 1 / (1 + 0.35 * np.arange(n_classes))
    return raw / raw.sum()


def safe(name: str) -> str:
    return re.sub(r"[^\w]+", "-", name)[:40]


def draw_cell(path: Path, k: int, seed: int, width: int = 96) -> None:
    generator = np.random.default_rng(seed)
    image = Image.new("RGB", (width, 96), tuple(generator.integers(215, 245, 3)))
    pen = ImageDraw.Draw(image)
    pen.ellipse((14, 14, 80, 80), fill=(225 - 6 * k, 170, 190 + 3 * k))
    for x, y in generator.integers(28, 58, (1 + k % 4, 2)):
        pen.ellipse((x, y, x + 18, y + 16), fill=(110, 60 + 8 * k, 150))
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def predicted(row: SplitRow, p: np.ndarray, classes: Sequence[str]) -> Prediction:
    name = classes[int(p.argmax())]
    decision = name if p.max() >= 0.55 else "uncertain"
    return Prediction(row.image_id, row.path, row.label, name, float(p.max()), decision, tuple(p.tolist()))


def write_facts(run: Run, images: Path, *, finetuned: bool) -> None:
    TrainingRecord(
        stages=(INSTANT_STAGE, FINETUNE) if finetuned else (INSTANT_STAGE,),
        chosen="finetune" if finetuned else "instant",
        calibration=Calibration(temperature=1.83, uncertain_below=0.55),
    ).write(run.training_file)
    few = no_learning_curve(600, None, message("learning-curve-few-groups", n_groups=4, n_needed=5))
    LearningCurveRecord(curve=few).write(run.learning_curve_file)
    sources = (str(images),)
    Environment(
        opened=Opened(sources=sources, group=None, group_pattern=None),
        data=(DomainImages(domain="", root=str(images), sources=sources, n_images=1003, fingerprint="8d0f2c51ab77e1"),),
        coverslip="0.1.0",
        python="3.11.9",
        packages={"torch": "2.9.0", "timm": "1.0.20"},
        platform="Linux x86_64",
        machine=Machine(processor="Abacus 3000", n_cores=4, n_threads=4, memory_gb=16, gpus=()),
        device="cpu",
        seed=0,
        allow_leakage=False,
        command=("coverslip", "train", "images", "--out", "run"),
        started="2026-11-20T09:12:44+00:00",
    ).write(run.environment_file)
    data = cs.open_dataset(images)
    write_inspection(run.inspection_file, inspect_dataset(data, scan_images(data)))


def epochs(n: int) -> list[Epoch]:
    rows = []
    for epoch in range(1, n + 1):
        loss = float(1.4 * np.exp(-epoch / 3))
        rows.append(
            Epoch(
                epoch=epoch,
                seconds=33.5,
                learning_rate=0.001,
                train_loss=loss + 0.05,
                train_accuracy=1 - loss / 3,
                val_loss=loss + 0.14 + 0.004 * epoch + 0.02 * (epoch % 3),
                val_accuracy=0.97 - loss / 3 - 0.01 * (epoch % 2),
                val_precision=0.9,
                val_recall=0.9,
                val_f1=0.955 - loss / 3 - 0.012 * (epoch % 2),
                train_precision=None,
                train_recall=None,
                train_f1=0.99 - loss / 3,
            )
        )
    return rows


NETWORKS = ("efficientnet_lite0", "mobilenet_v2", "resnet50", "convnext_tiny", "a network with a rather long name")


def written_study() -> StudyComparison:
    """Five networks on two datasets, with two sizes of the training set, timed, with curves."""
    plan = StudyPlan.model_validate(
        {
            "datasets": ["blood cells", "nuclei"],
            "models": list(NETWORKS),
            "folds": 5,
            "train_per_class": [40, 160],
        }
    )
    latencies = [
        NetworkLatency(dataset=dataset, model=model, latency=latency(0.004 * 1.7**k))
        for dataset in ("blood cells", "nuclei")
        for k, model in enumerate(NETWORKS)
    ]
    curves = tuple(study_curve(k) for k in range(4))
    return replace(compare_study(plan, list(study_rows())), latencies=tuple(latencies), curves=curves)


def study_rows() -> Iterator[ResultRow]:
    generator = np.random.default_rng(1)
    for dataset, hard in (("blood cells", 0.0), ("nuclei", 0.15)):
        for size, gain in ((40, -0.08), (160, 0.0)):
            for k, model in enumerate(NETWORKS):
                for fold in range(1, 6):
                    value = float(0.9 - hard + gain + 0.012 * k + generator.normal(0, 0.01))
                    yield ResultRow(
                        dataset=dataset,
                        model=model,
                        regime="imagenet",
                        train_per_class=size,
                        repeat=1,
                        fold=fold,
                        seed=0,
                        n_train=8 * size,
                        n_untested=480,
                        n_test=120,
                        n_groups=12,
                        primary=value,
                        metrics={"accuracy": value + 0.02, "macro_f1": value, "macro_auroc": 1 - (1 - value) / 3},
                        parameters=int(4.6e6 * 1.6**k),
                        gmacs=0.4 * 1.8**k,
                        megabytes=14.2 * 1.6**k,
                        train_seconds=310.0 * 1.5**k,
                        state="done",
                        run=f"cells/{model}",
                    )


def latency(seconds: float) -> Latency:
    def timing(factor: float) -> Timing:
        return Timing.of([factor * seconds * slower for slower in (1.3, 1, 0.9, 1, 1.1)])

    return Latency(
        processor="Abacus 3000",
        n_threads=4,
        engine="onnxruntime on cpu",
        image_px=224,
        n_many=100,
        network_one=timing(1),
        network_many=timing(60),
        whole_one=timing(1.4),
        whole_many=timing(80),
    )


def study_curve(k: int) -> EpochCurve:
    loss = [1.2 * float(np.exp(-epoch / (2 + k))) + 0.1 for epoch in range(9)]
    return EpochCurve(
        dataset="blood cells",
        train_per_class=160,
        name=NETWORKS[k],
        epochs=tuple(range(9)),
        train_loss=(None, *loss[1:]),
        train_accuracy=(None, *(0.99 - each / 4 for each in loss[1:])),
        val_loss=tuple(0.08 + each for each in loss),
        val_accuracy=tuple(0.97 - each / 3 for each in loss),
        train_penalty=(None,) * 9,
    )


def rendered(stored: Any) -> Any:  # Any: JSON
    """Return a stored result with its messages as text, as REST answers it."""
    if isinstance(stored, list):
        return [*map(rendered, stored)]
    if not isinstance(stored, dict):
        return stored
    if stored.keys() == {"code", "parameters"}:
        return str(message_of(stored))
    return {name: rendered(value) for name, value in stored.items()}
