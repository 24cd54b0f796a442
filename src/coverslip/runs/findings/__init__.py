"""What was found out about the images of a run: faults, and labels to look at again."""
