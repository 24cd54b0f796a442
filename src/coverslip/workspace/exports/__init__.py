"""Exports of classifiers for other programs."""
