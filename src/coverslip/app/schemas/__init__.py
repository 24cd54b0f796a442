"""Bodies of requests and responses, one file for each area."""
