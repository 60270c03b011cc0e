"""The configs of the dataset: one module makes the rows of each; `schema` declares their columns."""
