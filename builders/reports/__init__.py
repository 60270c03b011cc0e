"""Statistics of a dataset, and the reports on them: card, quality report, plots."""
