"""A methods paragraph for a paper. What it says of each choice stands on the recipe's keys."""

from pathlib import Path
from typing import Any

from coverslip.reports import content
from coverslip.reports.reported import ReportedRun, read_run
from coverslip.reports.sections.dataset_flow import flow_of
from coverslip.reports.sections.training import Section, SectionText
from coverslip.reports.words import (
    copies_words,
    count,
    group_words,
    listed,
    percent,
    plural,
    split_words,
    without_group,
)
from coverslip.runs import SET_BY_FINISHING, Augment, FromRun, Pretraining, Recipe, Run
from coverslip.runs.environment import Weights
from coverslip.runs.recipe import changed_phrases, phrases
from coverslip.runs.training import FinetuneStage, InstantStage

_PACKAGES = {"torch": "PyTorch", "timm": "timm", "numpy": "NumPy", "scipy": "SciPy"}
_PART_WORDS = {"train": "training", "val": "validation", "test": "test"}
# Keys that a sentence has its own place for, or that are no part of what was done to the images or the network. Any
# other is told at the end of its group's part, where it is not at its default.
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
        "regulariser.groups",
        "regulariser.spread_weight",
        "regulariser.scatter_weight",
        "regulariser.scatter",
        "regulariser.memory",
    }
)


def weights_words(run: ReportedRun) -> str:
    """Which pretrained weights the training started from, and under which licence; empty where it is not recorded."""
    weights = run.environment.weights
    if weights is None:
        return ""
    licence = f"licence {weights.licence}" if weights.licence else "licence not stated"
    digest = f" · SHA-256 {weights.sha256[:12]}" if weights.sha256 else ""
    return f"Pretrained weights: {weights.source} ({weights.kind}) · {licence}{digest}"


def _shown(run: ReportedRun) -> dict[str, Any]:  # Any: what the template takes
    return {
        "methods": methods(run),
        "notes": () if run.training is None else run.training.notes,
        "weights": weights_words(run),
        "recipe": run.run.recipe_file.read_text(encoding="utf-8").strip(),
        "command": " ".join(run.environment.command or ()),
    }


def methods_text(run: Run | Path | str) -> str:
    """What was done in a run, as a text for the methods section of a paper: only what is true of this run.

    Args:
        run: a run folder.

    Returns:
        Three paragraphs, a blank line between them: the images, the network, the numbers.

    Raises:
        BadRun: not a run folder, or no numbers in it yet.

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
    """What is told of keys without a place of their own, each behind `before`."""
    changed = [phrase for group in groups for phrase in changed_phrases(recipe, group, besides=_PLACED)]
    return "".join(f"{before}{phrase}" for phrase in changed)


def _data_methods(run: ReportedRun) -> str:
    origin = f" from {plural(run.n_groups, 'group')}" if run.n_groups else ""
    together = "Images of one group and images with" if run.n_groups else "Images with"
    domains = f", of the domains {listed(run.domains)}," if run.domains else ""
    return (
        f"{plural(len(run.used), 'image')} of {plural(len(run.classes), 'class')}{origin}{domains} were divided, "
        f"{_divided(run)}. {together} identical pixels {_kept_together(run)}."
        + (f" {without_group(run)}." if run.n_ungrouped else "")
        + _excluded(run)
        + _near_duplicate_methods(run)
        + _group_methods(run)
        + _class_methods(run.recipe)
    )


def _excluded(run: ReportedRun) -> str:
    """How many images were found, and why some are not used, in a sentence that follows others; empty where all are."""
    flow = flow_of(run)
    if not flow.left_out:
        return ""
    reasons = listed([f"{count(n)} {reason}" for reason, n in flow.left_out.items()], len(flow.left_out))
    return f" Of {plural(flow.n_found, 'image')} found, {count(sum(flow.left_out.values()))} were excluded: {reasons}."


def _divided(run: ReportedRun) -> str:
    """How the sets came about, and how large they are."""
    stratified = "stratified by domain and class" if run.domains else "stratified by class"
    others = _others(run.recipe, "split", before="; ")
    given = () if run.n_folds else run.environment.predefined_sets
    if len(given) == len(_PART_WORDS):
        return f"as given with the data, into {_shares(run)}{f' ({others[2:]})' if others else ''}"
    if given:
        named = listed([_PART_WORDS[side] for side in given], len(given))
        stratified = f"{named} images as given with the data and the other sets {stratified}"
    return f"{stratified}, into {_shares(run)} ({phrases(run.recipe)['seed']}{others})"


def _group_methods(run: ReportedRun) -> str:
    """Where groups are from, in a sentence that follows others; empty where none are known."""
    opened = run.environment.opened
    if not run.n_groups or not (opened.group or opened.group_pattern):
        return ""
    pattern = opened.group_pattern or opened.column_pattern
    if opened.group and not pattern:
        return f" Groups were taken from the column “{opened.group}” of the dataset's table."
    return f" Groups were taken from the part of the file names that matches “{pattern}”."


def _shares(run: ReportedRun) -> str:
    if run.n_folds:
        return f"{run.n_folds} folds"
    return (
        listed([f"{words} ({count(run.parts[part])})" for part, words in _PART_WORDS.items() if run.parts[part]])
        + " images"
    )


def _kept_together(run: ReportedRun) -> str:
    if run.n_folds:
        return (
            "were kept in the same fold. Each fold was tested by a network that was trained on the others, of which a "
            "part was used for validation. The classifier was then trained on all images with the median of the "
            "settings selected in the folds"
        )
    may_leak = run.environment.allow_leakage
    return "may be in several sets" if may_leak else "were kept in the same set"


def _near_duplicate_methods(run: ReportedRun) -> str:
    """What came of the search for near-duplicates, in a sentence that follows others; empty without a search."""
    inspection = run.run.inspection
    if inspection is None or not inspection.are_copies_known:
        return ""
    text = " Near-duplicates (compressed, resized, rotated, mirrored or cropped copies) were searched for by alignment"
    findings = inspection.of("near-duplicates")
    if not findings:
        return f"{text}; none were found."
    clusters = [cluster for finding in findings for cluster in finding.images]
    n_together = sum(n for finding in findings if isinstance(n := finding.parameters["n_clusters_together"], int))
    were = "was" if len(clusters) == 1 else "were"
    text += f"; {plural(len(clusters), 'cluster')} ({plural(sum(map(len, clusters)), 'image')}) {were} found, "
    sets = "folds" if run.n_folds else "sets"
    if run.environment.allow_leakage:
        return f"{text}which may be divided between {sets}."
    which = "and" if n_together == len(clusters) else f"of which {count(n_together)} were"
    return f"{text}{which} kept in the same {sets[:-1]}."


def _class_methods(recipe: Recipe) -> str:
    """How the recipe changed what there is to learn, in sentences that follow others."""
    plan = recipe.classes
    sentences = []
    if plan.by_domain:
        sentences.append("Each domain had classes of its own, named after it.")
    # A class joined with nothing says that domains which share its name mean the same; nothing changes by it.
    joined = [f"{listed(olds, len(olds))} as “{new}”" for new, olds in plan.merge.items() if olds != (new,)]
    if joined:
        sentences.append(f"Classes were merged: {'; '.join(joined)}.")
    if plan.rename:
        renamed = [f"{old} to “{new}”" for old, new in plan.rename.items()]
        sentences.append(f"Classes were renamed: {'; '.join(renamed)}.")
    if plan.drop:
        sentences.append(f"Images of {listed(plan.drop, len(plan.drop))} were excluded.")
    if most := phrases(recipe)["split.train_per_class"]:
        sentences.append(f"{_capitalised(most)}, were used.")
    sentences += [f"{_capitalised(phrase)}." for phrase in changed_phrases(recipe, "classes", besides=_PLACED)]
    return "".join(f" {sentence}" for sentence in sentences)


def _network_methods(run: ReportedRun) -> str:
    record = run.measured_training
    text = f"{_preprocessing_methods(run)} {_start_methods(run)} "
    if record is not None and record.instant is not None:
        text += f"{_instant_methods(run.recipe, record.instant)} "
    if run.finetuning is None or run.is_no_epoch_done:
        return text + "The network was not fine-tuned."
    return text + _finetune_methods(run, run.finetuning)


def _preprocessing_methods(run: ReportedRun) -> str:
    recipe, card = run.recipe, run.run.card
    if card is not None:  # what the recipe left to the network and to the images
        prepared = card.preprocessing
        recipe = recipe.model_copy(
            update={"image_size": recipe.image_size or prepared.image_size, "scaling": prepared.scaling.mode}
        )
    words = phrases(recipe)
    resized = ", ".join(filter(None, [f"resized {words['image_size']}".strip(), words["resize"]]))
    others = _others(run.recipe, "images", before=", ")
    return f"Images were {resized}, and intensities scaled {words['scaling']}{others}."


def _start_methods(run: ReportedRun) -> str:
    others = _others(run.recipe, "basic", "start", before="; ")
    made = f"{_software(run)}, {_machine(run)}{others}"
    return f"The network was {phrases(run.recipe)['model']} with {_start(run)} ({made})."


def _software(run: ReportedRun) -> str:
    environment = run.environment
    named = ((title, environment.packages.get(package)) for package, title in _PACKAGES.items())
    versions = [f"{title} {version}" for title, version in named if version]
    return ", ".join([f"coverslip {environment.coverslip}", f"Python {environment.python}", *versions])


def _machine(run: ReportedRun) -> str:
    machine = run.environment.machine
    if run.environment.device.startswith("cuda") and machine.gpus:
        return f"on {listed(machine.gpus)}"
    return f"on {machine.processor} with {plural(machine.n_threads, 'thread')}"


def _start(run: ReportedRun) -> str:
    match run.recipe.init:
        case FromRun(run=earlier):
            place = Path(earlier)
            name = place.parent.name if place.name == "classifier" else place.stem if place.suffix else place.name
            return f"the weights of the earlier run “{name}”"
        case Pretraining(train_on=source):
            name = Path(source).parent.name if Path(source).suffix else Path(source).name
            pretraining = f"pretraining on “{name}”, described in its own folder pretraining/,"
            return f"the weights {'of' if run.is_pretraining_kept else 'that were not improved by'} {pretraining}"
    weights = run.environment.weights
    if run.recipe.init == "imagenet" and weights is not None and weights.kind == "imported":
        return f"the imported weights “{weights.source}”{_licence(weights)}"
    described = phrases(run.recipe)["init"]
    if run.recipe.init == "imagenet" and weights is not None and weights.source:
        return f"{described} from {weights.source}{_licence(weights)}"
    return described


def _licence(weights: Weights) -> str:
    return f" (licence {weights.licence})" if weights.licence else " (licence not stated)"


def _instant_methods(recipe: Recipe, stage: InstantStage) -> str:
    words = phrases(recipe)
    averaged = f", {words['tta']}," if words["tta"] else ""
    return (
        f"{_capitalised(words['head'])}, the network being frozen{averaged} were classified by a linear discriminant "
        f"fitted on {stage.fitted_on}, whose shrinkage was chosen on validation images."
        f"{copies_words(recipe.augment, stage.images_copied)}"
    )


def _finetune_methods(run: ReportedRun, stage: FinetuneStage) -> str:
    words, changes = phrases(run.recipe), _random_changes(run.recipe.augment)
    kept = "" if run.n_folds or not stage.selected_epoch else f" (epoch {stage.selected_epoch} of {stage.epochs_run})"
    epochs = words["epochs"] or f"for {plural(stage.epochs_run, 'epoch')}"
    if run.recipe.last_epoch is not None:
        epochs = _shortened(run, stage)
    where = f" in {run.n_frozen} of {run.n_folds} folds" if run.n_folds else ""
    return (
        f"It was then fine-tuned with {words['optimizer']} ({_steps(run.recipe, stage)}) {epochs}, keeping "
        f"{_selected_epoch(run, stage)}{kept}."
        + _regulariser_methods(run.recipe)
        + (f" Data augmentation of training images: {', '.join(changes)}." if changes else "")
        + _refitted_methods(run, stage)
        + ("" if stage.precision == "float32" else f" Steps were computed in mixed precision ({stage.precision}).")
        + (f" The frozen network had better validation results{where} and was kept." if run.n_frozen else "")
    )


def _refitted_methods(run: ReportedRun, stage: FinetuneStage) -> str:
    if stage.refitted is None or not (stage.refitted.share or run.n_folds):
        return ""
    what = f"with a linear discriminant on the features of {stage.refitted.fitted_on}"
    weight = "weight" if run.n_folds else f"weight {stage.refitted.share:.2g},"
    return f" The last layer was averaged {what} ({weight} chosen on validation images)."


def _shortened(run: ReportedRun, stage: FinetuneStage) -> str:
    """How long fine-tuning took that ended before its learning rate had fallen."""
    rates = [epoch.learning_rate for epoch in run.run.history if epoch.epoch == stage.epochs_run]
    rate = f", at a learning rate of {rates[0]:.2g} by then" if rates and rates[0] else ""
    return f"for {stage.epochs_run} of {stage.epochs_planned} planned epochs{rate}"


def _selected_epoch(run: ReportedRun, stage: FinetuneStage) -> str:
    recipe, metric = run.recipe, phrases(run.recipe)["primary_metric"]
    is_last = recipe.keeps_last_epoch if run.n_folds else stage.checkpoint_selection == "last"
    if is_last and (recipe.stage_selection == "finetune" or recipe.init == "scratch"):
        return "the last"
    if is_last:
        return f"the last unless {metric} on validation images was better before fine-tuning"
    return f"the one with the best {metric} on validation images"


def _steps(recipe: Recipe, stage: FinetuneStage) -> str:
    words = phrases(recipe)
    second = f"; {words['sgd_from']} {words['sgd_learning_rate']}" if recipe.optimizer == "adam-then-sgd" else ""
    batches = f"{words['batch_size']} {' and '.join(filter(None, (words['class_weights'], words['sampling'])))}".strip()
    is_heeded = recipe.patience_used == recipe.patience
    told = recipe if is_heeded else recipe.model_copy(update={"patience": Recipe().patience})
    if recipe.last_epoch is not None:  # finished early; the epochs and which is kept have a place of their own
        usual = Recipe()
        told = recipe.model_copy(update={name: getattr(usual, name) for name in SET_BY_FINISHING})
    others = _others(told, "training", before="; ")
    over = f" over {plural(stage.epochs_planned, 'epoch')}" if recipe.last_epoch is not None else ""
    return f"{words['learning_rate']}, {words['schedule']}{over}{second}; {words['weight_decay']}; {batches}{others}"


def _regulariser_methods(recipe: Recipe) -> str:
    if recipe.regulariser.groups == "none":
        return ""
    words = phrases(recipe.regulariser)
    others = "".join(f"; {phrase}" for phrase in changed_phrases(recipe.regulariser, "training", besides=_REGULARISED))
    weights = f"weights {words['spread_weight']} and {words['scatter_weight']}{others}"
    return (
        f" The loss also drew the features of the groups {words['groups']} together, and the groups apart ({weights})."
    )


_REGULARISED = frozenset({"groups", "spread_weight", "scatter_weight"})


def _random_changes(augment: Augment) -> list[str]:
    words = phrases(augment)
    return [words[name] for name, amount in augment if amount]


def _number_methods(run: ReportedRun) -> str:
    scaled = "" if run.n_folds else f" (T = {run.calibration.temperature:.2f})"
    changed = changed_phrases(run.recipe, "decision", besides=_PLACED)
    others = "".join(f" {_capitalised(phrase)}." for phrase in changed)
    groups = f" ({group_words(run.metrics)})" if run.metrics.n_groups else ""
    methods = content.interval_methods(run)
    level = f"{100 * run.metrics['accuracy'].level:.0f}%"
    intervals = f"{level} confidence intervals are by {methods}" if methods else "no confidence intervals are given"
    return (
        f"Probabilities were calibrated by temperature scaling on validation images{scaled}. {_decision_methods(run)}"
        f"{others}{_last_calibration(run)} "
        f"All metrics are from {split_words(run)}{groups}: {_metric_methods(run)}; {intervals}."
    )


def _metric_methods(run: ReportedRun) -> str:
    """Which metrics are told first, in the middle of a sentence."""
    titles = [metric.title for metric in content.metrics(run) if metric.is_headline and metric.name != "ece_expected"]
    return listed([title if title[:2].isupper() else title[:1].lower() + title[1:] for title in titles], len(titles))


def _decision_methods(run: ReportedRun) -> str:
    if run.recipe.decide_by == "highest":
        return phrases(run.recipe)["decide_by"]
    whose = "each fold's" if run.n_folds else "the"
    if run.recipe.decide_by == "threshold":
        return (
            f"An image was predicted as {run.metrics.positive_class} if its probability reached a threshold of "
            f"{run.recipe.threshold:.3g}, which was set by hand."
        )
    if run.recipe.decide_by != "roc":
        return (
            f"An image was predicted as {run.metrics.positive_class} if its probability reached a threshold: the one "
            f"that on {whose} validation images has a {run.recipe.decide_by} of {percent(run.recipe.target)} or "
            f"more and the highest {'specificity' if run.recipe.decide_by == 'sensitivity' else 'sensitivity'}."
        )
    points = [point for record in run.run.trainings for point in record.calibration.operating_points or ()]
    others = (
        f" (1 / {len(run.classes)} for classes without enough images to find one, or with none better than chance)"
        if any(point.reason for point in points)
        else ""
    )
    return (
        f"Each class had an operating point: the threshold at which its one-vs-rest ROC curve on {whose} validation "
        f"images has the largest Youden index, sensitivity + specificity − 1{others}. The class whose probability was "
        f"largest in proportion to its threshold was predicted."
    )


def _last_calibration(run: ReportedRun) -> str:
    """What the classifier's calibration rests on that folds leave behind, in a sentence that follows others."""
    if not run.n_folds:
        return ""
    if run.calibration.learnt_on == "held-out training images":
        return (
            " The classifier was calibrated on held-out predictions of linear probes with the same shrinkage, each "
            "fitted on about nine tenths of all images."
        )
    return " The classifier was calibrated on the predictions of the folds' networks for their validation images."


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


METHODS = Section(
    name="methods",
    title="Methods",
    order=1000,
    is_about_training=True,
    subtitle=lambda run: "text for the methods section of a paper",
    text=lambda run: SectionText(methods(run)),
    shown=_shown,
    template=Path(__file__).with_name("methods.html"),
)
