"""What `train.lesson` plants to be found."""
