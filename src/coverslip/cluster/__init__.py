"""A Ray cluster, for whatever has work for several computers."""

from coverslip.cluster.joining import ROOTS_VARIABLE, computers_of, joined_cluster, last_words, place_here, task_of

__all__ = ["ROOTS_VARIABLE", "computers_of", "joined_cluster", "last_words", "place_here", "task_of"]
