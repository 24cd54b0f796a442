"""Studies: training and comparison of datasets x networks x initializations x splits."""
