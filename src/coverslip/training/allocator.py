"""Keeps freed memory with the process: training on the processor then takes a fraction of the time."""

import ctypes
import sys

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -2, -3, -8  # malloc.h
_LARGEST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Tell glibc to reuse freed blocks instead of handing them back; True where that was possible.

    Each step of training frees and asks again for the same large blocks. By default glibc returns them to the
    system, which must clear them every time: measured at 1.5-3.2 times the seconds per step. Peak memory rises by
    a fifth to a quarter. Elsewhere than on Linux with glibc this does nothing.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    settings = (
        (_ARENA_MAX, 1),  # one pool for all threads: what one frees another can use
        (_MMAP_THRESHOLD, _LARGEST),
        (_TRIM_THRESHOLD, _LARGEST),
        (_TOP_PAD, 64 * 1024 * 1024),
    )
    answers = [mallopt(ctypes.c_int(name), ctypes.c_int(value)) for name, value in settings]
    return answers == [1] * len(settings)
