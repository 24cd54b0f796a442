"""A Ray cluster, for whatever has work for several computers."""

from coverslip.cluster.joining import computers_of, joined_cluster, last_words, task_of
from coverslip.cluster.roots import ROOTS_VARIABLE, place_here

__all__ = ["ROOTS_VARIABLE", "computers_of", "joined_cluster", "last_words", "place_here", "task_of"]
