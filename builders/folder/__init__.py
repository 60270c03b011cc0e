"""The dataset folder: its manifest, and how it is read, written, locked and kept."""
