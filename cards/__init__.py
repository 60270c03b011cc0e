"""Templates of cards and reports, and how files, folders and releases are written whole."""
