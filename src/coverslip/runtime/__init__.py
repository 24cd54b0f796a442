"""Work that takes time, as processes: start them, tell whether they run, and find out how they ended."""
