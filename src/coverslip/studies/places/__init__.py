"""Where the trainings of a study are done."""
