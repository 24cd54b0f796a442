"""Formats that are known and not read yet: a row that says so beats a file that is ignored silently."""

from coverslip.images.reader import Reader, starts
from coverslip.messages import text

# Asked before TIFF, since DICOM's free first 128 bytes may look like one.
DICOM = Reader(
    name="DICOM",
    title="DICOM",
    suffixes=(".dcm",),
    is_this=lambda head: head[128:132] == b"DICM",
    export=lambda: text("export-from-fiji"),
)
READERS = (
    Reader(
        name="ND2",
        title="Nikon ND2",
        suffixes=(".nd2",),
        is_this=starts(b"\xda\xce\xbe\x0a"),
        export=lambda: text("export-nd2"),
    ),
    Reader(
        name="CZI",
        title="Zeiss CZI",
        suffixes=(".czi",),
        is_this=starts(b"ZISRAWFILE"),
        export=lambda: text("export-czi"),
    ),
    Reader(
        name="LIF",
        title="Leica LIF",
        suffixes=(".lif",),
        is_this=lambda head: head.startswith(b"\x70\0\0\0") and head[8:9] == b"\x2a",
        export=lambda: text("export-lif"),
    ),
    Reader(
        name="OIB",
        title="Olympus OIB or Zeiss ZVI",
        suffixes=(".oib", ".oif"),
        is_this=starts(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
        export=lambda: text("export-oib"),
    ),
    Reader(
        name="HDF5",
        title="HDF5 (Imaris and others)",
        suffixes=(".ims",),
        is_this=starts(b"\x89HDF\r\n\x1a\n"),
        export=lambda: text("export-ims"),
    ),
    # Their files are indexes of others beside them, and have no first bytes of their own.
    Reader(
        name="slides",
        title="slide scanners",
        suffixes=(".vsi", ".mrxs"),
        is_this=lambda head: False,
        export=lambda: text("export-slide"),
    ),
)
