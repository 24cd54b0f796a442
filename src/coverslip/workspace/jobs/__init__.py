"""Trainings and predictions as processes: queue, watch and end them."""
