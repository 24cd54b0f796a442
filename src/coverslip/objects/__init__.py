"""Objects in fields of view: their masks, outlines and crops."""
