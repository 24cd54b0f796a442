"""Formats of exported classifiers, and writing of a verified export.

An export is a folder. It is written beside its place, opened again, compared with the classifier on images of the run,
and moved to its place only if it agrees.
"""

import json
import secrets
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from coverslip.datasets import one_line
from coverslip.engines import as_onnx, import_onnxruntime, import_openvino, openvino_core
from coverslip.errors import CoverslipError, require_extra
from coverslip.events import Emit, Progressed, ignore
from coverslip.files import write_bytes, write_error, write_json
from coverslip.inference.classifier import Classifier, PixelOutputs, Predictor
from coverslip.inference.export.bioimageio import Attribution, write_description
from coverslip.inference.export.verifying import Verification, verification_images, verify
from coverslip.machine import n_cores
from coverslip.messages import text
from coverslip.runs import ClassifierCard, PackedClassifier, Run, find_classifier, open_classifier

if TYPE_CHECKING:
    from coverslip.models.networks import DeployedNetwork

Pixels = npt.NDArray[np.unsignedinteger]
Exporter = Callable[["DeployedNetwork", Pixels, Sequence[str]], bytes]

_READER, _VERIFICATION, _METADATA = "classify.py", "verification.json", "metadata.json"


@dataclass(frozen=True)
class ExportContent:
    """What an export consists of."""

    packed: PackedClassifier
    name: str
    model_card: str
    example: Pixels  # (n, S, S, C), n at least 2: PyTorch's exporters fix a batch size of 1
    exporter: Exporter  # to ONNX
    attribution: Attribution

    @property
    def card(self) -> ClassifierCard:
        """The classifier's card."""
        return self.packed.card

    @cached_property
    def network(self) -> "DeployedNetwork":
        """The network, from pixels to probabilities."""
        from coverslip.inference.loading import deployed_network

        return deployed_network(self.packed)

    @property
    def output_names(self) -> tuple[str, ...]:
        """The names of the outputs of the network."""
        from coverslip.models.networks import OUTPUTS

        return OUTPUTS if self.card.ood is not None else OUTPUTS[:-1]

    @cached_property
    def onnx(self) -> bytes:
        """The network in ONNX, without metadata."""
        return self.exporter(self.network, self.example, self.output_names)

    @cached_property
    def metadata(self) -> dict[str, Any]:  # Any: JSON values
        """The JSON values that accompany the network."""
        card = self.card
        return {
            "classes": list(card.classes),
            "preprocessing": card.preprocessing.model_dump(mode="json"),
            "thresholds": {
                "operating_points": card.operating_points,
                "uncertain_below": card.uncertain_below,
                "set_floors": card.set_floors,
                "unfamiliar_above": None if card.ood is None else 1.0,
            },
            "classifier": card.model_dump(mode="json"),
            "model_card": self.model_card,
        }


def _trace(network: "DeployedNetwork", example: Pixels, outputs: Sequence[str]) -> bytes:
    return as_onnx(network, example, outputs=outputs, has_any_batch=True)


def _dynamo(network: "DeployedNetwork", example: Pixels, outputs: Sequence[str]) -> bytes:
    import torch

    n_images = {"pixels": {0: torch.export.Dim("n_images", min=1)}}
    program = torch.onnx.export(
        network,
        (torch.from_numpy(example),),
        dynamo=True,
        dynamic_shapes=n_images,
        input_names=["pixels"],
        output_names=[*outputs],
        verbose=False,
    )
    assert program is not None
    exported: bytes = program.model_proto.SerializeToString()
    return exported


EXPORTERS: tuple[Exporter, ...] = (_trace, _dynamo)
"""To ONNX, in the order in which they are tried."""


@dataclass(frozen=True, slots=True)
class ExportFormat:
    """A format of exported classifiers: writing it to a folder, and opening it again from there."""

    name: str
    write: Callable[[ExportContent, Path], None]
    open: Callable[[Path], Predictor]
    needs_onnx: bool = True
    has_attribution: bool = False


class _Opened:
    """An exported network as a `Predictor`."""

    def __init__(self, run: Callable[[Pixels], Sequence[npt.NDArray[np.float32]]]) -> None:
        self._run = run

    def predict_pixels(self, pixels: Pixels) -> PixelOutputs:
        probabilities, logits, features, *scores = self._run(pixels)
        return PixelOutputs(probabilities, logits, features, scores[0] if scores else None)


def write_onnx(content: ExportContent, folder: Path) -> None:
    """Write `model.onnx` with its metadata, and the reference reader."""
    import onnx

    model = onnx.load_from_string(content.onnx)
    for name, value in content.metadata.items():
        model.metadata_props.add(key=name, value=json.dumps(value))
    onnx.checker.check_model(model)
    write_bytes(folder / "model.onnx", model.SerializeToString())
    shutil.copyfile(Path(__file__).with_name(_READER), folder / _READER)


def open_onnx(folder: Path) -> Predictor:
    """Open `model.onnx` with ONNX Runtime."""
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_cores()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])
    return _Opened(lambda pixels: session.run(None, {"pixels": pixels}))


def _write_openvino(content: ExportContent, folder: Path) -> None:
    openvino = import_openvino()
    model = openvino_core().read_model(content.onnx)
    for name, value in content.metadata.items():
        model.set_rt_info(json.dumps(value), ["coverslip", name])
    openvino.save_model(model, folder / "model.xml", compress_to_fp16=False)
    write_json(folder / _METADATA, content.metadata)


def _open_openvino(folder: Path) -> Predictor:
    model = openvino_core().compile_model(folder / "model.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return _Opened(lambda pixels: [output.copy() for output in model([pixels]).values()])


def _write_pt2(content: ExportContent, folder: Path) -> None:
    import torch

    n_images = {"pixels": {0: torch.export.Dim("n_images", min=1)}}
    program = torch.export.export(content.network, (torch.from_numpy(content.example),), dynamic_shapes=n_images)
    torch.export.save(program, folder / "model.pt2", extra_files={_METADATA: json.dumps(content.metadata)})
    write_json(folder / _METADATA, content.metadata)


def _open_pt2(folder: Path) -> Predictor:
    import torch

    network = torch.export.load(folder / "model.pt2").module()

    def run(pixels: Pixels) -> list[npt.NDArray[np.float32]]:
        with torch.no_grad():
            return [output.numpy() for output in network(torch.from_numpy(pixels))]

    return _Opened(run)


def _write_bioimageio(content: ExportContent, folder: Path) -> None:
    write_onnx(content, folder)
    # Noise, since tolerances are shares of the largest value of an output, and OOD scores of images may be negative.
    shape, depth = content.example.shape[1:], content.example.dtype
    example = np.random.default_rng(0).integers(0, np.iinfo(depth).max, (1, *shape), depth, endpoint=True)
    outputs = open_onnx(folder).predict_pixels(example)
    arrays = dict(zip(content.output_names, outputs, strict=False))
    write_description(folder, content.name, content.card, content.metadata, example, arrays, content.attribution)


EXPORT_FORMATS: dict[str, ExportFormat] = {
    each.name: each
    for each in (
        ExportFormat("onnx", write_onnx, open_onnx),
        ExportFormat("openvino", _write_openvino, _open_openvino),
        ExportFormat("pt2", _write_pt2, _open_pt2, needs_onnx=False),
        ExportFormat("bioimageio", _write_bioimageio, open_onnx, has_attribution=True),
    )
}


def open_export(folder: Path, to: str) -> Predictor:
    """Open an export of the format `to` again."""
    return EXPORT_FORMATS[to].open(folder)


def require_packages(to: str, formats: Mapping[str, ExportFormat] = EXPORT_FORMATS) -> None:
    """Raise ExtraNotInstalled if an export of this format needs an extra that is not installed."""
    if formats[to].needs_onnx:
        require_extra("onnx", text("export-as", format=to))


def check_attribution(
    to: str, attribution: Attribution | None, formats: Mapping[str, ExportFormat] = EXPORT_FORMATS
) -> None:
    """Raise CoverslipError if authors, a license or a citation are given for a format that has no place for them."""
    if attribution and not formats[to].has_attribution:
        raise CoverslipError("export-without-attribution", format=to)


def export_to(
    run: Run,
    to: str,
    out: Path,
    formats: Mapping[str, ExportFormat] = EXPORT_FORMATS,
    *,
    name: str | None = None,
    attribution: Attribution | None = None,
    emit: Emit = ignore,
) -> Verification:
    """Write the classifier of a run as a folder for other programs, verified on images of the run.

    Args:
        run: a run folder with a classifier.
        to: one of `formats`.
        out: the folder, which must not exist.
        formats: by name.
        name: of the classifier; None: that of the folder.
        attribution: authors, license and citation, for formats that have them.
        emit: receives the progress; an error that it raises ends the export.

    Raises:
        CoverslipError: the export does not agree with the classifier, or cannot be written, or the format has no
            attribution. Nothing is left on disk.
    """
    form = formats[to]
    check_attribution(to, attribution, formats)
    require_packages(to, formats)
    if out.exists():
        raise CoverslipError("export-folder-exists", file=out)
    packed = open_classifier(find_classifier(run.folder))
    classifier = Classifier(packed)
    images = verification_images(run, classifier, emit)
    example = images.pixels[[0, -1]]
    model_card = run.model_card_file.read_text("utf-8") if run.model_card_file.is_file() else ""
    part, reason = out.with_name(f".{out.name}.{secrets.token_hex(4)}.part"), ""
    try:
        for exporter in EXPORTERS if form.needs_onnx else EXPORTERS[:1]:
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            emit(Progressed(stage="converting-network", done=0, total=1, unit="networks"))
            content = ExportContent(
                packed, name or out.name, model_card, example, exporter, attribution or Attribution()
            )
            try:
                form.write(content, part)
                reader = part / _READER
                predictor = form.open(part)
                verification = verify(predictor, images, packed.card, reader if reader.is_file() else None, emit)
            except (CoverslipError, OSError):
                raise
            except Exception as error:  # noqa: BLE001 - code of exporters and runtimes, with errors of many kinds
                reason = reason or text("export-failed", reason=one_line(f"{type(error).__name__}: {error}", 200))
                continue
            if verification.passed:
                write_json(part / _VERIFICATION, verification.as_json())
                part.replace(out)
                return verification
            reason = text("export-differs", difference=verification.max_logit_difference_sd,
                          agreement=verification.label_agreement, n_images=verification.n)  # fmt: skip
        raise CoverslipError("export-refused", file=out, format=to, reason=reason)
    except OSError as error:
        raise write_error(out, error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
