"""Which split an episode belongs to, and what the splits share."""
