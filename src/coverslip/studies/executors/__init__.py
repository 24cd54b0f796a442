"""Executors of a study's trainings: this computer, or the nodes of a Ray cluster."""
