"""One module for each config of the dataset: how its rows are made, and their columns."""
