"""What a report says in words: the headline and the methods."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from coverslip.evaluation import METRICS
from coverslip.reports.reading import RunFolder
from coverslip.runs import Augment, FromRun, Recipe, TrainFirst
from coverslip.runs.start import Start

_RESIZE = {
    "pad": "keeping their shape and padding to a square",
    "squash": "squashing them to a square",
    "crop": "cutting out the centre square",
    "canvas": "at one scale for all images, padding to a square",
}
_SCALING = {
    "auto": "by the full range (8 bit) or the range of the training images (deeper)",
    "full": "by the full range of the data type",
    "training-range": "by the range of the training images",
    "per-image": "by each image's own range",
}
_SCHEDULE = {
    "cosine": "falling to zero along a cosine",
    "plateau": "falling when the validation loss stands still",
    "constant": "held constant",
}
_OPTIMIZER = {
    "adamw": "AdamW",
    "adam": "Adam",
    "amsgrad": "Adam (AMSGrad)",
    "sgd": "SGD with Nesterov momentum",
    "adam-then-sgd": "Adam",
}
_NORMALISATION = {
    "weights": "",
    "imagenet": ", then brought to ImageNet's mean and standard deviation",
    "none": ", without further normalisation",
    "training-images": ", then brought to the training images' mean and standard deviation",
}


def percent(value: float) -> str:
    """0.951 as '95.1 %'; never rounded up to a perfect 100."""
    shown = f"{100 * value:.1f}"
    return ("100" if value == 1 else "99.9" if shown == "100.0" else shown) + "\N{NO-BREAK SPACE}%"


def number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def count(n: int) -> str:
    """1234 as '1 234'."""
    return f"{n:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def plural(n: int, noun: str) -> str:
    many = noun if n == 1 else noun + ("es" if noun.endswith("s") else "s")
    return f"{count(n)} {many}"


def headline(run: RunFolder) -> str:
    """The result in one sentence."""
    matrix = run.metrics["confusion_matrix"]
    right = sum(matrix[k][k] for k in range(len(matrix)))
    n = run.metrics["n"]
    is_unseen = run.metrics.get("split") != "val" and not run.environment.get("allow_leakage") and run.start_is_known
    images = f"{plural(n, 'image')} it had never seen" if is_unseen else plural(n, "image")
    return f"Of {images}, it named {'all' if right == n else count(right)} correctly."


def lead(run: RunFolder) -> list[str]:
    """The sentences below the headline."""
    metrics, matrix = run.metrics["metrics"], run.metrics["confusion_matrix"]
    accuracy = metrics["accuracy"]
    sentences = [f"Accuracy is {percent(accuracy['value'])}{_range(accuracy, percent)}."]
    f1 = metrics["macro_f1"]
    if f1["value"] is not None:
        words = "Macro-F1, where a rare class counts as much as a frequent one, is"
        sentences.append(f"{words} {number(f1['value'])}{_range(f1, number)}.")
    counts = [sum(row) for row in matrix]
    most = counts.index(max(counts))
    share = percent(counts[most] / max(sum(counts), 1))
    if n_frozen := _n_frozen(run):
        where = f"In {n_frozen} of {run.n_folds} folds fine-tuning" if run.n_folds else "Fine-tuning"
        sentences.append(f"{where} did no better on the images to choose by, so the instant classifier was kept.")
    sentences.append(f"Always answering “{run.classes[most]}” would be right for {share}.")
    if run.metrics.get("n_groups"):
        whose = "to which no training image belongs" if not run.environment.get("allow_leakage") else "of the test part"
        whose = "each of which was tested by a network that had not seen it" if run.n_folds else whose
        sentences.append(f"The images come from {plural(run.metrics['n_groups'], 'group')} {whose}.")
    return sentences


def _range(metric: dict[str, float | None], shown: Callable[[float], str]) -> str:
    low, high, level = metric.get("low"), metric.get("high"), metric.get("level") or 0.95
    if low is None or high is None:
        return ""
    return f" ({100 * level:.0f}\N{NO-BREAK SPACE}% interval {shown(low)} to {shown(high)})"


def methods(run: RunFolder) -> list[str]:
    """A methods paragraph for a paper, in three parts: data, network, numbers."""
    return [_data_methods(run), _network_methods(run), _number_methods(run)]


def _data_methods(run: RunFolder) -> str:
    parts = Counter(row["split"] for row in run.split)
    groups = {row["group"] for row in run.split if row.get("group") and row["split"] != "left-out"}
    if not parts:
        return "How the images were divided is not recorded in this folder."
    total = sum(n for part, n in parts.items() if part != "left-out")
    if run.n_folds:
        return _fold_methods(run, total, len(groups))
    shares = listed([f"{words} ({count(parts[part])})" for part, words in PART_WORDS.items() if parts[part]])
    origin = f" from {plural(len(groups), 'group')}" if groups else ""
    together = "Images of one group and images with" if groups else "Images with"
    kept = (
        "may be divided between parts" if run.environment.get("allow_leakage") else "were never divided between parts"
    )
    return (
        f"{plural(total, 'image')} of {plural(len(run.classes), 'class')}{origin}{_collections(run)} were divided, "
        f"{_stratified(run)}, into {shares} images (seed {run.recipe.seed}). {together} identical pixels {kept}."
        + _class_methods(run.recipe)
    )


def _fold_methods(run: RunFolder, n_images: int, n_groups: int) -> str:
    origin = f" from {plural(n_groups, 'group')}" if n_groups else ""
    together = "Images of one group and images with" if n_groups else "Images with"
    return (
        f"{plural(n_images, 'image')} of {plural(len(run.classes), 'class')}{origin}{_collections(run)} were divided, "
        f"{_stratified(run)}, into {run.n_folds} folds (seed {run.recipe.seed}). {together} identical pixels were "
        "never divided between folds. Each fold was tested by a network trained on the others, of which a part was "
        "kept for validation; a last network was trained on all images with the median of the choices that the folds "
        "had made."
    ) + _class_methods(run.recipe)


def _collections(run: RunFolder) -> str:
    return f", of the collections {listed(run.collections)}," if run.collections else ""


def _stratified(run: RunFolder) -> str:
    return "stratified by collection and class" if run.collections else "stratified by class"


def _class_methods(recipe: Recipe) -> str:
    """How the recipe changed what there is to learn, in sentences that follow others."""
    plan, most = recipe.classes, recipe.split.train_per_class
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
    if most is not None:
        sentences.append(f"At most {plural(most, 'training image')} of each class, drawn at random, were used.")
    return "".join(f" {sentence}" for sentence in sentences)


PART_WORDS = {"train": "training", "val": "validation", "test": "test"}


def _network_methods(run: RunFolder) -> str:
    recipe = run.recipe
    packages = run.environment.get("packages", {})
    preparation = run.classifier.get("preparation", {})
    side = recipe.image_size or preparation.get("image_size")
    scaling = preparation.get("scaling", {}).get("mode", recipe.scaling)
    start = _start(run, recipe.init)
    made = f"coverslip {run.environment.get('coverslip', '')}".strip()
    torch = f", PyTorch {packages['torch']}" if "torch" in packages else ""
    size = f" to {side} × {side} pixels" if side else ""
    text = (
        f"Images were resized{size}, {_RESIZE[recipe.resize]}, and intensities scaled "
        f"{_SCALING.get(scaling, scaling)}{_NORMALISATION[recipe.normalisation]}. "
        f"The network was {recipe.model} with {start} ({made}{torch}). "
    )
    if _stage(run, "instant") is not None:
        text += (
            "Means and standard deviations of the outputs of its blocks, the network being frozen"
            if recipe.head == "pooled_stages"
            else "The outputs of its last layer, the network being frozen"
        )
        text += f", averaged over {recipe.views} mirrored or turned copies," if recipe.views > 1 else ""
        text += " were classified by a linear discriminant whose regularisation was chosen on validation images. "
    stage = _stage(run, "finetune")
    if stage is None:
        return text + "The network itself was not trained further."
    return text + _finetune_methods(run, stage)


def _start(run: RunFolder, init: Start) -> str:
    match init:
        case FromRun(run=earlier):
            place = Path(earlier)
            name = place.parent.name if place.name == "classifier" else place.stem if place.suffix else place.name
            return f"the weights of the earlier run “{name}”"
        case TrainFirst(train_on=source):
            name = Path(source).parent.name if Path(source).suffix else Path(source).name
            first = f"a first training on “{name}”, described in its own folder first/,"
            return f"the weights {'of' if run.is_first_kept else 'that were not improved by'} {first}"
    if init == "scratch":
        return "random weights"
    weights = run.environment.get("weights", {})
    return f"the imported weights “{weights['source']}”" if weights.get("kind") == "imported" else "ImageNet weights"


def weights_words(run: RunFolder) -> str:
    """Which pretrained weights the training started from, and under which licence; empty where it is not recorded."""
    weights = run.environment.get("weights")
    if not weights:
        return ""
    licence = f"licence {weights['licence']}" if weights["licence"] else "licence not stated"
    digest = f" · SHA-256 {weights['sha256'][:12]}" if weights["sha256"] else ""
    return f"Pretrained weights: {weights['source']} ({weights['kind']}) · {licence}{digest}"


def _finetune_methods(run: RunFolder, stage: dict[str, object]) -> str:
    recipe, changes = run.recipe, _random_changes(run.recipe.augment)
    balance = {
        "none": "",
        "weights": " weighted by class",
        "oversample": " with rare classes drawn more often",
        "undersample": " with frequent classes drawn less often",
        "even": " with every class drawn equally often",
        "domains": " with images of every collection drawn equally often",
    }[recipe.balance]
    metric = METRICS[recipe.primary_metric].title
    metric = metric[0].lower() + metric[1:]
    epoch = stage.get("best_epoch")
    kept = f" (epoch {epoch} of {stage.get('epochs_run', '?')})" if epoch else ""
    longest = plural(recipe.epochs, "epoch")
    kept = "" if run.n_folds else kept
    n_frozen = _n_frozen(run)
    where = f" in {n_frozen} of {run.n_folds} folds" if run.n_folds else ""
    return (
        f"It was then fine-tuned with {_OPTIMIZER[recipe.optimizer]} (peak learning rate {recipe.learning_rate:g}, "
        f"{_SCHEDULE[recipe.schedule]}{_second_optimizer(recipe)}; "
        f"weight decay {recipe.weight_decay:g}; batches of {recipe.batch_size}{balance}) "
        f"for at most {longest}, keeping the one with the best {metric} on validation images{kept}."
        + _regulariser_methods(recipe)
        + (f" Training images were varied at random: {', '.join(changes)}." if changes else "")
        + (f" The frozen network did better on validation images{where} and was kept." if n_frozen else "")
    )


def _n_frozen(run: RunFolder) -> int:
    """Trainings, of the folds or the one, whose fine-tuning was no better than the head on frozen features."""
    stories = run.fold_trainings or (run.training,)
    return sum(story.get("chosen") == "instant" and len(story.get("stages", ())) > 1 for story in stories)


def _second_optimizer(recipe: Recipe) -> str:
    if recipe.optimizer != "adam-then-sgd":
        return ""
    rate = f"with a peak learning rate of {recipe.sgd_learning_rate:g}"
    return f"; after {recipe.sgd_from:.0%} of the epochs SGD with Nesterov momentum {rate}"


def _regulariser_methods(recipe: Recipe) -> str:
    chosen = recipe.regulariser
    if chosen.groups == "none":
        return ""
    groups = "of the classes" if chosen.groups == "labels" else "that K-means found in each batch"
    weights = f"weights {chosen.spread_weight:g} and {chosen.scatter_weight:g}"
    return f" The loss also drew the features of the groups {groups} together, and the groups apart ({weights})."


def _random_changes(augment: Augment) -> list[str]:
    return [
        words
        for amount, words in (
            (augment.flip, "mirroring left and right" if augment.flip == "horizontal" else "mirroring"),
            (augment.rotate_degrees, f"rotation by up to {augment.rotate_degrees:g}°"),
            (augment.zoom, f"zoom of ±{augment.zoom:.0%}"),
            (augment.shift, f"shift of up to {augment.shift:.0%}"),
            (augment.shear_degrees, f"shear by up to {augment.shear_degrees:g}°"),
            (augment.crop, f"cropping of up to {augment.crop:.0%} of the side"),
            (augment.stain, f"strength of stains of ±{augment.stain:.0%} (by colour deconvolution)"),
            (augment.saturation, f"saturation of ±{augment.saturation:.0%}"),
            (augment.hue_degrees, f"hue by up to {augment.hue_degrees:g}°"),
            (augment.blur, f"Gaussian blur of up to σ = {augment.blur:g} pixels"),
            (augment.brightness, f"brightness of ±{augment.brightness:.0%}"),
            (augment.contrast, f"contrast of ±{augment.contrast:.0%}"),
        )
        if amount
    ]


def _number_methods(run: RunFolder) -> str:
    temperature = run.training.get("temperature")
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
        return "The most probable class was predicted."
    whose = "each fold's" if run.n_folds else "the"
    stories = run.fold_trainings or (run.training,)
    has_neutral = any(point["reason"] for story in stories for point in story.get("operating_points") or [])
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


def operating_point_words(run: RunFolder) -> str:
    """What the operating points in the table by class are; empty where the most probable class is predicted."""
    if run.recipe.decide_by == "highest":
        return ""
    rule = "The class whose probability is largest in proportion to its operating point is predicted."
    if run.n_folds:
        return f"{rule} These are the classifier's, set on all folds' validation images; the folds had their own."
    return f"{rule} Operating points were set on validation images."


def split_words(run: RunFolder) -> str:
    split = run.metrics.get("split", "test")
    return {
        "test": "test images, which no choice has seen",
        "val": "validation images, on which choices were made",
        "out-of-fold": "images held out in turn (out-of-fold)",
    }.get(split, f"the images of “{split}”")


def _stage(run: RunFolder, name: str) -> dict[str, object] | None:
    story = run.fold_trainings[0] if run.fold_trainings else run.training  # the folds are what was measured
    stages: list[dict[str, object]] = story.get("stages", [])
    return next((stage for stage in stages if stage.get("stage") == name), None)


def image_kind(run: RunFolder) -> str:
    """Sizes, formats and depths of the images in one line; empty where they are not recorded."""
    sides: list[dict[str, float]] = [run.data.get(side) or {} for side in ("width_px", "height_px")]
    if not all({"min", "median", "max"} <= side.keys() for side in sides):
        return ""
    smallest, median, largest = (" × ".join(f"{side[key]:g}" for side in sides) for key in ("min", "median", "max"))
    size = f"{median} pixels" if smallest == largest else f"{smallest} to {largest} pixels (median {median})"
    formats, depths, channels = (list(run.data.get(key) or {}) for key in ("formats", "bit_depths", "channels"))
    kinds = [", ".join(formats), f"{' and '.join(depths)} bit" if depths else ""]
    kinds.append(f"{' or '.join(channels)} channel{'s' if channels != ['1'] else ''}" if channels else "")
    return " · ".join([size, *filter(None, kinds)])


def best_epoch(run: RunFolder) -> int | None:
    """The epoch that was kept, if the network was fine-tuned."""
    epoch = (_stage(run, "finetune") or {}).get("best_epoch")
    return epoch if isinstance(epoch, int) else None


def listed(names: Sequence[str], at_most: int = 8) -> str:
    """'a, b and c', or the first few and how many more; nothing of nothing."""
    names = [*names[:at_most], f"{len(names) - at_most} more"] if len(names) > at_most else list(names)
    return "".join(names) if len(names) < 2 else f"{', '.join(names[:-1])} and {names[-1]}"
