"""Audits of datasets: near-duplicates, image quality, shortcuts, leakage, label issues, learning curves, distances."""
