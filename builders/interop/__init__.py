"""Other forms of a dataset, and other builds of it."""
