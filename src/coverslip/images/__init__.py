"""Read microscope images as pixels, describe them, and preprocess them for a network."""

from coverslip.images._pillow import decode_pillow
from coverslip.images.captions import caption_font, fit_caption
from coverslip.images.confining import open_below, open_image
from coverslip.images.decoding import (
    WITHIN_VARIABLE,
    Fields,
    decode_in_processes,
    end_decoding,
    interrupt_decoding,
    read_pixels,
)
from coverslip.images.facts import (
    Depth,
    ImageFacts,
    Scaling,
    effective_channels,
    image_facts,
    learn_scaling,
    pixel_hash,
)
from coverslip.images.formats import (
    UnreadFormat,
    image_suffixes,
    readers,
    register_reader,
    unread_formats,
    unread_suffixes,
)
from coverslip.images.plan import MAX_CHANNEL_FILES, ChannelFiles, Plane, ReadPlan, box_center, square_around
from coverslip.images.preprocessing import (
    MAX_SIDE_PX,
    PadColor,
    Preprocessing,
    Resize,
    preprocess,
    small_pixels,
    thumbnail,
)
from coverslip.images.reader import Decoded, Reader, Series, check_size, choose_plane
from coverslip.images.reading import BEYOND_EDGE, NO_SUCH_FILE, Pixels, describe_image, pixels_in_memory

__all__ = [
    "BEYOND_EDGE",
    "MAX_CHANNEL_FILES",
    "MAX_SIDE_PX",
    "NO_SUCH_FILE",
    "WITHIN_VARIABLE",
    "ChannelFiles",
    "Decoded",
    "Depth",
    "Fields",
    "ImageFacts",
    "PadColor",
    "Pixels",
    "Plane",
    "Preprocessing",
    "ReadPlan",
    "Reader",
    "Resize",
    "Scaling",
    "Series",
    "UnreadFormat",
    "box_center",
    "caption_font",
    "check_size",
    "choose_plane",
    "decode_in_processes",
    "decode_pillow",
    "describe_image",
    "effective_channels",
    "end_decoding",
    "fit_caption",
    "image_facts",
    "image_suffixes",
    "interrupt_decoding",
    "learn_scaling",
    "open_below",
    "open_image",
    "pixel_hash",
    "pixels_in_memory",
    "preprocess",
    "read_pixels",
    "readers",
    "register_reader",
    "small_pixels",
    "square_around",
    "thumbnail",
    "unread_formats",
    "unread_suffixes",
]
