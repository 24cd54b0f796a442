"""What a training leaves on disk: recipe, run folder, log and packaged classifier."""
