"""The steps of fine-tuning: which optimiser takes them, what they train, how fast, and what they leave to be told."""
