"""What `train.compare` counts, and how it judges."""
