"""The folder of an adapter: written whole, described in run.json, read back."""
