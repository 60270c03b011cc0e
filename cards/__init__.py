"""Templates of cards and reports, and releases to the Hub."""
