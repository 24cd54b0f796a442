"""Trainings and predictions as processes: queued, watched, ended."""
