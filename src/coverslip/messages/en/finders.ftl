# The finder of objects in fields of view.

finder-nothing = no objects were found
