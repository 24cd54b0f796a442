"""Where else than in this process images are predicted."""
