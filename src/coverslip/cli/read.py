"""`coverslip read`: the pixels of one image, as training and prediction read them."""

from pathlib import Path
from typing import Annotated

from coverslip.cli._options import argument, option, usage_error
from coverslip.messages import text


def read(
    file: Annotated[Path, argument("FILE", "help-read-file")],
    out: Annotated[Path, option("--out FILE", "help-read-out")],
    series: Annotated[int, option("--series N", "help-read-series", min=0)] = 0,
    t: Annotated[int, option("--t N", "help-read-t", min=0)] = 0,
    z: Annotated[str, option("--z N|max|mean|best-focus|channels", "help-read-z")] = "0",
    channels: Annotated[str | None, option("--channels A,B", "help-read-channels")] = None,
    level: Annotated[int, option("--level N", "help-read-level", min=0)] = 0,
    region: Annotated[str | None, option("--region X,Y,WIDTH,HEIGHT", "help-read-region")] = None,
) -> None:
    """Write the pixels of one image to a TIFF file, as training and prediction read them, before they are resized.

    `coverslip inspect FILE` lists the series, time points, z-planes, channels and levels of a file.

    Examples:

      coverslip read plate.nd2 --series 3 --z best-focus --channels DAPI,GFP --out cell.tif

      coverslip read slide.svs --level 1 --region 20000,10000,4096,4096 --out region.tif
    """
    from pydantic import ValidationError

    from coverslip.cli._show import results_console
    from coverslip.images import ReadPlan, read_pixels, write_tiff

    try:
        plan = ReadPlan(
            series=series,
            t=t,
            z=int(z) if z.isdecimal() else z,  # checked by the plan
            channels=None if channels is None else tuple(map(_channel, channels.split(","))),
            level=level,
            region=None if region is None else tuple(map(int, region.split(","))),
        )
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        raise usage_error("usage-read-plan", hint=f"--{name}", name=name) from error
    except ValueError as error:
        raise usage_error("usage-read-plan", hint="--region", name="region") from error
    pixels = read_pixels(file, plan)
    size = pixels.pixel_size_um
    write_tiff(out, pixels.array, size)
    height, width, n_channels = pixels.array.shape
    line = text(
        "command-read",
        file=str(out),
        width=width,
        height=height,
        n_channels=n_channels,
        dtype=str(pixels.array.dtype),
        um=size[0] if size else 0,
    )
    results_console().print(line, soft_wrap=True)


def _channel(name: str) -> int | str:
    name = name.strip()
    return int(name) if name.isdecimal() else name
