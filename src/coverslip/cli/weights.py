"""`coverslip weights`: list, import and download pretrained weights."""

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

    Training uses pretrained weights unless the recipe has `init: scratch`: first imported weights, then those of
    installed packages, then downloaded ones.

    Examples:

      coverslip weights

      coverslip weights import DinoBloom-S.pth --model dinobloom_small --license Apache-2.0

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
            help="The network: a name from `coverslip models`, or timm/NAME for any network of timm.",
            show_default=False,
        ),
    ],
    license: Annotated[
        str | None,
        typer.Option(
            "--license",
            metavar="TEXT",
            help="License of the weights, as stated by their authors. It is shown wherever the weights are used.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Import pretrained weights of a network.

    The file must contain exactly the tensors of the network, in the right shapes. Only the last layer may be missing or
    have another number of classes. The file is copied, and no code in it is run.

    Examples:

      coverslip weights import resnet50-0676ba61.pth --model resnet50 --license BSD-3-Clause

      coverslip weights import blood.safetensors --model timm/vit_base_patch14_dinov2
    """
    from coverslip.cli._show import print_json, results_console, show_record
    from coverslip.models.importing import import_weights

    source = _described(import_weights(file, model, license=license))
    if as_json:
        print_json(source)
    else:
        show_record(results_console(), source)
        results_console().print(f"Used by: coverslip train DATA --model {model}", soft_wrap=True)


@weights_app.command()
def fetch(
    model: Annotated[
        str,
        typer.Argument(metavar="NAME", help="A name from `coverslip models`, or timm/NAME.", show_default=False),
    ],
    as_json: AsJson = False,
) -> None:
    """Download ImageNet weights, to train offline later.

    With an internet connection, training downloads them automatically. They are verified and stored in the hub's cache.

    Examples:

      coverslip weights fetch resnet50
    """
    from coverslip.cli._show import print_json, results_console, show_record
    from coverslip.models.importing import fetch_model_weights

    source = _described(fetch_model_weights(model))
    if as_json:
        print_json(source)
    else:
        show_record(results_console(), source)


@weights_app.command()
def remove(
    model: Annotated[
        str, typer.Argument(metavar="NAME", help="The network whose imported weights are removed.", show_default=False)
    ],
) -> None:
    """Remove imported weights of a network. Classifiers trained from them are not changed.

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
        "license": source.license,
        "sha256": source.sha256,
        "mean": source.normalization.mean,
        "std": source.normalization.std,
        "size_bytes": source.file.stat().st_size,
        "file": str(source.file),
    }
