"""Lines → the `friends-lines` dataset folder."""
