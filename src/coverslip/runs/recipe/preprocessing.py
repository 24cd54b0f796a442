"""The recipe's choices on images: which pixels of a file are read, and how they are preprocessed."""

from typing import Annotated, Literal

from pydantic import Field

from coverslip.images import MAX_SIDE_PX, ChannelFiles, PadColor, Plane, Resize
from coverslip.keys import Choice, Key
from coverslip.runs.recipe.choices import Choices


class PreprocessingChoices(Choices):
    """How images are read and preprocessed."""

    image_size: Annotated[
        int | None,
        Key(
            "Image size",
            "images",
            "Side in pixels to which images are resized. Smaller is faster, larger shows finer detail.",
            "to {0} × {0} pixels",
            unit="pixels",
            empty="the network’s own",
        ),
    ] = Field(
        default=None,
        ge=16,
        le=MAX_SIDE_PX,
        description="Side in pixels that images are resized to; left empty (null), the model's own.",
    )
    resize: Annotated[
        Resize,
        Key(
            "Making images square",
            "images",
            "What to do with images that are not square. If the scale is the same for all, a small cell stays small.",
            choices=(
                Choice("pad", "whole image, with a border", "keeping their shape and padding to a square"),
                Choice("stretch", "stretch", "stretching them to a square"),
                Choice("crop", "crop the center", "cutting out the center square"),
                Choice(
                    "canvas",
                    "same scale for all, with a border",
                    "at one scale for all images, padding to a square",
                ),
            ),
        ),
    ] = Field(
        default="pad",
        description="Keep the shape and pad, stretch to a square, crop the center square, or pad at one scale for all "
        "images (canvas), so that a small cell stays small.",
    )
    pad_color: Annotated[
        PadColor,
        Key(
            "Color of the border",
            "images",
            "The color of the border of padded images.",
            choices=(
                Choice("auto", "as the image’s edge"),
                Choice("black", "black", "any border being black"),
                Choice("white", "white", "any border being white"),
            ),
        ),
    ] = Field(
        default="auto",
        description="Fill of pad and canvas: the color of the image's border (auto), black or white.",
    )
    scaling: Annotated[
        Literal["auto", "full", "training-range", "per-image"],
        Key(
            "Intensities",
            "images",
            "Which values become black and white. If each image has its own range, differences in brightness between "
            "images are lost.",
            choices=(
                Choice(
                    "auto",
                    "automatic",
                    "by the full range (8 bit) or the range of the training images (deeper)",
                ),
                Choice("full", "whole range of the format", "by the full range of the data type"),
                Choice("training-range", "range of the training images", "by the range of the training images"),
                Choice("per-image", "each image separately", "by each image's own range"),
            ),
        ),
    ] = Field(
        default="auto",
        description="How intensities are scaled to 0-1: by the full range of the data type (auto, for 8 bit), by the "
        "range of the training images (auto, for deeper ones), or by the range of each image, which removes intensity.",
    )
    normalization: Annotated[
        Literal["weights", "imagenet", "none", "training-images"],
        Key(
            "Normalization",
            "images",
            "Scales intensities to the mean and standard deviation that the network was trained with.",
            choices=(
                Choice("weights", "as the network expects"),
                Choice("imagenet", "as for ImageNet", "then brought to ImageNet's mean and standard deviation"),
                Choice("none", "none", "without further normalization"),
                Choice(
                    "training-images",
                    "by the training images",
                    "then brought to the training images' mean and standard deviation",
                ),
            ),
        ),
    ] = Field(
        default="weights",
        description="Mean and standard deviation to which intensities in 0-1 are scaled: those that the weights were "
        "trained with, ImageNet's, none (0-1 unchanged), or those of the training images.",
    )
    plane: Annotated[
        Plane,
        Key(
            "Page of a stack",
            "images",
            "For files with several pages: which one, from 0; “max” or “mean” over all; or “channels” where each page "
            "shows a stain.",
            "page {} of multi-page files (from 0) being taken",
            choices=(
                Choice("max", "the brightest of all pages", "the maximum of a file's pages being taken"),
                Choice("mean", "the mean of all pages", "the mean of a file's pages being taken"),
                Choice("channels", "each page is a channel", "the pages of a file being taken as its channels"),
            ),
        ),
    ] = Field(
        default=0,
        description="Page of multi-page files (0-based), 'max' or 'mean' over the pages, or 'channels': each is one.",
    )
    channel_files: Annotated[
        ChannelFiles | None,
        Key(
            "Files of channels",
            "images",
            "If each channel is in a separate file: the part of the file names that distinguishes the channels, in "
            "their order, such as _w1 and _w2.",
            lambda marks: (
                f"files with {', '.join(marks)} in their names being the channels of an image" if marks else ""
            ),
            empty="each file is an image",
        ),
    ] = Field(
        default=None,
        description="Parts of the file names that distinguish the channels of an image, one file per channel: [_w1, "
        "_w2]; left empty (null), each file is an image.",
    )
    crop_size: Annotated[
        int | None,
        Key(
            "Crop size",
            "images",
            "For a table of points (x, y) in fields of view: the side, in pixels, of the square that is cropped around "
            "each point. About twice the diameter of a cell is a good start.",
            lambda side: f"squares of {side} pixels being cut out around the points of a table" if side else "",
            unit="pixels",
            empty="no points",
        ),
    ] = Field(
        default=None,
        ge=4,
        le=10_000,
        description="Side in pixels of the square around each point of a table; left empty (null), no points.",
    )
    channels: Annotated[
        tuple[int, ...] | None,
        Key(
            "Channels",
            "images",
            "The channels that the network uses, by their numbers from 0.",
            lambda channels: f"channels {', '.join(map(str, channels))} (from 0) being used" if channels else "",
            empty="all",
        ),
    ] = Field(default=None, description="0-based channels to use; left empty (null), all.")
