"""How images will be prepared: the recipe's wishes, and what training images are like."""

from collections import Counter
from collections.abc import Sequence

from coverslip.errors import BadDataset
from coverslip.images import ImageFacts, Preparation, ReadPlan, learn_scaling
from coverslip.models import model_info
from coverslip.runs import Recipe


def learn_preparation(facts: Sequence[ImageFacts], recipe: Recipe) -> Preparation:
    """The preprocessing for training and prediction, from the facts of *training* images.

    Raises:
        BadDataset: images with different numbers of channels cannot be trained on together.
    """
    channels = _channels(facts)
    scaling = learn_scaling(facts, recipe.scaling, channels)
    all_8_bit = all(fact.dtype == "uint8" for fact in facts)
    return Preparation(
        image_size=recipe.image_size or model_info(recipe.model).input_px,
        channels=channels,
        resize=recipe.resize,
        scaling=scaling,
        depth="uint8" if all_8_bit else "uint16",
        plan=ReadPlan(plane=recipe.plane, channels=recipe.channels),
    )


def _channels(facts: Sequence[ImageFacts]) -> int:
    """Grey images go with any others (repeated); other numbers do not mix."""
    found = Counter(fact.n_channels for fact in facts)
    several = sorted(set(found) - {1})
    if len(several) > 1:
        counts = ", ".join(f"{found[n]:,} have {n}" for n in several)
        raise BadDataset(
            f"The training images have different numbers of channels: {counts}",
            do="Choose the ones they share with --set 'channels=[0, 1, 2]', or train on one kind.",
        )
    return several[0] if several else 1
