"""What the Hub shows: the dataset card and the adapter card."""
