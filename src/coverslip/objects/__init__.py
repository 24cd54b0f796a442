"""Fields of view and the objects in them: one table of objects from masks and from the files of other programs."""
