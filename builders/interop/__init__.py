"""Other formats of a dataset, and comparison with other builds."""
