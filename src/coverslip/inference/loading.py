"""A packaged classifier's card and weights become a network again."""

from pathlib import Path

import torch

from coverslip.errors import BadClassifier
from coverslip.models.networks import Network, create_network
from coverslip.runs import ClassifierCard
from coverslip.runs.classifier import Tensors


def build_network(card: ClassifierCard, weights: Tensors, folder: Path) -> Network:
    """The network with its weights, in evaluation mode.

    Raises:
        BadClassifier: the weights do not fit the architecture.
    """
    network = create_network(
        card.model,
        n_classes=len(card.classes),
        head=card.head,
        channels=card.preparation.channels,
        pretrained=False,
        options=card.model_options,
    )
    try:
        network.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in weights.items()})
    except (RuntimeError, TypeError) as error:
        raise BadClassifier(
            f"The weights do not fit '{card.model}' with {len(card.classes)} classes",
            file=folder,
            do="Copy the classifier again.",
        ) from error
    return network.eval()
