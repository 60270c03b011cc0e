"""What every part of the project shares: how commands end, files, ids, the data model."""
