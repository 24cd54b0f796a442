"""The main job, readable from top to bottom: one split, folds, and training in two steps."""
