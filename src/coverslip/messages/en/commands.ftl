# Commands: wrong usage, and what they print besides tables.

# Errors

command-fault = { $what }
    .do = This is an error in coverslip. Please report it.

demo-folder-is-file = This is a file, not a folder
    .do = Choose another folder.

demo-folder-not-empty = The folder is not empty and was not created by a demo
    .do = Choose another folder.

no-image-predicted = None of the images could be read
    .do = The table lists the reason for each image.
