"""Durations as text."""

import math


def duration(seconds: float) -> str:
    """Seconds for people: `48 s`, `3 min 05 s`, `2 h 10 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def rough_duration(seconds: float) -> str:
    """A length of time that is an estimate: `40 s`, `6 min`, `2 h 10 min`."""
    if seconds < 55:
        return f"{max(5, 5 * math.ceil(seconds / 5))} s"
    if seconds < 3600:
        return f"{max(1, round(seconds / 60))} min"
    return duration(600 * round(seconds / 600))
