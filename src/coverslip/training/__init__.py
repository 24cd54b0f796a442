"""From preprocessed pixels to a trained network: the instant head, fine-tuning, checkpoints. Imports torch."""
