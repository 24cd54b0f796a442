"""A server for several people: accounts, projects with roles, sign-in and backups, above the app of one project.

Each project is a workspace of its own, so that nothing of another project can be reached from it.
"""
