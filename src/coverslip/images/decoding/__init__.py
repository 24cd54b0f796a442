"""Reading images here, or in processes that can be killed: a file that hangs its reader then costs a row, no more.

`read_pixels` decodes in this process, but while `decoding_apart` is open in others. These are few, stay for a while,
and answer over pipes; each file has a limit of processor time, of time and of memory.
"""

from coverslip.images.decoding.choosing import (
    WITHIN_VARIABLE,
    Fields,
    decoding_apart,
    end_decoding,
    interrupt_decoding,
    read_pixels,
)

__all__ = ["WITHIN_VARIABLE", "Fields", "decoding_apart", "end_decoding", "interrupt_decoding", "read_pixels"]
