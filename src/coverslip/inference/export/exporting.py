"""Formats of exported classifiers, and writing of an export that was verified on real images.

An export is a folder. It is written beside its place, opened again, compared with the classifier on images of the run,
and moved to its place only if it agrees.
"""

import json
import re
import runpy
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from coverslip.datasets.index.records import Dataset
from coverslip.datasets.names import one_line
from coverslip.datasets.pixels import read_preprocessed
from coverslip.documented_fields import DocumentedFields
from coverslip.engines import LARGEST_DIFFERENCE, difference, import_onnxruntime
from coverslip.errors import BadDataset, CoverslipError
from coverslip.evaluation.decisions import decided_classes
from coverslip.events import Emit, Progressed, ignore, progress_reporter
from coverslip.files import sha256_file, write_bytes, write_error, write_json, write_text
from coverslip.images.preprocessing import PreprocessedImage, preprocess
from coverslip.images.reader import ReadPlan
from coverslip.inference.classifier import Classifier, PixelOutputs
from coverslip.inference.export.graph import OUTPUTS, deployed_graph
from coverslip.machine import n_cores
from coverslip.messages import message
from coverslip.runs.classifier import ClassifierCard, find_classifier, open_classifier
from coverslip.runs.folder import Run
from coverslip.runs.images import images_of

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9 _+()-]")
_LEAST_NAME, _MOST_NAME = 5, 128  # characters
_LICENSE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")
_DOI, _URL = re.compile(r"\b10\.\d{4,9}/[^\s,;]*[^\s,;.)]"), re.compile(r"https?://[^\s,;]*[^\s,;.)]")
_TITLES = {
    "probabilities": "Calibrated probability of each class",
    "logits": "Logit of each class before calibration",
    "features": "Features, averaged over test-time augmentation",
    "ood_score": "Out-of-distribution score: 0 is typical, above 1 unfamiliar",
}


@dataclass(frozen=True, slots=True)
class Attribution:
    """Who made a classifier, its license, and what to cite.

    Raises:
        CoverslipError: a value is invalid.
    """

    authors: tuple[str, ...] = ()
    license: str | None = None  # an identifier of SPDX
    citation: str | None = None  # a text with a DOI or an address

    def __post_init__(self) -> None:
        for author in self.authors:
            if not author.strip() or "/" in author or not author.isprintable():
                raise CoverslipError("export-author-invalid", author=one_line(author, 60))
        if self.license is not None and not _LICENSE.fullmatch(self.license):
            raise CoverslipError("export-license-invalid", license=one_line(self.license, 60))
        if self.citation is not None and not (_DOI.search(self.citation) or _URL.search(self.citation)):
            raise CoverslipError("export-citation-without-link", citation=one_line(self.citation, 120))

    def __bool__(self) -> bool:
        return self != Attribution()

    def described(self) -> dict[str, Any]:  # Any: JSON values
        """Return the values of `rdf.yaml`."""
        values: dict[str, Any] = {"authors": [{"name": each.strip()} for each in self.authors or ("unknown",)]}
        if self.license is not None:
            values["license"] = self.license
        if self.citation is not None:
            doi, url = _DOI.search(self.citation), _URL.search(self.citation)
            link = {"doi": doi[0]} if doi else {"url": url[0] if url else ""}
            values["cite"] = [{"text": one_line(self.citation), **link}]
        return values


def _valid_name(name: str) -> str:
    """Return a name that the format allows."""
    name = _NOT_IN_NAMES.sub("_", name)[:_MOST_NAME]
    return name if len(name) >= _LEAST_NAME else f"{name} classifier".strip()


def write_description(
    folder: Path,
    name: str,
    card: ClassifierCard,
    metadata: Mapping[str, Any],  # Any: JSON values
    example: npt.NDArray[np.unsignedinteger],
    outputs: Mapping[str, npt.NDArray[np.floating] | None],
    attribution: Attribution,
) -> None:
    """Write `rdf.yaml`, `README.md` and test arrays for a folder that contains `model.onnx`.

    Args:
        folder: of the export.
        name: of the classifier.
        card: of the classifier.
        metadata: accompanies the network.
        example: (1, S, S, C) pixels.
        outputs: of the example, by name.
        attribution: authors, license and citation.
    """
    import onnx
    from ruamel.yaml import YAML

    np.save(folder / "test_input.npy", example)
    _, side, _, n_channels = example.shape
    batch, classes = {"type": "batch"}, ", ".join(card.classes)
    named = [names for names in card.preprocessing.channel_names if len(names) == n_channels]
    channels = list(named[0]) if len(named) == 1 else [f"channel{i}" for i in range(n_channels)]
    inputs = [
        {
            "id": "pixels",
            "description": f"Pixels, resized ({card.preprocessing.resize}) and scaled as classify.py does",
            "axes": [
                batch,
                {"type": "space", "id": "y", "size": side},
                {"type": "space", "id": "x", "size": side},
                {"type": "channel", "id": "channel", "channel_names": channels},
            ],
            "data": {"type": example.dtype.name},
            "test_tensor": _source(folder / "test_input.npy"),
        }
    ]
    described = []
    for output, array in outputs.items():
        if array is None:
            continue
        np.save(folder / f"test_{output}.npy", array)
        axis = "class" if output in ("probabilities", "logits") else "feature"
        sizes = [{"type": "index", "id": f"{axis}_index", "size": array.shape[1]}] if array.ndim == 2 else []
        described.append(
            {
                "id": output,
                "description": _TITLES[output],
                "axes": [batch, *sizes],
                "data": {"type": "float32"},
                "test_tensor": _source(folder / f"test_{output}.npy"),
            }
        )
    write_text(folder / "README.md", f"# {name}\n\nClasses: {classes}\n\n{metadata['model_card']}\n")
    opset = onnx.load(folder / "model.onnx", load_external_data=False).opset_import[0].version
    description = {
        "type": "model",
        "format_version": "0.5.3",
        "name": _valid_name(name),
        "description": f"Classifier of images: {classes}"[:1024],
        **attribution.described(),
        "tags": ["classification", "coverslip"],
        "documentation": "README.md",
        "attachments": [_source(folder / "classify.py")],
        "inputs": inputs,
        "outputs": described,
        "weights": {"onnx": {**_source(folder / "model.onnx"), "opset_version": opset}},
        "config": {"coverslip": {key: value for key, value in metadata.items() if key != "model_card"}},
    }
    yaml = YAML()
    yaml.default_flow_style = False
    with (folder / "rdf.yaml").open("w", encoding="utf-8") as file:
        yaml.dump(json.loads(json.dumps(description)), file)  # a copy without shared values, which would be aliases


def _source(file: Path) -> dict[str, str]:
    return {"source": file.name, "sha256": sha256_file(file)}


# Comparison of an exported classifier with the original on real images.

MOST_IMAGES = 300
_N_DRAWN, _N_PATTERNS = 64, 6
_BATCHES = (1, 3, 17, 64)  # images at a time, then 64 again: an exported network must not depend on it


@dataclass(frozen=True, slots=True)
class Verification(DocumentedFields):
    """The agreement of an exported classifier with the original; `verification.json`."""

    n: int  # images
    n_files: int
    """Of these read by `classify.py`, without coverslip."""
    max_logit_difference_sd: float
    """Largest difference, in SDs of all logits."""
    max_feature_difference_sd: float
    """The same of a feature, in its SDs."""
    max_ood_score_difference_sd: float
    """The same of OOD scores; 0 without them."""
    label_agreement: float
    """Share of images with the same decision."""
    are_drawn: bool = False
    """The images of the run are missing; others were drawn."""

    @property
    def passed(self) -> bool:
        """Whether the export may be handed out."""
        differences = (self.max_logit_difference_sd, self.max_feature_difference_sd, self.max_ood_score_difference_sd)
        return max(differences) <= LARGEST_DIFFERENCE and self.label_agreement == 1

    def as_json(self) -> dict[str, Any]:  # Any: JSON values
        """Return the content of `verification.json`."""
        return {"format_version": 1, **asdict(self), "passed": self.passed}


@dataclass(frozen=True, slots=True)
class VerificationImages:
    """Images and what the classifier computes of them."""

    pixels: npt.NDArray[np.unsignedinteger]  # (n, S, S, C)
    expected: PixelOutputs
    files: dict[int, Path]  # those that are whole files, by position
    are_drawn: bool = False  # at random, since those of the run are not available


def verification_images(run: Run, classifier: Classifier, emit: Emit = ignore) -> VerificationImages:
    """Return at most `MOST_IMAGES` validation images of a run, or training images if it has no validation images.

    If none of them is available, for example because their folder was moved, images are drawn at random.

    Args:
        run: of the classifier.
        classifier: the original.
        emit: receives the progress.
    """
    try:
        data = _images(run)
    except BadDataset:
        return _drawn_images(classifier)
    images = read_preprocessed(data.records, classifier.card.preprocessing.before_colors)
    report, n_images = progress_reporter(emit, "reading-images", "images"), len(data.records)
    readable = []
    for done, (record, image) in enumerate(zip(data.records, images, strict=True), start=1):
        if isinstance(image, PreprocessedImage):
            readable.append((record, image.pixels))
        report(done, n_images)
    if not readable:
        return _drawn_images(classifier)
    pixels = np.stack([each for _, each in readable])
    whole = ReadPlan()
    files = {
        i: record.path
        for i, (record, _) in enumerate(readable)
        if record.plan.of_pixels == whole and record.in_memory is None
    }
    return VerificationImages(pixels, _predicted(classifier, pixels), files)


def _drawn_images(classifier: Classifier) -> VerificationImages:
    """Return squares of random intensities in coarse and fine patterns, dark and bright, so that outputs differ."""
    preprocessing, rng = classifier.card.preprocessing, np.random.default_rng(0)
    depth, side = np.dtype(preprocessing.depth), preprocessing.image_size
    drawn = [
        _squares(rng, 2 ** (1 + k % _N_PATTERNS), (side, side, preprocessing.channels), depth) for k in range(_N_DRAWN)
    ]
    pixels = np.stack(drawn)
    return VerificationImages(pixels, _predicted(classifier, pixels), {}, are_drawn=True)


def _predicted(classifier: Classifier, pixels: npt.NDArray[np.unsignedinteger]) -> PixelOutputs:
    """Return the outputs for pixels whose colors are not matched yet, as an exported network does it."""
    matching = classifier.card.preprocessing.matching
    return classifier.predict_pixels(pixels if matching is None else np.stack([*map(matching.colors, pixels)]))


def _squares(
    rng: np.random.Generator, n_across: int, shape: tuple[int, int, int], depth: np.dtype[Any]
) -> npt.NDArray[np.unsignedinteger]:
    """Return an (H, W, C) image of squares of random intensities, so many across it."""
    rows, columns = (np.arange(n_px) * n_across // n_px for n_px in shape[:2])
    squares = rng.random((n_across, n_across, shape[2]))
    shares = np.clip(rng.random() + rng.random() * (squares - 0.5), 0, 1)
    drawn: npt.NDArray[np.unsignedinteger] = np.rint(shares[np.ix_(rows, columns)] * np.iinfo(depth).max).astype(depth)
    return drawn


def _images(run: Run) -> Dataset:
    data = images_of(run)
    split_of = {row.image_id: row.split for row in run.split}
    by_split = [
        [i for i, record in enumerate(data.records) if split_of.get(record.image_id) == split]
        for split in ("val", "train", "test")  # after cross-validation, the classifier is refitted on all images
    ]
    positions = next(filter(None, by_split), [])
    step = max(1, -(-len(positions) // MOST_IMAGES))
    return data.subset(positions[::step])


def verify(folder: Path, images: VerificationImages, card: ClassifierCard, emit: Emit = ignore) -> Verification:
    """Compare an exported classifier with the original, and the pixels that its `classify.py` reads with coverslip's.

    Args:
        folder: the export.
        images: from `verification_images`.
        card: of the original.
        emit: receives the progress.
    """
    report, n_done, parts = progress_reporter(emit, "verifying-export", "images"), 0, []
    export = OpenedExport(folder)
    for batch in _batches(images.pixels):
        parts.append(export.predict_pixels(batch))
        report(n_done := n_done + len(batch), len(images.pixels))
    outputs = _joined(parts)
    read = _read_without_coverslip(folder / _READER, images.files, card)
    if not read:
        return replace(_compared(outputs, images.expected, card, 0), are_drawn=images.are_drawn)
    rows = np.array([*range(len(images.pixels)), *read])
    outputs = _joined([outputs, *(export.predict_pixels(pixels[None]) for pixels in read.values())])
    return _compared(outputs, _outputs_at(images.expected, rows), card, len(read))


def _batches(pixels: npt.NDArray[np.unsignedinteger]) -> Iterator[npt.NDArray[np.unsignedinteger]]:
    start = 0
    for size in (*_BATCHES, *[_BATCHES[-1]] * len(pixels)):
        if start < len(pixels):
            yield pixels[start : start + size]
        start += size


def _read_without_coverslip(reader: Path, files: dict[int, Path], card: ClassifierCard) -> dict[int, Any]:
    """Return the pixels of the files that the reference reader can read, by position."""
    read, preprocessing = runpy.run_path(str(reader))["read"], card.preprocessing.model_dump(mode="json")
    pixels = {}
    for position, file in files.items():
        try:
            pixels[position] = read(file, preprocessing)
        except (OSError, ValueError):  # another format, which the reader refuses
            continue
    return pixels


def _compared(outputs: PixelOutputs, expected: PixelOutputs, card: ClassifierCard, n_files: int) -> Verification:
    score, expected_score = outputs.ood_score, expected.ood_score
    if score is not None and expected_score is not None:
        ood_difference = difference(score, expected_score)
    else:
        ood_difference = 0.0 if score is expected_score else float("inf")
    return Verification(
        n=len(expected.logits) - n_files,
        n_files=n_files,
        max_logit_difference_sd=difference(outputs.logits, expected.logits),
        max_feature_difference_sd=difference(outputs.features, expected.features),
        max_ood_score_difference_sd=ood_difference,
        label_agreement=float((_decisions(outputs, card) == _decisions(expected, card)).mean()),
    )


def _decisions(outputs: PixelOutputs, card: ClassifierCard) -> npt.NDArray[np.int64]:
    """Return the predicted class of each image; -1 for uncertain and -2 for unfamiliar."""
    decided = decided_classes(outputs.probabilities, card.operating_points)
    is_uncertain = outputs.probabilities[np.arange(len(decided)), decided] < card.uncertain_below
    decided = np.where(is_uncertain, -1, decided)
    return decided if outputs.ood_score is None else np.where(outputs.ood_score > 1, -2, decided)


def _joined(parts: Sequence[PixelOutputs]) -> PixelOutputs:
    probabilities, logits, features = (np.concatenate([part[i] for part in parts]) for i in range(3))
    scores = [part.ood_score for part in parts if part.ood_score is not None]
    return PixelOutputs(probabilities, logits, features, np.concatenate(scores) if scores else None)


def _outputs_at(outputs: PixelOutputs, rows: npt.NDArray[np.int64]) -> PixelOutputs:
    score = outputs.ood_score
    return PixelOutputs(
        outputs.probabilities[rows],
        outputs.logits[rows],
        outputs.features[rows],
        None if score is None else score[rows],
    )


# Formats, and the writing of a verified export.

Pixels = npt.NDArray[np.unsignedinteger]

_READER, _VERIFICATION = "classify.py", "verification.json"
_TEST_SIZE, _TEST_SQUARES = (97, 131), 9  # of the test image, which is resized by an odd factor

RESAMPLING = {"filter": "triangle", "is_antialiased": True, "border": "median of outermost pixels"}
"""How `coverslip.images.preprocessing.preprocess` resizes and pads, in the words of docs/export.md."""


@dataclass(frozen=True)
class ExportContent:
    """What an export consists of."""

    classifier: Classifier
    name: str
    model_card: str
    attribution: Attribution

    @property
    def card(self) -> ClassifierCard:
        """The classifier's card."""
        return self.classifier.card

    @property
    def output_names(self) -> tuple[str, ...]:
        """The names of the outputs of the network."""
        return OUTPUTS if self.card.ood is not None else OUTPUTS[:-1]

    @cached_property
    def metadata(self) -> dict[str, Any]:  # Any: JSON values
        """The JSON values that accompany the network."""
        card = self.card
        return {
            "classes": list(card.classes),
            "preprocessing": card.preprocessing.model_dump(mode="json"),
            "resampling": RESAMPLING,
            "thresholds": {
                "operating_points": card.operating_points,
                "uncertain_below": card.uncertain_below if card.is_checked else 1.0,
                "set_floors": card.set_floors,
                "unfamiliar_above": None if card.ood is None else 1.0,
            },
            "classifier": card.model_dump(mode="json"),
            "model_card": self.model_card,
        }


def _write_onnx(content: ExportContent, folder: Path) -> None:
    """Write `model.onnx` with its metadata, and the reference reader."""
    import onnx

    model = deployed_graph(content.classifier)
    if model is None:
        raise ValueError("ONNX lacks an operation")
    for name, value in content.metadata.items():
        model.metadata_props.add(key=name, value=json.dumps(value))
    onnx.checker.check_model(model)
    write_bytes(folder / "model.onnx", model.SerializeToString())
    shutil.copyfile(Path(__file__).with_name(_READER), folder / _READER)
    _write_test(content.card, folder)


def _write_test(card: ClassifierCard, folder: Path) -> None:
    """Write an image, its pixels after preprocessing, and their outputs, by which other readers are checked."""
    preprocessing = card.preprocessing
    is_deep = preprocessing.depth == "uint16" or "uint16" in preprocessing.scaling.ranges
    shape = (*_TEST_SIZE, preprocessing.channels)
    array = _squares(np.random.default_rng(0), _TEST_SQUARES, shape, np.dtype("uint16" if is_deep else "uint8"))
    name = "test_image.png" if shape[2] == 1 or (shape[2] == 3 and not is_deep) else "test_image.tif"
    if name.endswith("png"):
        Image.fromarray(array if shape[2] == 3 else array[..., 0]).save(folder / name)
    else:
        import tifffile

        tifffile.imwrite(folder / name, array.transpose(2, 0, 1), imagej=True, metadata={"axes": "CYX"})
    pixels = preprocess(array, preprocessing.before_colors)
    write_bytes(folder / "test_pixels.bin", pixels.astype(pixels.dtype.newbyteorder("<")).tobytes())
    outputs = OpenedExport(folder).predict_pixels(pixels[None])
    values = {
        "image": name,
        "pixels": "test_pixels.bin",
        "shape": list(pixels.shape),
        "depth": preprocessing.depth,
        "probabilities": outputs.probabilities[0].tolist(),
        "ood_score": None if outputs.ood_score is None else float(outputs.ood_score[0]),
    }
    write_json(folder / "test.json", values)


class OpenedExport:
    """An export of any format that was opened again with ONNX Runtime.

    Args:
        folder: the export.
    """

    def __init__(self, folder: Path) -> None:
        onnxruntime = import_onnxruntime()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = n_cores()
        options.log_severity_level = 3
        model = str(folder / "model.onnx")
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def predict_pixels(self, pixels: Pixels) -> PixelOutputs:
        """Return the outputs for (n, S, S, C) pixels that were resized as the classifier's card says."""
        probabilities, logits, features, *scores = self._session.run(None, {"pixels": pixels})
        return PixelOutputs(probabilities, logits, features, scores[0] if scores else None)


def _write_bioimageio(content: ExportContent, folder: Path) -> None:
    _write_onnx(content, folder)
    # Noise, since tolerances are shares of the largest value of an output, and OOD scores of images may be negative.
    preprocessing = content.card.preprocessing
    shape = (1, preprocessing.image_size, preprocessing.image_size, preprocessing.channels)
    depth = np.dtype(preprocessing.depth)
    example = np.random.default_rng(0).integers(0, np.iinfo(depth).max, shape, depth, endpoint=True)
    outputs = OpenedExport(folder).predict_pixels(example)
    arrays = dict(zip(content.output_names, outputs, strict=False))
    write_description(folder, content.name, content.card, content.metadata, example, arrays, content.attribution)


ExportFormat = Callable[[ExportContent, Path], None]

EXPORT_FORMATS: dict[str, ExportFormat] = {"onnx": _write_onnx, "bioimageio": _write_bioimageio}
"""How each format is written to a folder."""


def check_export(to: str, attribution: Attribution | None) -> None:
    """Check whether a classifier can be exported in a format.

    Raises:
        CoverslipError: authors, a license or a citation are given for a format that has no place for them.
    """
    if attribution and to != "bioimageio":
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
    check_export(to, attribution)
    if out.exists():
        raise CoverslipError("export-folder-exists", file=out)
    classifier = Classifier(open_classifier(find_classifier(run.folder)))
    images = verification_images(run, classifier, emit)
    model_card = run.model_card_file.read_text("utf-8") if run.model_card_file.is_file() else ""
    content = ExportContent(classifier, name or out.name, model_card, attribution or Attribution())
    part = out.with_name(f".{out.name}.{secrets.token_hex(4)}.part")
    try:
        part.mkdir(parents=True)
        emit(Progressed(stage="converting-network", done=0, total=1, unit="networks"))
        try:
            formats[to](content, part)
            verification = verify(part, images, classifier.card, emit)
        except (CoverslipError, OSError):
            raise
        except Exception as error:  # of ONNX and of ONNX Runtime
            reason = message("export-failed", reason=one_line(f"{type(error).__name__}: {error}", 200))
            raise CoverslipError("export-refused", file=out, format=to, reason=reason) from error
        if not verification.passed:
            reason = message("export-differs", difference=verification.max_logit_difference_sd,
                          agreement=verification.label_agreement, n_images=verification.n)  # fmt: skip
            raise CoverslipError("export-refused", file=out, format=to, reason=reason)
        write_json(part / _VERIFICATION, verification.as_json())
        part.replace(out)
        return verification
    except OSError as error:
        raise write_error(out, error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
