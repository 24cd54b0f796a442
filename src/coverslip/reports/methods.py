"""A methods paragraph for a paper. What it says of each choice stands on the recipe's keys."""

from collections import Counter
from pathlib import Path

from coverslip.reports.reading import RunFolder
from coverslip.reports.words import count, listed, plural, split_words
from coverslip.runs import Augment, FromRun, Recipe, TrainFirst
from coverslip.runs.recipe import changed_phrases, phrases

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
        "views",
        "optimizer",
        "learning_rate",
        "schedule",
        "sgd_from",
        "sgd_learning_rate",
        "weight_decay",
        "batch_size",
        "balance",
        "primary_metric",
        "decide_by",
        "init",
        "split.train_per_class",
        "regulariser.groups",
        "regulariser.spread_weight",
        "regulariser.scatter_weight",
        "regulariser.scatter",
        "regulariser.memory",
    }
)


def methods(run: RunFolder) -> list[str]:
    """What was done, in three parts: data, network, numbers."""
    return [_data_methods(run), _network_methods(run), _number_methods(run)]


def _others(recipe: Recipe, *groups: str, before: str) -> str:
    """What is told of keys without a place of their own, each behind `before`."""
    told = [phrase for group in groups for phrase in changed_phrases(recipe, group, besides=_PLACED)]
    return "".join(f"{before}{phrase}" for phrase in told)


def _data_methods(run: RunFolder) -> str:
    parts = Counter(row["split"] for row in run.split)
    if not parts:
        return "How the images were divided is not recorded in this folder."
    groups = {row["group"] for row in run.split if row.get("group") and row["split"] != "left-out"}
    n_images = sum(n for part, n in parts.items() if part != "left-out")
    origin = f" from {plural(len(groups), 'group')}" if groups else ""
    together = "Images of one group and images with" if groups else "Images with"
    collections = f", of the collections {listed(run.collections)}," if run.collections else ""
    stratified = "stratified by collection and class" if run.collections else "stratified by class"
    drawn = f"({phrases(run.recipe)['seed']}{_others(run.recipe, 'split', before='; ')})"
    return (
        f"{plural(n_images, 'image')} of {plural(len(run.classes), 'class')}{origin}{collections} were divided, "
        f"{stratified}, into {_shares(run, parts)} {drawn}. {together} identical pixels {_kept_together(run)}."
        + _class_methods(run.recipe)
    )


def _shares(run: RunFolder, parts: Counter[str]) -> str:
    if run.n_folds:
        return f"{run.n_folds} folds"
    return listed([f"{words} ({count(parts[part])})" for part, words in _PART_WORDS.items() if parts[part]]) + " images"


def _kept_together(run: RunFolder) -> str:
    if run.n_folds:
        return (
            "were never divided between folds. Each fold was tested by a network trained on the others, of which a "
            "part was kept for validation; a last network was trained on all images with the median of the choices "
            "that the folds had made"
        )
    may_leak = run.environment.get("allow_leakage")
    return "may be divided between parts" if may_leak else "were never divided between parts"


def _class_methods(recipe: Recipe) -> str:
    """How the recipe changed what there is to learn, in sentences that follow others."""
    plan = recipe.classes
    sentences = []
    if plan.by_domain:
        sentences.append("Each collection has classes of its own, called by its name.")
    # A class joined with nothing says that sets which share its name mean the same; nothing changes by it.
    joined = [f"{listed(olds, len(olds))} as “{new}”" for new, olds in plan.merge.items() if olds != (new,)]
    if joined:
        sentences.append(f"Classes were joined: {'; '.join(joined)}.")
    if plan.rename:
        renamed = [f"{old} to “{new}”" for old, new in plan.rename.items()]
        sentences.append(f"Classes were renamed: {'; '.join(renamed)}.")
    if plan.drop:
        sentences.append(f"Images of {listed(plan.drop, len(plan.drop))} were left out.")
    if most := phrases(recipe)["split.train_per_class"]:
        sentences.append(f"{_capitalised(most)}, were used.")
    sentences += [f"{_capitalised(phrase)}." for phrase in changed_phrases(recipe, "classes", besides=_PLACED)]
    return "".join(f" {sentence}" for sentence in sentences)


def _network_methods(run: RunFolder) -> str:
    finetuning = run.stage("finetune")
    text = f"{_preparation_methods(run)} {_start_methods(run)} "
    if run.stage("instant") is not None:
        text += f"{_instant_methods(run.recipe)} "
    if finetuning is None:
        return text + "The network itself was not trained further."
    return text + _finetune_methods(run, finetuning)


def _preparation_methods(run: RunFolder) -> str:
    prepared = run.classifier.get("preparation", {})
    recipe = run.recipe.model_copy(
        update={
            "image_size": run.recipe.image_size or prepared.get("image_size"),
            "scaling": prepared.get("scaling", {}).get("mode", run.recipe.scaling),
        }
    )
    told = phrases(recipe)
    resized = ", ".join(filter(None, [f"resized {told['image_size']}".strip(), told["resize"]]))
    others = _others(run.recipe, "images", before=", ")
    return f"Images were {resized}, and intensities scaled {told['scaling']}{others}."


def _start_methods(run: RunFolder) -> str:
    packages = run.environment.get("packages", {})
    made = f"coverslip {run.environment.get('coverslip', '')}".strip()
    torch = f", PyTorch {packages['torch']}" if "torch" in packages else ""
    others = _others(run.recipe, "basic", "start", before="; ")
    return f"The network was {phrases(run.recipe)['model']} with {_start(run)} ({made}{torch}{others})."


def _start(run: RunFolder) -> str:
    match run.recipe.init:
        case FromRun(run=earlier):
            place = Path(earlier)
            name = place.parent.name if place.name == "classifier" else place.stem if place.suffix else place.name
            return f"the weights of the earlier run “{name}”"
        case TrainFirst(train_on=source):
            name = Path(source).parent.name if Path(source).suffix else Path(source).name
            first = f"a first training on “{name}”, described in its own folder first/,"
            return f"the weights {'of' if run.is_first_kept else 'that were not improved by'} {first}"
    weights = run.environment.get("weights", {})
    if run.recipe.init == "imagenet" and weights.get("kind") == "imported":
        return f"the imported weights “{weights['source']}”"
    return phrases(run.recipe)["init"]


def _instant_methods(recipe: Recipe) -> str:
    told = phrases(recipe)
    averaged = f", {told['views']}," if told["views"] else ""
    return (
        f"{_capitalised(told['head'])}, the network being frozen{averaged} were classified by a linear discriminant "
        "whose regularisation was chosen on validation images."
    )


def _finetune_methods(run: RunFolder, stage: dict[str, object]) -> str:
    told, changes = phrases(run.recipe), _random_changes(run.recipe.augment)
    epoch = None if run.n_folds else stage.get("best_epoch")
    kept = f" (epoch {epoch} of {stage.get('epochs_run', '?')})" if epoch else ""
    where = f" in {run.n_frozen} of {run.n_folds} folds" if run.n_folds else ""
    return (
        f"It was then fine-tuned with {told['optimizer']} ({_steps(run.recipe)}) {told['epochs']}, keeping the one "
        f"with the best {told['primary_metric']} on validation images{kept}."
        + _regulariser_methods(run.recipe)
        + (f" Training images were varied at random: {', '.join(changes)}." if changes else "")
        + (f" The frozen network did better on validation images{where} and was kept." if run.n_frozen else "")
    )


def _steps(recipe: Recipe) -> str:
    told = phrases(recipe)
    second = f"; {told['sgd_from']} {told['sgd_learning_rate']}" if recipe.optimizer == "adam-then-sgd" else ""
    batches = f"{told['batch_size']} {told['balance']}".strip()
    others = _others(recipe, "training", "balance", before="; ")
    return f"{told['learning_rate']}, {told['schedule']}{second}; {told['weight_decay']}; {batches}{others}"


def _regulariser_methods(recipe: Recipe) -> str:
    if recipe.regulariser.groups == "none":
        return ""
    told = phrases(recipe.regulariser)
    others = "".join(f"; {phrase}" for phrase in changed_phrases(recipe.regulariser, "training", besides=_REGULARISED))
    weights = f"weights {told['spread_weight']} and {told['scatter_weight']}{others}"
    return (
        f" The loss also drew the features of the groups {told['groups']} together, and the groups apart ({weights})."
    )


_REGULARISED = frozenset({"groups", "spread_weight", "scatter_weight"})


def _random_changes(augment: Augment) -> list[str]:
    told = phrases(augment)
    return [told[name] for name, amount in augment if amount]


def _number_methods(run: RunFolder) -> str:
    temperature = run.calibration.get("temperature")
    scaled = f" (T = {temperature:.2f})" if isinstance(temperature, (int, float)) and not run.n_folds else ""
    accuracy = run.metrics["metrics"]["accuracy"]
    percents = f"{100 * (accuracy.get('level') or 0.95):.0f}\N{NO-BREAK SPACE}%"
    method = accuracy["method"].partition(";")[0]  # its caveats stand among what the numbers do not show
    groups = f", {plural(run.metrics['n_groups'], 'group')}" if run.metrics.get("n_groups") else ""
    return (
        f"Probabilities were calibrated by temperature scaling on validation images{scaled}. {_decision_methods(run)} "
        "All numbers are from "
        f"{split_words(run)}; {percents} intervals are by {method}{groups}."
    )


def _decision_methods(run: RunFolder) -> str:
    if run.recipe.decide_by == "highest":
        return phrases(run.recipe)["decide_by"]
    whose = "each fold's" if run.n_folds else "the"
    stories = run.fold_trainings or (run.training,)
    has_neutral = any(point["reason"] for story in stories for point in story["calibration"]["operating_points"] or [])
    others = (
        f" (1 / {len(run.classes)} for classes without enough images to find one, or with none better than chance)"
        if has_neutral
        else ""
    )
    last = " The last network's are from the validation images of all folds together." if run.n_folds else ""
    return (
        f"Each class had an operating point: the threshold at which its one-vs-rest ROC curve on {whose} validation "
        f"images has the largest Youden index, sensitivity + specificity − 1{others}. The class whose probability was "
        f"largest in proportion to its threshold was predicted.{last}"
    )


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]
