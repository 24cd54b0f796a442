"""Audits of datasets: near-duplicates, shortcuts, leakage, label issues, learning curves, distances."""
