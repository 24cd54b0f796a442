"""`coverslip models` and `coverslip weights`: the available networks and their pretrained weights."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coverslip.cli._options import AsJson, argument, option, usage_error
from coverslip.messages import text

if TYPE_CHECKING:
    from coverslip.inference.latency import Latency
    from coverslip.models import ModelRecord
    from coverslip.models.zoo import WeightsSource

_N_CLASSES, _N_CHANNELS = 1000, 3  # defaults of the records' counts


def models(
    name: Annotated[str | None, argument("NAME", "help-models-name")] = None,
    paper: Annotated[str | None, option("--paper NAME", "help-models-paper")] = None,
    available: Annotated[bool, option("--available", "help-models-available")] = False,
    classes: Annotated[int, option("--classes N", "help-models-classes", min=1)] = _N_CLASSES,
    channels: Annotated[int, option("--channels N", "help-models-channels", min=1)] = _N_CHANNELS,
    option: Annotated[list[str] | None, option("--option KEY=VALUE", "help-models-option")] = None,
    image_size: Annotated[int | None, option("--image-size PX", "help-models-image-size", min=16)] = None,
    bench: Annotated[bool, option("--bench", "help-models-bench")] = False,
    as_json: AsJson = False,
) -> None:
    """List the networks, or describe one.

    Examples:

      coverslip models

      coverslip models --paper chromosomes --available

      coverslip models efficientnet_lite0 --classes 8

      coverslip models mobilenet_v2 --bench --image-size 96

      coverslip models mobilevit_mn --classes 2 --option dsc=true --option mv2_attention=se --json
    """
    from coverslip.cli._show import latency_table, print_json, results_console, show_models, show_record
    from coverslip.models import select_models

    if name is not None:
        if paper is not None or available:
            raise usage_error("usage-filter-with-name")
        is_changed = bool(option) or (classes, channels) != (_N_CLASSES, _N_CHANNELS)
        if (bench and is_changed) or (image_size is not None and not bench):
            raise usage_error("usage-bench-option")
        described = _network_record(name, classes, channels, option or [])
        latency = _latency(name, image_size) if bench else None
        if as_json:
            times = {} if latency is None else {"latency": {**asdict(latency), "ratio": latency.ratio}}
            print_json(described | times)
            return
        console = results_console()
        show_record(console, described)
        if latency is not None:
            console.print()
            console.print(latency_table(name, latency))
        return
    if bench or image_size is not None or option or (classes, channels) != (_N_CLASSES, _N_CHANNELS):
        raise usage_error("usage-options-without-name")
    rows = [_model_row(record) for record in select_models(paper=paper, available=available)]
    if as_json:
        print_json({"models": rows})
    else:
        show_models(results_console(), rows)


def _latency(name: str, image_px: int | None) -> "Latency":
    from coverslip.inference.latency import model_latency

    return model_latency(name, image_px=image_px)


def _network_record(
    name: str, n_classes: int, channels: int, settings: list[str]
) -> dict[str, Any]:  # Any: JSON values
    """Return the record of a network with the costs of these settings."""
    if wrong := [setting for setting in settings if "=" not in setting]:
        raise usage_error("usage-model-option", option=wrong[0])
    from coverslip.errors import require_extra

    require_extra("train")
    from coverslip.models import model_info
    from coverslip.models.building import default_options
    from coverslip.models.networks import cost_of_model
    from coverslip.runs.recipe import Recipe
    from coverslip.runs.recipe_keys import with_settings

    options = with_settings(Recipe(), [f"model_options.{setting}" for setting in settings]).model_options
    record = model_info(name)
    cost = cost_of_model(name, n_classes=n_classes, channels=channels, options=options)
    return _model_row(record) | {
        "parameters": cost.parameters,
        "conv_linear_weights_x2": cost.conv_linear_weights_x2,
        "macs": cost.macs,
        "n_classes": n_classes,
        "channels": channels,
        "options": options,
        "known_options": default_options(record),
    }


def _model_row(record: "ModelRecord") -> dict[str, Any]:  # Any: JSON values
    """Return the record of a network, with the pretrained weights that a training on this computer would use."""
    from coverslip.models import starting_weights

    source = starting_weights(record)
    weights, license = record.weights, record.license
    if record.weights_file is not None:
        weights = text("command-weights-to-import", file=record.weights_file)
    if source is not None:
        is_partial = source.model != record.name
        weights = text("command-weights-source", kind=source.kind, source=source.source, is_partial=is_partial)
        license = source.license
    return {
        "name": record.name,
        "title": record.title,
        "family": record.family,
        "paper": record.paper,
        "compared_in": list(record.papers),
        "parameters": record.parameters,
        "conv_linear_weights_x2": record.conv_linear_weights_x2,
        "macs": record.macs,
        "input_px": record.input_px,
        "weights": weights,
        "weights_available": source is not None,
        "license": license,
        "mean": record.normalization.mean,
        "std": record.normalization.std,
        "freeze_boundaries": list(record.freeze_boundaries),
        "heatmap_layer": record.heatmap_layer,
    }


weights_app = typer.Typer(name="weights", rich_markup_mode=None)


@weights_app.callback(invoke_without_command=True)
def weights(context: typer.Context, as_json: AsJson = False) -> None:
    """List, import or download pretrained weights.

    Training uses pretrained weights unless the recipe has `init: scratch`: imported weights if there are any, else
    those of installed packages, else downloaded ones.

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

    listing = {"folder": str(weights_folder()), "weights": [_source_row(source) for source in available_weights()]}
    if as_json:
        print_json(listing)
    else:
        show_weights(results_console(), listing)


@weights_app.command(name="import")
def import_file(
    file: Annotated[Path, argument("FILE", "help-weights-import-file")],
    model: Annotated[str, option("--model NAME", "help-weights-import-model")],
    license: Annotated[str | None, option("--license TEXT", "help-weights-import-license")] = None,
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
    from coverslip.errors import require_extra

    require_extra("train")
    from coverslip.models.importing import import_weights

    source = _source_row(import_weights(file, model, license=license))
    if as_json:
        print_json(source)
    else:
        show_record(results_console(), source)
        results_console().print(text("command-weights-used-by", model=model), soft_wrap=True)


@weights_app.command()
def fetch(
    model: Annotated[str, argument("NAME", "help-weights-fetch-model")],
    as_json: AsJson = False,
) -> None:
    """Download ImageNet weights, to train offline later.

    With an internet connection, training downloads them automatically. They are verified and stored in the hub's cache.

    Examples:

      coverslip weights fetch resnet50
    """
    from coverslip.cli._show import print_json, results_console, show_record
    from coverslip.errors import require_extra

    require_extra("train")
    from coverslip.models.importing import fetch_model_weights

    source = _source_row(fetch_model_weights(model))
    if as_json:
        print_json(source)
    else:
        show_record(results_console(), source)


@weights_app.command()
def remove(
    model: Annotated[str, argument("NAME", "help-weights-remove-model")],
) -> None:
    """Remove imported weights of a network. Classifiers trained from them are not changed.

    Examples:

      coverslip weights remove dinobloom_small
    """
    from coverslip.cli._show import results_console
    from coverslip.models.weights import remove_imported

    remove_imported(model)
    results_console().print(text("command-weights-removed", model=model), soft_wrap=True)


def _source_row(source: "WeightsSource") -> dict[str, Any]:  # Any: JSON values
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
