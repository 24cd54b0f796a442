"""Finished trainings measured on other labelled images (asked for, listed, followed), and compared side by side."""
