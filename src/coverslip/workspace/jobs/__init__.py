"""Trainings, evaluations, predictions and studies as processes: queue, watch and end them; results of trainings."""
