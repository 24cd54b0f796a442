"""`coverslip read`: the pixels of one image, as training and prediction read them."""

from pathlib import Path
from typing import Annotated

import typer

from coverslip.cli._options import usage_error
from coverslip.messages import text


def read(
    file: Annotated[Path, typer.Argument(metavar="FILE", help=text("help-read-file"), show_default=False)],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help=text("help-read-out"), show_default=False)],
    series: Annotated[int, typer.Option("--series", metavar="N", min=0, help=text("help-read-series"))] = 0,
    t: Annotated[int, typer.Option("--t", metavar="N", min=0, help=text("help-read-t"))] = 0,
    z: Annotated[str, typer.Option("--z", metavar="N|max|mean|best-focus|channels", help=text("help-read-z"))] = "0",
    channels: Annotated[
        str | None, typer.Option("--channels", metavar="A,B", help=text("help-read-channels"), show_default=False)
    ] = None,
    level: Annotated[int, typer.Option("--level", metavar="N", min=0, help=text("help-read-level"))] = 0,
    region: Annotated[
        str | None,
        typer.Option("--region", metavar="X,Y,WIDTH,HEIGHT", help=text("help-read-region"), show_default=False),
    ] = None,
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
