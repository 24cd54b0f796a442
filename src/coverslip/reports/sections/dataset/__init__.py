"""The images that a run rests on: what became of each, and how they look."""
