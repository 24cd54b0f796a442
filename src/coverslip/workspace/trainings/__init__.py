"""Trainings: queue and describe them; their results, previews and downloads."""
