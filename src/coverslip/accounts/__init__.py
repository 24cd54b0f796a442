"""Accounts, projects and roles of a server that several people use.

Each project is a workspace of its own, so that nothing of another project can be reached from it.
"""
