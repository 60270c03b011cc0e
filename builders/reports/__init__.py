"""The numbers of a dataset, and what is written about them: card, quality report, plots."""
