"""A dataset → the rows that are trained on and the rows held out."""
