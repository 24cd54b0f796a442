"""What a network takes, counted from its shapes: parameters, operations, the memory of a training step."""
