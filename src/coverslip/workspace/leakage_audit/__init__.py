"""Leakage audits and distances of datasets by the features of a network, on request."""
