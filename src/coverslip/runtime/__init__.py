"""Work that takes time, here, on Slurm or on Ray: start it, tell whether it runs, and find out how it ended."""
