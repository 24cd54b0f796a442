"""How a training runs: the time that it is expected to take, and its early end."""
