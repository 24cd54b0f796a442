"""Training on preprocessed pixels: linear probe, fine-tuning, checkpoints. Most modules import torch."""
