"""Architectures, a file or folder each: libraries' as they are wanted here, and those that no library has."""
