"""Evaluations of finished trainings on external test sets, and comparisons."""
