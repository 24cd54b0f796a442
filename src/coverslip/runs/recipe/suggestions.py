"""Names that recipe keys have in other programs, for suggestions."""

import difflib
from collections.abc import Iterable

_ELSEWHERE = {
    "arch": "model",
    "architecture": "model",
    "aug": "augment",
    "augmentation": "augment",
    "backbone": "model",
    "batch": "batch_size",
    "bs": "batch_size",
    "classes_to_drop": "classes.drop",
    "criterion": "loss",
    "cv": "split.folds",
    "early_stopping": "patience",
    "hflip": "augment.flip",
    "image_sz": "image_size",
    "img_size": "image_size",
    "imgsz": "image_size",
    "input_size": "image_size",
    "k_folds": "split.folds",
    "kfold": "split.folds",
    "lr": "learning_rate",
    "lr0": "learning_rate",
    "max_epochs": "epochs",
    "metric": "primary_metric",
    "n_epochs": "epochs",
    "n_folds": "split.folds",
    "n_splits": "split.folds",
    "net": "model",
    "network": "model",
    "num_epochs": "epochs",
    "opt": "optimizer",
    "optim": "optimizer",
    "pretrained": "init",
    "random_seed": "seed",
    "random_state": "seed",
    "rotation": "augment.rotate_degrees",
    "scheduler": "schedule",
    "size": "image_size",
    "test_size": "split.test",
    "test_split": "split.test",
    "val_size": "split.val",
    "val_split": "split.val",
    "validation_split": "split.val",
    "wd": "weight_decay",
    "weights": "init",
}


def key_of_other_tool(name: str) -> str | None:
    """Our key for what other programs call so, or None."""
    return _ELSEWHERE.get(name.rpartition(".")[2].replace("-", "_").casefold())


def suggested_key(name: str, keys: Iterable[str], *, may_be_misspelt: bool = True) -> str | None:
    """Return the key that `batch-size`, `folds`, `lr` or `epoch` probably stands for; None if no key is similar.

    Args:
        name: as it was written.
        keys: all there are, sections with dots.
        may_be_misspelt: take the nearest key, too.
    """
    plain, keys = name.replace("-", "_").casefold(), tuple(keys)
    if plain in keys:
        return plain
    inner = [key for key in keys if key.rpartition(".")[2] == plain]
    near = difflib.get_close_matches(plain, keys, n=1, cutoff=0.8) if may_be_misspelt else []
    return next(iter([*inner, *filter(None, [key_of_other_tool(plain)]), *near]), None)
