"""Tables of users: text files and their rows, and the meanings of their columns."""
