"""One training run: the trainer, its callbacks and checkpoints, and what is checked before it."""
