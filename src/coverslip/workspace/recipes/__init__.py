"""Recipes of trainings: advice on networks and time, validation, and text files."""
