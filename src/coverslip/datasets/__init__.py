"""Datasets: open, scan, inspect and split them."""
