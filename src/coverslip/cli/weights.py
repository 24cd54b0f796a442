"""`coverslip weights`: pretrained weights on this machine, and how to add one's own."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coverslip.cli._options import AsJson

if TYPE_CHECKING:
    from coverslip.models.weights import WeightsSource

weights_app = typer.Typer(rich_markup_mode=None)


@weights_app.callback(invoke_without_command=True)
def weights(context: typer.Context, as_json: AsJson = False) -> None:
    """List, import or download pretrained weights.

    Training starts from them unless the recipe says `init: scratch`: from imported ones first, then those of installed
    packages, then those that were fetched.

    Examples:

      coverslip weights

      coverslip weights import DinoBloom-S.pth --model dinobloom_small --licence Apache-2.0

      coverslip weights fetch resnet50
    """
    if context.invoked_subcommand is not None:
        return
    from coverslip.cli._show import print_json, results_console, show_weights
    from coverslip.files import weights_folder
    from coverslip.models.weights import available_weights

    listing = {"folder": str(weights_folder()), "weights": [_described(source) for source in available_weights()]}
    if as_json:
        print_json(listing)
    else:
        show_weights(results_console(), listing)


@weights_app.command(name="import")
def import_file(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="Weights as .safetensors, a PyTorch file (.pth, .pt, .bin) of plain tensors, or Keras's .h5 of "
            "NASNet-Mobile or EfficientNetV2-B0.",
            show_default=False,
        ),
    ],
    model: Annotated[
        str,
        typer.Option(
            "--model",
            metavar="NAME",
            help="The network that they are for: a name that `coverslip models` lists, or any of timm's as timm/NAME.",
            show_default=False,
        ),
    ],
    licence: Annotated[
        str | None,
        typer.Option(
            "--licence",
            metavar="TEXT",
            help="The licence of the weights, as their authors state it; it is shown wherever they are used.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Import a file of pretrained weights for a network.

    Every tensor of the network must be in the file, in the right shape, and none may be left over; only the classifier
    may be missing or have any number of classes. The file is copied; nothing in it is run.

    Examples:

      coverslip weights import resnet50-0676ba61.pth --model resnet50 --licence BSD-3-Clause

      coverslip weights import blood.safetensors --model timm/vit_base_patch14_dinov2
    """
    from coverslip.cli._show import print_json, results_console, show_record
    from coverslip.models.importing import import_weights

    source = _described(import_weights(file, model, licence=licence))
    if as_json:
        print_json(source)
    else:
        show_record(results_console(), source)
        results_console().print(f"Used by: coverslip train DATA --model {model}", soft_wrap=True)


@weights_app.command()
def fetch(
    model: Annotated[
        str,
        typer.Argument(metavar="NAME", help="A name that `coverslip models` lists, or timm/NAME.", show_default=False),
    ],
    as_json: AsJson = False,
) -> None:
    """Fetch a network's ImageNet weights from the hub, to train without a network connection later.

    Training fetches them by itself where there is a connection. They are checked and kept in the hub's own cache.

    Examples:

      coverslip weights fetch resnet50
    """
    from coverslip.cli._show import print_json, results_console, show_record
    from coverslip.models.importing import fetch_for

    source = _described(fetch_for(model))
    if as_json:
        print_json(source)
    else:
        show_record(results_console(), source)


@weights_app.command()
def remove(
    model: Annotated[
        str, typer.Argument(metavar="NAME", help="The network whose imported weights are to go.", show_default=False)
    ],
) -> None:
    """Remove weights that were imported for a network. Classifiers that were trained from them stay as they are.

    Examples:

      coverslip weights remove dinobloom_small
    """
    from coverslip.cli._show import results_console
    from coverslip.models.weights import remove_imported

    remove_imported(model)
    results_console().print(f"Removed   imported weights of {model}", soft_wrap=True)


def _described(source: "WeightsSource") -> dict[str, Any]:  # Any: JSON values
    return {
        "model": source.model,
        "kind": source.kind,
        "source": source.source,
        "licence": source.licence,
        "sha256": source.sha256,
        "mean": source.normalisation.mean,
        "std": source.normalisation.std,
        "size_bytes": source.file.stat().st_size,
        "file": str(source.file),
    }
