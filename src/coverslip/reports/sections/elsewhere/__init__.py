"""Other images than the run's own: what was measured there, and what can be expected."""
