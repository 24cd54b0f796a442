"""Metrics, intervals, calibration, decisions, curves and OOD scores: pure functions of arrays."""
