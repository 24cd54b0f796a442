"""The methods section for a paper. Phrases for each setting are defined with the recipe's keys."""

import shlex
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from coverslip.messages import localized_number, text
from coverslip.reports import metric_rows
from coverslip.reports.blocks import Block, Quotation, Section, SectionText
from coverslip.reports.reported import (
    ReportedRun,
    copies_words,
    count,
    group_words,
    listed,
    number,
    percent,
    read_run,
    reason_title,
    set_title,
    whole_percent,
)
from coverslip.runs.folder import Run
from coverslip.runs.recipe import SET_BY_FINISHING, Augment, FromRun, Pretraining, Recipe
from coverslip.runs.recipe_keys import changed_phrases, phrases
from coverslip.runs.status import Weights
from coverslip.runs.training import FinetuneStage, InstantStage

_PACKAGES = {"torch": "PyTorch", "timm": "timm", "numpy": "NumPy", "scipy": "SciPy"}
_SETS = ("train", "val", "test")
# Keys that a sentence has its own place for, or that are no part of what was done to the images or the network. Any
# other is mentioned at the end of the part of its group, if it is not at its default.
_PLACED = frozenset(
    {
        "model",
        "epochs",
        "seed",
        "image_size",
        "resize",
        "scaling",
        "head",
        "tta",
        "optimizer",
        "learning_rate",
        "schedule",
        "sgd_from",
        "sgd_learning_rate",
        "weight_decay",
        "batch_size",
        "class_weights",
        "sampling",
        "primary_metric",
        "decide_by",
        "target",
        "threshold",
        "init",
        "split.train_per_class",
        "regularizer.groups",
        "regularizer.spread_weight",
        "regularizer.scatter_weight",
        "regularizer.scatter",
        "regularizer.memory",
    }
)


def weights_words(run: ReportedRun) -> str:
    """Return which pretrained weights the training started from, and their license; empty where it is not recorded."""
    weights = run.environment.weights
    if weights is None:
        return ""
    digest = f" · SHA-256 {weights.sha256[:12]}" if weights.sha256 else ""
    return text("methods-weights", source=weights.source, kind=weights.kind, **_license(weights)) + digest


def _blocks(run: ReportedRun) -> Iterator[Block]:
    yield Quotation(methods(run))
    notes = () if run.training is None else run.training.notes
    yield SectionText([*map(str, notes), *filter(None, [weights_words(run)])])
    recipe, command = run.run.recipe_file.read_text(encoding="utf-8").strip(), shlex.join(run.environment.command or ())
    yield Quotation([*filter(None, [recipe, command])], text("report-recipe"))


def methods_text(run: Run | Path | str) -> str:
    """Return the methods of a run as text for the methods section of a paper.

    Args:
        run: a run folder.

    Returns:
        Three paragraphs, separated by blank lines: data, network, metrics.

    Raises:
        BadRun: not a run folder, or no metrics in it yet.

    Examples:
        >>> data, network, numbers = cs.methods_text("runs/first").split("\\n\\n")
        >>> data.startswith("54 images of 2 classes")
        True
    """
    return "\n\n".join(methods(read_run(Path(run))))


def methods(run: ReportedRun) -> list[str]:
    """Return the methods in three paragraphs: data, network, metrics."""
    return [_data_methods(run), _network_methods(run), _number_methods(run)]


def _others(recipe: Recipe, *groups: str, before: str) -> str:
    """Return the phrases of keys without a separate sentence, each after `before`."""
    changed = [phrase for group in groups for phrase in changed_phrases(recipe, group, besides=_PLACED)]
    return "".join(f"{before}{phrase}" for phrase in changed)


def _data_methods(run: ReportedRun) -> str:
    case = "folds" if run.n_folds else "leaky" if run.is_split_leaky else "sets"
    sentences = [
        text(
            "methods-images",
            n_images=len(run.used),
            n_classes=len(run.classes),
            n_groups=run.n_groups,
            has_domains=bool(run.domains),
            domains=listed(run.domains),
            division=_divided(run),
        ),
        text("methods-kept-together", has_groups=bool(run.n_groups), case=case, has_validation=run.has_validation),
        f"{run.without_group}." if run.n_ungrouped else "",
        _excluded(run),
        text("report-untested", n_images=len(run.untested)) if run.untested else "",
        _near_duplicate_methods(run),
        _group_methods(run),
        *_class_methods(run.recipe),
    ]
    return " ".join(filter(None, sentences))


def _excluded(run: ReportedRun) -> str:
    """Return how many images were found, and why some are not used; empty if all are used."""
    n_of = Counter(reason_title(row.reason) for row in run.run.split if row.split == "excluded")
    if run.n_excluded_by_hand:
        n_of[text("excluded-by-hand")] = run.n_excluded_by_hand
    if not n_of:
        return ""
    reasons = listed([f"{count(n)} {reason}" for reason, n in n_of.most_common()], len(n_of))
    n_found = len(run.used) + n_of.total()
    return text("methods-excluded", n_found=n_found, n_excluded=n_of.total(), reasons=reasons)


def _divided(run: ReportedRun) -> str:
    """Return how the images were split into sets, and the size of each set."""
    other_settings = _others(run.recipe, "split", before="; ")
    predefined_sets = () if run.n_folds else run.environment.predefined_sets
    if len(predefined_sets) == len(_SETS):
        return text(
            "methods-given-division", sets=_shares(run), has_others=bool(other_settings), others=other_settings[2:]
        )
    return text(
        "methods-division",
        has_given=bool(predefined_sets),
        given=listed([set_title(side) for side in predefined_sets], len(predefined_sets)),
        has_domains=bool(run.domains),
        sets=_shares(run),
        settings=f"{phrases(run.recipe)['seed']}{other_settings}",
    )


def _group_methods(run: ReportedRun) -> str:
    """Return the source of the groups; empty if no groups are known."""
    opened = run.environment.opened
    if not run.n_groups or not (opened.group or opened.group_pattern):
        return ""
    pattern = opened.group_pattern or opened.column_pattern
    if opened.group and not pattern:
        return text("methods-group-column", column=opened.group)
    return text("methods-group-pattern", pattern=pattern or "")


def _shares(run: ReportedRun) -> str:
    if run.n_folds:
        return text("methods-folds", n_folds=run.n_folds)
    sets = [f"{set_title(part)} ({count(run.parts[part])})" for part in _SETS if run.parts[part]]
    return text("methods-sets", sets=listed(sets))


def _near_duplicate_methods(run: ReportedRun) -> str:
    """Return the result of the search for near-duplicates; empty without a search."""
    inspection = run.run.inspection
    if inspection is None or not inspection.are_copies_known:
        return ""
    findings = inspection.of("near-duplicates")
    if not findings:
        return text("methods-no-near-duplicates")
    n_together, n_sets = run.n_near_duplicates
    together = "all" if n_together == n_sets else "some"
    return text(
        "methods-near-duplicates",
        n_clusters=n_sets,
        n_images=sum(len(cluster) for finding in findings for cluster in finding.images),
        together="leaky" if run.is_split_leaky else together,
        n_together=n_together,
        has_folds=bool(run.n_folds),
    )


def _class_methods(recipe: Recipe) -> Iterator[str]:
    """Yield sentences on how the recipe changed the classes."""
    plan = recipe.classes
    if plan.by_domain:
        yield text("methods-classes-by-domain")
    # A merge of a single class only states that domains use its name for the same class.
    merged = [
        text("methods-merged-class", old=listed(olds, len(olds)), new=new)
        for new, olds in plan.merge.items()
        if olds != (new,)
    ]
    if merged:
        yield text("methods-merged-classes", classes="; ".join(merged))
    if plan.rename:
        renamed = [text("methods-renamed-class", old=old, new=new) for old, new in plan.rename.items()]
        yield text("methods-renamed-classes", classes="; ".join(renamed))
    if plan.drop:
        yield text("methods-excluded-classes", classes=listed(plan.drop, len(plan.drop)))
    if most := phrases(recipe)["split.train_per_class"]:
        yield text("methods-class-limit", image_set=_capitalized(most))
    for phrase in changed_phrases(recipe, "classes", besides=_PLACED):
        yield f"{_capitalized(phrase)}."


def _network_methods(run: ReportedRun) -> str:
    record = run.measured_training
    sentences = [preprocessing_methods(run), _start_methods(run)]
    if record is not None and record.instant is not None:
        sentences.append(_instant_methods(run.recipe, record.instant))
    if run.finetuning is None or run.is_no_epoch_done:
        sentences.append(text("methods-not-finetuned"))
    else:
        sentences += _finetune_methods(run, run.finetuning)
    sentences.append(run.delivered_words)
    return " ".join(filter(None, sentences))


def preprocessing_methods(run: ReportedRun) -> str:
    """Return how images were resized and scaled, in a sentence."""
    recipe, card = run.recipe, run.run.card
    if card is not None:  # values that the recipe leaves to the network and the images
        prepared = card.preprocessing
        recipe = recipe.model_copy(
            update={"image_size": recipe.image_size or prepared.image_size, "scaling": prepared.scaling.mode}
        )
    words = phrases(recipe)
    resized = ", ".join(filter(None, [text("methods-resized", size=words["image_size"]).strip(), words["resize"]]))
    other_settings = _others(run.recipe, "images", before=", ")
    return text("methods-preprocessing", resized=resized, scaling=words["scaling"], others=other_settings)


def _start_methods(run: ReportedRun) -> str:
    other_settings = _others(run.recipe, "basic", "start", before="; ")
    environment = f"{_software(run)}, {_machine(run)}{other_settings}"
    network = phrases(run.recipe)["model"]
    return text("methods-network", network=network, initialization=_initial_weights(run), environment=environment)


def _software(run: ReportedRun) -> str:
    environment = run.environment
    titled_versions = ((title, environment.packages.get(package)) for package, title in _PACKAGES.items())
    versions = [f"{title} {version}" for title, version in titled_versions if version]
    return ", ".join([f"coverslip {environment.coverslip}", f"Python {environment.python}", *versions])


def _machine(run: ReportedRun) -> str:
    machine = run.environment.machine
    if run.environment.device != "cpu" and machine.gpus:
        return text("methods-gpu", gpu=machine.gpus[0])  # the others are not used
    return text("methods-processor", processor=machine.processor, n_threads=machine.n_threads)


def _initial_weights(run: ReportedRun) -> str:
    match run.recipe.init:
        case FromRun(run=earlier):
            place = Path(earlier)
            name = place.parent.name if place.name == "classifier" else place.stem if place.suffix else place.name
            return text("methods-weights-of-run", name=name)
        case Pretraining(train_on=source):
            name = Path(source).parent.name if Path(source).suffix else Path(source).name
            return text("methods-weights-of-pretraining", name=name, is_kept=run.is_pretraining_kept)
    weights = run.environment.weights
    if run.recipe.init == "imagenet" and weights is not None and weights.kind == "imported":
        return text("methods-imported-weights", source=weights.source, **_license(weights))
    phrase = phrases(run.recipe)["init"]
    if run.recipe.init == "imagenet" and weights is not None and weights.source:
        return text("methods-pretrained-weights", phrase=phrase, source=weights.source, **_license(weights))
    return phrase


def _license(weights: Weights) -> dict[str, Any]:  # Any: parameters of a message
    return {"has_license": bool(weights.license), "license": weights.license or ""}


def _instant_methods(recipe: Recipe, stage: InstantStage) -> str:
    words = phrases(recipe.model_copy(update={"tta": recipe.n_views}))
    probe = text(
        "methods-linear-probe",
        features=_capitalized(words["head"]),
        has_augmentation=bool(words["tta"]),
        augmentation=words["tta"],
        has_validation="validation" in stage.fitted_on,
    )
    return " ".join(filter(None, [probe, copies_words(recipe.augment, stage.images_copied)]))


def _finetune_methods(run: ReportedRun, stage: FinetuneStage) -> Iterator[str]:
    recipe = _with_optimizers_of(run)
    words, changes = phrases(recipe), _random_changes(recipe.augment)
    epochs = words["epochs"] or text("methods-epochs", n_epochs=stage.epochs_run)
    if run.recipe.last_epoch is not None:
        epochs = _shortened(run, stage)
    yield text(
        "methods-finetuned",
        optimizer=words["optimizer"],
        steps=_steps(recipe, stage),
        epochs=epochs,
        selection=_selected_epoch(run),
        has_epoch=not run.n_folds and bool(stage.selected_epoch),
        epoch=stage.selected_epoch or 0,
        n_epochs=stage.epochs_run,
    )
    yield _regularizer_methods(run.recipe)
    if changes:
        yield text("methods-augmentation", changes=", ".join(changes))
    yield _refitted_methods(run, stage)
    if stage.precision != "float32":
        yield text("methods-precision", precision=stage.precision)
    if run.n_frozen:
        yield text("methods-frozen-kept", n_frozen=run.n_frozen, n_folds=run.n_folds)


def _refitted_methods(run: ReportedRun, stage: FinetuneStage) -> str:
    if stage.refitted is None or not (stage.refitted.share or run.n_folds):
        return ""
    return text(
        "methods-refitted",
        has_validation="validation" in stage.refitted.fitted_on,
        has_folds=bool(run.n_folds),
        weight=localized_number(f"{stage.refitted.share:.2g}"),
    )


def _shortened(run: ReportedRun, stage: FinetuneStage) -> str:
    """Return how long fine-tuning took that ended before its learning rate had fallen."""
    rates = [epoch.learning_rate for epoch in run.run.history if epoch.epoch == stage.epochs_run]
    return text(
        "methods-finished-early",
        n_epochs=stage.epochs_run,
        n_planned=stage.epochs_planned,
        has_rate=bool(rates and rates[0]),
        rate=localized_number(f"{rates[0]:.2g}") if rates else "",
    )


def _finetune_stages(run: ReportedRun) -> list[FinetuneStage]:
    return [record.finetune for record in run.run.trainings if record.finetune is not None]


def _with_optimizers_of(run: ReportedRun) -> Recipe:
    """Return the recipe, with Adam alone if no training changed from Adam to SGD before it ended."""

    def has_changed(stage: FinetuneStage) -> bool:
        epochs = stage.epochs_planned if run.recipe.epochs == "auto" else run.recipe.epochs
        return run.recipe.model_copy(update={"epochs": epochs}).is_second_phase(stage.epochs_run)

    is_adam_alone = run.recipe.optimizer == "adam-then-sgd" and not any(map(has_changed, _finetune_stages(run)))
    return run.recipe.model_copy(update={"optimizer": "adam"}) if is_adam_alone else run.recipe


def _selected_epoch(run: ReportedRun) -> str:
    recipe, metric = run.recipe, phrases(run.recipe)["primary_metric"]
    stages = _finetune_stages(run)
    is_last = any(stage.checkpoint_selection == "last" for stage in stages)  # a fold that diverged keeps its best
    if is_last and (recipe.stage_selection == "finetune" or recipe.init == "scratch"):
        return text("methods-last-epoch")
    if is_last:  # the rule of `training.fitting.keep_finetuned`
        is_complete = recipe.epochs == "auto" and all(stage.stopped_because == "all epochs done" for stage in stages)
        is_by_two_errors = is_complete and recipe.begins_with_instant_classifier
        return text("methods-last-epoch-unless-better", metric=metric, is_by_two_errors=is_by_two_errors)
    return text("methods-best-epoch", metric=metric, set=recipe.checkpoint_selection_set)


def _steps(recipe: Recipe, stage: FinetuneStage) -> str:
    words = phrases(recipe)
    second = f"; {words['sgd_from']} {words['sgd_learning_rate']}" if recipe.optimizer == "adam-then-sgd" else ""
    batches = f"{words['batch_size']} {listed([*filter(None, (words['class_weights'], words['sampling']))])}".strip()
    is_heeded = recipe.patience_used == recipe.patience
    stated = recipe if is_heeded else recipe.model_copy(update={"patience": Recipe().patience})
    if recipe.last_epoch is not None:  # finished early; epochs and selection have separate sentences
        usual = Recipe()
        stated = recipe.model_copy(update={name: getattr(usual, name) for name in SET_BY_FINISHING})
    other_settings = _others(stated, "training", "balance", "protocol", before="; ")
    schedule = words["schedule"]
    if recipe.last_epoch is not None:
        schedule += f" {text('methods-planned-epochs', n_epochs=stage.epochs_planned)}"
    return f"{words['learning_rate']}, {schedule}{second}; {words['weight_decay']}; {batches}{other_settings}"


def _regularizer_methods(recipe: Recipe) -> str:
    if recipe.regularizer.groups == "none":
        return ""
    words = phrases(recipe.regularizer)
    other_settings = "".join(
        f"; {phrase}" for phrase in changed_phrases(recipe.regularizer, "training", besides=_REGULARIZER_KEYS)
    )
    weights = f"{listed([words['spread_weight'], words['scatter_weight']])}{other_settings}"
    return text("methods-regularizer", groups=words["groups"], weights=weights)


_REGULARIZER_KEYS = frozenset({"groups", "spread_weight", "scatter_weight"})


def _random_changes(augment: Augment) -> list[str]:
    words = phrases(augment)
    return [words[name] for name, amount in augment if amount]


def prediction_methods(run: ReportedRun) -> str:
    """Return how classes are predicted from probabilities, and how these were calibrated."""
    changed = changed_phrases(run.recipe, "decision", besides=_PLACED)
    sentences = [
        text(
            "methods-calibrated",
            has_validation=run.has_validation,
            has_folds=bool(run.n_folds),
            temperature=number(run.calibration.temperature, 2),
        ),
        _decision_methods(run),
        *(f"{_capitalized(phrase)}." for phrase in changed),
        _last_calibration(run),
        *(
            [text("methods-calibrated-delivered", temperature=number(refit.temperature, 2))]
            if run.training is not None and (refit := run.training.refit_on_all) is not None
            else ()
        ),
    ]
    return " ".join(filter(None, sentences))


def _number_methods(run: ReportedRun) -> str:
    interval_methods = metric_rows.interval_methods(run)
    metrics = text(
        "methods-metrics",
        image_set=run.split_words,
        has_groups=bool(run.metrics.n_units),
        groups=group_words(run.metrics),
        metrics=_metric_methods(run),
        has_intervals=bool(interval_methods),
        confidence=whole_percent(run.metrics["accuracy"].level),
        methods=interval_methods,
    )
    return f"{prediction_methods(run)} {metrics}"


def _metric_methods(run: ReportedRun) -> str:
    """Return the metrics that come first, as part of a sentence."""
    titles = [metric.title for metric in metric_rows.metrics(run.metrics) if metric.is_headline]
    return listed([*map(metric_rows.in_sentence, titles)], len(titles))


def _decision_methods(run: ReportedRun) -> str:
    if run.recipe.decide_by == "highest":
        return phrases(run.recipe)["decide_by"]
    has_folds = bool(run.n_folds)
    if run.recipe.decide_by == "threshold":
        return text(
            "methods-threshold",
            label=run.metrics.positive_class,
            threshold=localized_number(f"{run.recipe.threshold:.3g}"),
        )
    if run.recipe.decide_by != "roc":
        return text(
            "methods-target",
            label=run.metrics.positive_class,
            has_folds=has_folds,
            metric=run.recipe.decide_by,
            target=percent(run.recipe.target),
        )
    points = [point for record in run.run.trainings for point in record.calibration.operating_points or ()]
    has_default = any(point.reason for point in points)
    return text("methods-operating-points", has_folds=has_folds, has_default=has_default, n_classes=len(run.classes))


def _last_calibration(run: ReportedRun) -> str:
    """Return on which predictions the final classifier was calibrated; empty without folds."""
    if not run.n_folds:
        return ""
    if run.calibration.calibrated_on == "held-out training images":
        return text("methods-calibrated-held-out")
    return text("methods-calibrated-folds") if run.has_validation else ""


def _capitalized(phrase: str) -> str:
    return phrase[:1].upper() + phrase[1:]


METHODS = Section(
    name="methods",
    title=lambda: text("report-title-methods"),
    order=1000,
    is_about_training=True,
    subtitle=lambda run: text("report-title-methods.subtitle"),
    blocks=_blocks,
)
