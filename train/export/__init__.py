"""An adapter and its base as one model, in the forms of other programs."""
