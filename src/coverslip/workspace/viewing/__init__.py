"""Images to be looked at: lists, facts and pictures."""
