"""The dataset folder: its manifest, and how it is written, locked and kept up to date."""
