"""Studies of the workspace's datasets: planned from presets, asked for, listed, followed; their trainings are runs."""
