"""What all packages share: how commands end, files, ids, the data model."""
