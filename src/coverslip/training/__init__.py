"""From preprocessed pixels to a trained network: the linear probe, fine-tuning, checkpoints. Imports torch."""
