"""Splits, duplicates and leakage."""
