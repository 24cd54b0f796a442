"""Jobs of any kind: queue, watch, list and end them."""
