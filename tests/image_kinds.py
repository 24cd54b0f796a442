"""Kinds of image files, each with samples that `test_images_kinds.py` writes and reads, and the docs list as a table.

A sample has planes of one color space and bit depth. Its writer encodes them with a package other than coverslip.
"""

import io
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

Array = np.ndarray[Any, Any]
HEIGHT, WIDTH = 48, 64
N_PLANES = 3  # of samples from which a plane is selected


@dataclass(frozen=True)
class Sample:
    """What a writer encodes."""

    codec: str
    color: str
    bits: int
    axis: str  # of the planes: a key of `ReadPlan`, or "channels"; empty: there is one plane
    planes: Array  # (n, H, W) or (n, H, W, C): uint8, uint16 or float32


Write = Callable[[Path, Sample], None]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """Image files of one container that are read alike, or refused alike."""

    container: str
    suffix: str
    codecs: tuple[str, ...]
    colors: tuple[str, ...] = ()
    bits: tuple[int, ...] = ()
    axes: tuple[str, ...] = ()  # along which planes, channels or levels are selected
    write: Write | None = None
    files: str = ""  # a folder of sample files instead; test_images_vendors.py compares their values
    refused: str = ""  # the code of the error; empty: the values are read
    tolerance: int = 0  # of lossy codecs


def sample_of(kind: Kind, codec: str, color: str, bits: int, axis: str = "") -> Sample:
    """Return smooth planes, which lossy codecs keep nearly, over the whole range of their bits."""
    n, top = (N_PLANES if axis else 1), 1.0 if bits >= 32 else 2.0**bits - 1
    y, x = np.mgrid[0 : 1 : HEIGHT * 1j, 0 : 1 : WIDTH * 1j]
    shades = [((1 + k) * x + y) / (2 + k) for k in range(4)]
    n_samples = {"color": 3, "alpha": 3, "CIELab": 3, "YBR": 3, "CMYK": 4}.get(color, 1)
    plane = np.stack(shades[:n_samples], axis=-1) if n_samples > 1 else shades[0]
    planes = np.stack([plane if k == 0 else np.roll(plane, 9 * k, axis=1) for k in range(n)])
    dtype = np.uint8 if bits <= 8 else np.uint16 if bits <= 16 else np.float32
    return Sample(codec, color, bits, axis, (planes * top if bits >= 32 else np.rint(planes * top)).astype(dtype))


def expected_of(sample: Sample) -> Array:
    """Return the planes as coverslip reads them: (n, H, W, C)."""
    planes = sample.planes if sample.planes.ndim == 4 else sample.planes[..., np.newaxis]
    if sample.color == "palette":
        return PALETTE[planes[..., 0]]
    if sample.color == "CMYK":
        top = float(2**sample.bits - 1)
        light = 1 - planes / top
        return np.rint(light[..., :3] * light[..., 3:] * top).astype(planes.dtype)
    if sample.bits in (1, 2, 4):
        return planes * np.uint8(255 // (2**sample.bits - 1))
    return planes


PALETTE = np.stack([np.arange(256)[::-1], np.arange(256) // 2, np.arange(256)], axis=1).astype(np.uint8)


# Writers


def write_with_pillow(path: Path, sample: Sample) -> None:
    formats = {".jpg": "JPEG", ".png": "PNG", ".gif": "GIF", ".webp": "WEBP", ".bmp": "BMP", ".avif": "AVIF"}
    images = [_pillow_image(sample, plane) for plane in sample.planes]
    options: dict[str, Any] = {
        ".jpg": {"quality": 100, "subsampling": 0, "progressive": sample.codec == "progressive"},
        ".webp": {"lossless": True, "exact": True},
        ".avif": {"quality": 100, "subsampling": "4:4:4"},
        ".gif": {"optimize": False},
    }.get(path.suffix, {})
    if len(images) > 1:
        options |= {"save_all": True, "append_images": images[1:]}
    if path.suffix == ".tif":
        codec = {"CCITT Group 3": "group3", "CCITT Group 4": "group4", "none": "raw"}[sample.codec]
        options |= {"compression": codec}
    images[0].save(path, formats.get(path.suffix, "TIFF"), **options)


def _pillow_image(sample: Sample, plane: Array) -> Image.Image:
    if sample.color == "palette":
        image = Image.fromarray(plane)
        image.putpalette(PALETTE.ravel().tolist())
        return image
    if sample.color == "CMYK":
        return Image.frombytes("CMYK", (WIDTH, HEIGHT), plane.tobytes())
    if sample.color == "alpha":
        transparent = np.zeros_like(plane[..., :1])
        return Image.fromarray(np.concatenate([plane, transparent], axis=-1))
    return Image.fromarray(plane.astype(bool) if sample.bits == 1 else plane)


def write_png(path: Path, sample: Sample) -> None:
    """Write gray or color of any depth, with alpha and frames by Pillow."""
    if sample.axis or sample.color in ("alpha", "palette"):
        write_with_pillow(path, sample)
        return
    plane, bits = sample.planes[0], sample.bits
    rows = plane.astype(">u2").view(np.uint8).reshape(HEIGHT, -1) if bits == 16 else _packed(plane, bits)
    data = b"".join(b"\0" + row.tobytes() for row in rows)
    head = struct.pack(">IIBBBBB", WIDTH, HEIGHT, bits, 2 if plane.ndim == 3 else 0, 0, 0, 0)
    path.write_bytes(_png_file((b"IHDR", head), (b"IDAT", zlib.compress(data)), (b"IEND", b"")))


def write_frames_of_deep_png(path: Path, sample: Sample) -> None:
    """Write frames of 16 bit, which few programs do."""
    data = [zlib.compress(b"".join(b"\0" + row.astype(">u2").tobytes() for row in plane)) for plane in sample.planes]
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, 16, 2, 0, 0, 0)), (b"acTL", struct.pack(">II", 3, 0))]
    number = 0
    for k, encoded in enumerate(data):
        chunks.append((b"fcTL", struct.pack(">IIIIIHHBB", number, WIDTH, HEIGHT, 0, 0, 1, 10, 0, 0)))
        chunks.append((b"fdAT", struct.pack(">I", number + 1) + encoded) if k else (b"IDAT", encoded))
        number += 2 if k else 1
    path.write_bytes(_png_file(*chunks, (b"IEND", b"")))


def _packed(plane: Array, bits: int) -> Array:
    """Return rows of bytes with values of 1, 2, 4 or 8 bit."""
    rows = plane.reshape(HEIGHT, -1, 8 // bits)
    packed: Array = (rows << (np.arange(8 // bits)[::-1] * bits)).sum(axis=-1).astype(np.uint8)
    return packed


def _png_file(*chunks: tuple[bytes, bytes]) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def write_deep_jpeg(path: Path, sample: Sample) -> None:
    path.write_bytes(jpeg_of(sample.codec, sample.planes[0], sample.bits, sample.color))


def jpeg_of(codec: str, plane: Array, bits: int, color: str) -> bytes:
    """Return a plane as one of the JPEG codecs that Pillow does not write."""
    import imagecodecs

    match codec:
        case "JPEG-LS":
            encoded = imagecodecs.jpegls_encode(plane)
        case "lossless" if plane.ndim == 3:
            encoded = imagecodecs.jpeg_encode(plane, bitspersample=bits, lossless=True)
        case "lossless":
            encoded = imagecodecs.ljpeg_encode(plane, bitspersample=bits)
        case "JPEG 2000":
            encoded = imagecodecs.jpeg2k_encode(plane, bitspersample=bits, reversible=True, level=0)
        case _:
            spaces = {"colorspace": "CMYK", "outcolorspace": "CMYK"} if color == "CMYK" else {}
            sampling = {"subsampling": "444"} if plane.ndim == 3 else {}
            encoded = imagecodecs.jpeg_encode(plane, bitspersample=bits, level=100, **spaces, **sampling)
    return bytes(encoded)


def write_avif(path: Path, sample: Sample) -> None:
    import imagecodecs

    if sample.axis:
        write_with_pillow(path, sample)
    else:
        path.write_bytes(imagecodecs.avif_encode(sample.planes[0], level=100, bitspersample=sample.bits))


def write_portable_map(path: Path, sample: Sample) -> None:
    plane, top = sample.planes[0], 2 ** min(sample.bits, 16) - 1
    binary, text = (b"P6", b"P3") if plane.ndim == 3 else (b"P5", b"P2")
    if sample.bits == 32:
        head, data = b"Pf\n%d %d\n-1.0\n" % (WIDTH, HEIGHT), plane[::-1].astype("<f4").tobytes()
    elif sample.codec.startswith("PBM"):  # in which 1 is black
        is_text = sample.codec.endswith("text")
        head = (b"P1" if is_text else b"P4") + b"\n%d %d\n" % (WIDTH, HEIGHT)
        inks = 1 - plane
        data = " ".join(map(str, inks.ravel())).encode() if is_text else _packed(inks, 1).tobytes()
    elif sample.codec == "text":
        head, data = text + b"\n%d %d\n%d\n" % (WIDTH, HEIGHT, top), " ".join(map(str, plane.ravel())).encode()
    else:
        head = binary + b"\n%d %d\n%d\n" % (WIDTH, HEIGHT, top)
        data = plane.astype(">u2" if top > 255 else np.uint8).tobytes()
    path.write_bytes(head + data)


def write_bit_fields(path: Path, sample: Sample) -> None:
    """Write a BMP of 32 bit whose colors have 10 bit each."""
    head = struct.pack("<IiiHHIIiiII", 56, WIDTH, -HEIGHT, 1, 32, 3, WIDTH * HEIGHT * 4, 2835, 2835, 0, 0)
    masks = struct.pack("<4I", 0x3FF00000, 0xFFC00, 0x3FF, 0)
    red, green, blue = np.moveaxis(sample.planes[0].astype(np.uint32), -1, 0)
    pixels = (red << 20 | green << 10 | blue).astype("<u4").tobytes()
    path.write_bytes(b"BM" + struct.pack("<IHHI", 70 + len(pixels), 0, 0, 70) + head + masks + pixels)


def write_signature(signature: bytes) -> Write:
    """Return a writer of files of a format that is recognized, but not read."""
    return lambda path, _: path.write_bytes(signature + bytes(500)) and None


def write_tiff(path: Path, sample: Sample) -> None:
    """Write with tifffile; levels and series as OME-TIFF."""
    import tifffile

    compression = {"none": None, "Deflate": "zlib"}.get(sample.codec, sample.codec.replace(" ", "").lower())
    spaces = {"gray": "minisblack", "white is 0": "miniswhite", "CMYK": "separated", "palette": "palette"}
    photometric = spaces.get(sample.color, "cielab" if sample.color == "CIELab" else "rgb")
    options: dict[str, Any] = {"photometric": photometric, "compression": compression}
    planes = sample.planes
    if sample.color == "palette":
        options["colormap"] = PALETTE.T.astype(np.uint16) * 257
    if sample.color == "white is 0":
        planes = np.iinfo(planes.dtype).max - planes
    if sample.color == "alpha":
        planes, options["extrasamples"] = np.concatenate([planes, planes[..., :1]], axis=-1), ["unassalpha"]
    if sample.bits == 1:
        planes = planes.astype(bool)
    if sample.bits == 64:
        planes = planes.astype(np.float64)
    if sample.codec == "JPEG":
        options["compressionargs"] = {"level": 100}
    elif sample.codec == "JPEG 2000":
        options["compressionargs"] = {"level": 0, "reversible": True}
    elif sample.codec in ("JPEG XL", "WebP"):
        options["compressionargs"] = {"lossless": True}
    letters = {"t": "T", "z": "Z", "channels": "C"}
    if sample.axis in letters:
        tifffile.imwrite(path, planes, metadata={"axes": letters[sample.axis] + "YXS"[: planes.ndim - 1]}, **options)
    elif sample.axis == "series":
        with tifffile.TiffWriter(path, ome=True) as tiff:
            for plane in planes:
                tiff.write(plane, **options)
    elif sample.axis == "level":
        with tifffile.TiffWriter(path) as tiff:
            tiff.write(planes[0], subifds=len(planes) - 1, tile=(16, 16), **options)
            for k in range(1, len(planes)):
                tiff.write(planes[0][:: 2**k, :: 2**k], subfiletype=1, tile=(16, 16), **options)
    else:
        tifffile.imwrite(path, planes[0], metadata=None, **options)


def write_complex_tiff(path: Path, _: Sample) -> None:
    import tifffile

    tifffile.imwrite(path, np.ones((HEIGHT, WIDTH), np.complex64))


def write_packed_tiff(path: Path, sample: Sample) -> None:
    """Write gray of 2, 4 or 12 bit, which no package writes."""
    plane, bits = sample.planes[0], sample.bits
    if bits == 12:
        pairs = plane.reshape(-1, 2).astype(np.uint32)
        packed = np.stack([pairs[:, 0] >> 4, (pairs[:, 0] & 15) << 4 | pairs[:, 1] >> 8, pairs[:, 1] & 255], axis=1)
        data = packed.astype(np.uint8).tobytes()
    else:
        data = _packed(plane, bits).tobytes()
    write_raw_tiff(path, WIDTH, HEIGHT, data, bits=bits)


def write_raw_tiff(path: Path, width: int, height: int, data: bytes, *, bits: int) -> None:
    """Write an uncompressed gray TIFF of one strip, tag by tag: for depths and sizes that no package writes."""
    tags = [(256, 4, width), (257, 4, height), (258, 3, bits), (259, 3, 1), (262, 3, 1), (273, 4, 8), (277, 3, 1)]
    tags += [(278, 4, height), (279, 4, len(data))]
    start = 8 + len(data) + len(data) % 2
    table = b"".join(struct.pack("<HHII", code, kind, 1, value) for code, kind, value in tags)
    header = b"II*\0" + start.to_bytes(4, "little")
    padding = b"\0" * (len(data) % 2)
    path.write_bytes(header + data + padding + len(tags).to_bytes(2, "little") + table + bytes(4))


def write_old_jpeg(path: Path, color: Array) -> None:
    """Write a TIFF with old-style JPEG compression: the page has the scan, and tags have the tables."""
    buffer = io.BytesIO()
    Image.fromarray(color).save(buffer, "JPEG", quality=95, subsampling=0)
    jpeg, at = buffer.getvalue(), 2
    quantization: dict[int, bytes] = {}
    huffman: dict[int, bytes] = {}
    while (marker := jpeg[at + 1]) != 0xDA:
        segment = jpeg[at + 4 : at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")]
        if marker == 0xDB:
            quantization[segment[0] & 15] = segment[1:65]
        elif marker == 0xC4:
            huffman[segment[0]] = segment[1:]
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
    scan = jpeg[at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big") : -2]
    n_tags = 15
    data = bytearray(8 + 2 + 12 * n_tags + 4)

    def stored(content: bytes) -> int:
        data.extend(content + b"\0" * (len(content) % 2))
        return len(data) - len(content) - len(content) % 2

    def tables(*contents: bytes) -> int:
        return stored(struct.pack("<3I", *map(stored, contents)))

    luma, chroma = quantization[0], quantization[1]
    tags = [
        *((256, 4, 1, color.shape[1]), (257, 4, 1, color.shape[0]), (258, 3, 3, stored(struct.pack("<3H", 8, 8, 8)))),
        *((259, 3, 1, 6), (262, 3, 1, 6), (273, 4, 1, stored(scan)), (277, 3, 1, 3), (278, 4, 1, color.shape[0])),
        *((279, 4, 1, len(scan)), (284, 3, 1, 1), (512, 3, 1, 1), (519, 4, 3, tables(luma, chroma, chroma))),
        (520, 4, 3, tables(huffman[0x00], huffman[0x01], huffman[0x01])),
        (521, 4, 3, tables(huffman[0x10], huffman[0x11], huffman[0x11])),
        (530, 3, 2, 1 | 1 << 16),
    ]
    data[: 8 + 2 + 12 * n_tags] = (
        b"II*\0\x08\0\0\0" + struct.pack("<H", n_tags) + b"".join(struct.pack("<HHII", *tag) for tag in tags)
    )
    path.write_bytes(data)


def write_dicom(path: Path, sample: Sample) -> None:
    """Write with pydicom; frames are compressed before."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.encaps import encapsulate

    planes, bits = sample.planes, sample.bits
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "1.2.3"
    meta.TransferSyntaxUID = f"1.2.840.10008.1.2{_SYNTAXES[sample.codec]}"
    if sample.codec == "RLE":
        meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"  # until it is compressed
    data = FileDataset("a.dcm", {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = meta.MediaStorageSOPClassUID, "1.2.3"
    if sample.color != "no image":
        is_color = planes.ndim == 4
        names = {"gray": "MONOCHROME2", "white is 0": "MONOCHROME1", "palette": "PALETTE COLOR", "YBR": "YBR_FULL"}
        data.PhotometricInterpretation = names.get(sample.color, "RGB")
        data.SamplesPerPixel, data.Rows, data.Columns, data.NumberOfFrames = (
            3 if is_color else 1,
            *planes.shape[1:3],
            len(planes),
        )
        data.BitsAllocated, data.BitsStored, data.HighBit = 8 * planes.dtype.itemsize, bits, bits - 1
        data.PixelRepresentation = 0
        if is_color:
            data.PlanarConfiguration = 0
        if sample.color == "palette":
            for k, name in enumerate(("Red", "Green", "Blue")):
                setattr(data, f"{name}PaletteColorLookupTableDescriptor", [256, 0, 8])
                setattr(data, f"{name}PaletteColorLookupTableData", PALETTE[:, k].tobytes())
        stored = (2**bits - 1 - planes) if sample.color == "white is 0" else planes
        if sample.color == "YBR" and bits == 8:
            stored = np.stack([np.asarray(Image.fromarray(plane).convert("YCbCr")) for plane in planes])
        if bits == 1:
            data.BitsAllocated = 1
            data.PixelData = np.packbits(stored, bitorder="little").tobytes()
        elif sample.codec in ("none", "deflated", "RLE"):
            data.PixelData = stored.astype(f"<u{planes.dtype.itemsize}").tobytes()
        else:
            data.PixelData = encapsulate([_dicom_frame(sample, plane) for plane in stored])
        data["PixelData"].VR = "OW" if bits > 8 else "OB"
        if sample.codec == "RLE":
            data.compress(f"1.2.840.10008.1.2{_SYNTAXES['RLE']}", generate_instance_uid=False)
    data.save_as(path, enforce_file_format=True)


_SYNTAXES = {
    "none": ".1",
    "deflated": ".1.99",
    "RLE": ".5",
    "JPEG": ".4.50",
    "JPEG of 12 bit": ".4.51",
    "lossless JPEG": ".4.70",
    "JPEG-LS": ".4.80",
    "JPEG 2000": ".4.90",
    "high-throughput JPEG 2000": ".4.201",
}


def _dicom_frame(sample: Sample, plane: Array) -> bytes:
    if sample.codec == "JPEG":
        buffer = io.BytesIO()
        Image.fromarray(plane).save(buffer, "JPEG", quality=100)
        return buffer.getvalue()
    codec = {"lossless JPEG": "lossless", "high-throughput JPEG 2000": "JPEG 2000"}.get(sample.codec, sample.codec)
    return jpeg_of(codec, plane, sample.bits, sample.color)


def write_zarr(
    folder: Path, array: Array, axes: str, version: str, *, separator: str = "/", write_empty_chunks: bool = True
) -> Path:
    """Write an image with two levels, as NGFF 0.4 (Zarr 2) or 0.5 (Zarr 3)."""
    import zarr

    names = {"T": "time", "C": "channel", "Z": "space", "Y": "space", "X": "space"}
    levels = [array, array[..., ::2, ::2]]
    scale = [0.25 if axis in "YX" else 1.0 for axis in axes]
    datasets = [
        {
            "path": str(k),
            "coordinateTransformations": [
                {
                    "type": "scale",
                    "scale": [step * (2**k if axis in "YX" else 1) for axis, step in zip(axes, scale, strict=True)],
                }
            ],
        }
        for k in range(2)
    ]
    units = {"YX": {"unit": "micrometer"}}
    about = {
        "multiscales": [
            {
                "version": version,
                "axes": [
                    {"name": axis.lower(), "type": names[axis], **(units["YX"] if axis in "YX" else {})}
                    for axis in axes
                ],
                "datasets": datasets,
            }
        ],
        "omero": {"channels": [{"label": f"dye {k}"} for k in range(array.shape[axes.index("C")])]},
    }
    zarr_format = 2 if version == "0.4" else 3
    group = zarr.open_group(folder, mode="w", zarr_format=zarr_format)
    group.attrs.update(about if version == "0.4" else {"ome": {"version": version, **about}})
    for k, level in enumerate(levels):
        encoding = {"name": "v2" if zarr_format == 2 else "default", "separator": separator}
        chunks = tuple(16 if axis in "YX" else 1 for axis in axes)
        made = group.create_array(
            str(k),
            shape=level.shape,
            dtype=level.dtype,
            chunks=chunks,
            chunk_key_encoding=encoding,
            fill_value=0,
            config={"write_empty_chunks": write_empty_chunks},
        )
        made[:] = level
    return folder


def write_zarr_kind(path: Path, sample: Sample) -> None:
    planes = sample.planes.astype(bool) if sample.bits == 1 else sample.planes
    match sample.axis:
        case "series":
            for k, plane in enumerate(planes):
                write_zarr(path / str(k), plane[np.newaxis], "CYX", "0.5")
            (path / "zarr.json").write_text('{"attributes": {"ome": {"bioformats2raw.layout": 3}}}')
        case "t":
            write_zarr(path, planes[:, np.newaxis], "TCYX", "0.4")
        case "z":
            write_zarr(path, planes[np.newaxis], "CZYX", "0.5")
        case _:
            n_channels = N_PLANES if sample.axis == "channels" else 1
            write_zarr(path, planes[:n_channels], "CYX", "0.4" if sample.bits == 8 else "0.5")


def write_zarr_array(path: Path, sample: Sample) -> None:
    import zarr

    zarr.save_array(path, sample.planes[0], zarr_format=2 if sample.codec == "Zarr 2" else 3)


# Records

_COLORS = ("gray", "color")
_ALL_AXES = ("series", "t", "z", "channels", "level")
_PNG = {"container": "PNG", "suffix": ".png", "write": write_png}
_JPEG = {"container": "JPEG", "suffix": ".jpg", "write": write_deep_jpeg}
_TIFF = {"container": "TIFF", "suffix": ".tif", "write": write_tiff}
_DICOM = {"container": "DICOM", "suffix": ".dcm", "write": write_dicom}


def _unread(container: str, suffix: str, signature: bytes) -> Kind:
    return Kind(
        container=container,
        suffix=suffix,
        codecs=("any",),
        colors=("gray",),
        bits=(8,),
        write=write_signature(signature),
        refused="format-not-read",
    )


KINDS: Sequence[Kind] = (
    Kind(**_PNG, codecs=("Deflate",), colors=("gray",), bits=(1, 2, 4, 8, 16)),
    Kind(**_PNG, codecs=("Deflate",), colors=("color",), bits=(8, 16)),
    Kind(**_PNG, codecs=("Deflate",), colors=("palette", "alpha"), bits=(8,)),
    Kind(**_PNG, codecs=("Deflate, animated",), colors=("color",), bits=(8,), axes=("t",)),
    Kind(
        **_PNG | {"write": write_frames_of_deep_png},
        codecs=("Deflate, animated, frames after the first",),
        colors=("color",),
        bits=(16,),
        axes=("t",),
        refused="image-kind-not-read",
    ),
    Kind(
        **_JPEG | {"write": write_with_pillow},
        codecs=("baseline", "progressive"),
        colors=(*_COLORS, "CMYK"),
        bits=(8,),
        tolerance=8,
    ),
    Kind(**_JPEG, codecs=("extended",), colors=_COLORS, bits=(12,), tolerance=16),
    Kind(**_JPEG, codecs=("extended",), colors=("CMYK",), bits=(12,), refused="color-space"),
    Kind(**_JPEG, codecs=("lossless", "JPEG-LS"), colors=("gray",), bits=(8, 16)),
    Kind(
        container="JPEG 2000",
        suffix=".jp2",
        codecs=("JPEG 2000",),
        colors=_COLORS,
        bits=(1, 4, 6, 8, 12, 16),
        write=write_deep_jpeg,
    ),
    Kind(
        container="GIF",
        suffix=".gif",
        codecs=("LZW",),
        colors=("gray", "palette"),
        bits=(8,),
        axes=("t",),
        write=write_with_pillow,
    ),
    Kind(
        container="WebP",
        suffix=".webp",
        codecs=("lossless",),
        colors=("color",),
        bits=(8,),
        axes=("t",),
        write=write_with_pillow,
    ),
    Kind(
        container="WebP",
        suffix=".webp",
        codecs=("lossless",),
        colors=("alpha",),
        bits=(8,),
        write=write_with_pillow,
    ),
    Kind(
        container="AVIF",
        suffix=".avif",
        codecs=("AV1",),
        colors=("color",),
        bits=(8,),
        axes=("t",),
        write=write_avif,
        tolerance=16,
    ),
    Kind(
        container="AVIF",
        suffix=".avif",
        codecs=("AV1",),
        colors=("color",),
        bits=(10, 12),
        write=write_avif,
        tolerance=16,
    ),
    Kind(
        container="BMP",
        suffix=".bmp",
        codecs=("none",),
        colors=("gray",),
        bits=(1, 8),
        write=write_with_pillow,
    ),
    Kind(
        container="BMP",
        suffix=".bmp",
        codecs=("none",),
        colors=("color", "palette"),
        bits=(8,),
        write=write_with_pillow,
    ),
    Kind(
        container="BMP",
        suffix=".bmp",
        codecs=("bit fields of 10 bit",),
        colors=("color",),
        bits=(10,),
        write=write_bit_fields,
        refused="image-kind-not-read",
    ),
    Kind(
        container="portable map",
        suffix=".pnm",
        codecs=("binary", "text"),
        colors=_COLORS,
        bits=(1, 2, 4, 7, 8, 12, 16),
        write=write_portable_map,
    ),
    Kind(
        container="portable map",
        suffix=".pnm",
        codecs=("PBM binary", "PBM text"),
        colors=("gray",),
        bits=(1,),
        write=write_portable_map,
    ),
    Kind(
        container="portable map",
        suffix=".pnm",
        codecs=("PFM",),
        colors=("gray",),
        bits=(32,),
        write=write_portable_map,
    ),
    _unread("portable map PAM, PFM in color", ".pam", b"P7\n"),
    Kind(**_TIFF, codecs=("none",), colors=("gray",), bits=(1, 8, 16, 32, 64), axes=_ALL_AXES),
    Kind(**_TIFF | {"write": write_packed_tiff}, codecs=("none",), colors=("gray",), bits=(2, 4, 12)),
    Kind(**_TIFF, codecs=("none",), colors=("color",), bits=(8, 16), axes=("series", "t", "z", "level")),
    Kind(**_TIFF, codecs=("none",), colors=("CMYK",), bits=(8, 16), axes=("z",), tolerance=1),
    Kind(**_TIFF, codecs=("none",), colors=("palette", "alpha", "white is 0"), bits=(8,), axes=("t", "z")),
    Kind(
        **_TIFF,
        codecs=("LZW", "Deflate", "PackBits", "Zstd", "LZMA", "LERC"),
        colors=_COLORS,
        bits=(8, 16, 32),
        axes=("t", "z", "level"),
    ),
    Kind(**_TIFF, codecs=("JPEG 2000", "PNG"), colors=_COLORS, bits=(8, 16), axes=("t", "z", "level")),
    Kind(**_TIFF, codecs=("JPEG XL",), colors=_COLORS, bits=(8, 16), axes=("t", "z", "level")),
    Kind(**_TIFF, codecs=("WebP",), colors=("color",), bits=(8,), axes=("t", "z", "level")),
    Kind(**_TIFF, codecs=("JPEG",), colors=_COLORS, bits=(8,), axes=("t", "z", "level"), tolerance=16),
    Kind(
        **_TIFF | {"write": write_with_pillow},
        codecs=("CCITT Group 3", "CCITT Group 4"),
        colors=("gray",),
        bits=(1,),
        axes=("z",),
    ),
    Kind(
        **_TIFF | {"write": lambda path, sample: write_old_jpeg(path, sample.planes[0])},
        codecs=("old-style JPEG",),
        colors=("color",),
        bits=(8,),
        tolerance=8,
    ),
    Kind(**_TIFF, codecs=("none",), colors=("CIELab",), bits=(16,), refused="color-space"),
    Kind(
        **_TIFF | {"write": write_complex_tiff},
        codecs=("none",),
        colors=("complex",),
        bits=(64,),
        refused="tiff-pixel-type",
    ),
    Kind(
        **_DICOM,
        codecs=("none", "deflated", "RLE"),
        colors=("gray", "color", "white is 0"),
        bits=(8, 12, 16),
        axes=("t",),
    ),
    Kind(**_DICOM, codecs=("none",), colors=("gray", "white is 0"), bits=(1,), axes=("t",)),
    Kind(**_DICOM, codecs=("none",), colors=("palette",), bits=(8,), axes=("t",)),
    Kind(**_DICOM, codecs=("JPEG",), colors=("gray",), bits=(8,), axes=("t",), tolerance=8),
    Kind(**_DICOM, codecs=("JPEG of 12 bit",), colors=("gray",), bits=(12,), axes=("t",), tolerance=16),
    Kind(
        **_DICOM,
        codecs=("lossless JPEG", "JPEG-LS", "JPEG 2000"),
        colors=("gray",),
        bits=(8, 12, 16),
        axes=("t",),
    ),
    Kind(
        **_DICOM,
        codecs=("high-throughput JPEG 2000",),
        colors=("gray",),
        bits=(8,),
        refused="image-kind-not-read",
    ),
    Kind(**_DICOM, codecs=("lossless JPEG", "JPEG-LS"), colors=("color",), bits=(8, 16), axes=("t",)),
    Kind(**_DICOM, codecs=("none", "lossless JPEG", "JPEG-LS"), colors=("YBR",), bits=(8,), axes=("t",), tolerance=4),
    Kind(**_DICOM, codecs=("lossless JPEG", "JPEG-LS"), colors=("YBR",), bits=(16,), refused="color-space"),
    Kind(**_DICOM, codecs=("JPEG of 12 bit",), colors=("color",), bits=(12,), refused="color-space"),
    Kind(**_DICOM, codecs=("none",), colors=("no image",), bits=(8,), refused="dicom-without-image"),
    Kind(container="Nikon ND2", suffix=".nd2", codecs=("none",), axes=("t", "z", "channels"), files="nd2"),
    Kind(container="Leica LIF", suffix=".lif", codecs=("none",), axes=("series", "t", "z", "channels"), files="lif"),
    Kind(container="Zeiss CZI", suffix=".czi", codecs=("none",), axes=("channels",), files="czi_ometiff"),
    Kind(container="Olympus OIB", suffix=".oib", codecs=("none",), axes=("channels",), files="oib"),
    Kind(
        container="OME-Zarr 0.4 and 0.5",
        suffix=".zarr",
        codecs=("Zstd",),
        colors=("gray",),
        bits=(1, 8, 16, 32),
        axes=_ALL_AXES,
        write=write_zarr_kind,
    ),
    Kind(
        container="Zarr without OME metadata",
        suffix=".zarr",
        codecs=("Zarr 2", "Zarr 3"),
        colors=("gray",),
        bits=(8,),
        write=write_zarr_array,
        refused="zarr-without-multiscales",
    ),
    _unread("HEIC", ".heic", b"\0\0\0\x18ftypheic"),
    _unread("JPEG XL", ".jxl", b"\xff\x0a"),
    _unread("JPEG XR", ".jxr", b"II\xbc\x01"),
    _unread("Photoshop", ".psd", b"8BPS"),
    _unread("HDF5 (Imaris)", ".ims", b"\x89HDF\r\n\x1a\n"),
)


def kinds_table() -> str:
    """Return a table for the documentation, without formats that are not read at all."""
    head = ["| container | compression | pixels | bits | selection | result |", "|---|---|---|---|---|---|"]
    return "\n".join([*head, *(_row(kind) for kind in KINDS if kind.refused != "format-not-read")])


def _row(kind: Kind) -> str:
    cells = (
        kind.container,
        ", ".join(kind.codecs),
        ", ".join(kind.colors) or "as in the file",
        ", ".join(map(str, kind.bits)) or "as in the file",
        " ".join(f"`{axis}`" for axis in kind.axes) or "–",
        f"[refused](problems_images.md#{kind.refused})" if kind.refused else "read",
    )
    return f"| {' | '.join(cells)} |"
