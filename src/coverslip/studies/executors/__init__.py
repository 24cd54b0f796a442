"""Where the trainings of a study run: on this computer, or on the nodes of a Ray cluster."""
