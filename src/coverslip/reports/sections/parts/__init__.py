"""Sections about parts of the measured images: one class of two, subgroups, groups."""
