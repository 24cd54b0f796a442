"""Where new images are predicted: in this process, or on the nodes of a Ray cluster."""
