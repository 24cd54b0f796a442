"""The workspace's folder and what is kept in it: its database, threads that work in it, the server that has it.

`home` is the folder, `tables` and `database` are SQLite, `rows` and `records` tell what stands in it.
"""
