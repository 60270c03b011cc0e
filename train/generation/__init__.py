"""Answers of a base model and of adapters on it."""
