"""The checks of `builders.check`, one module for each kind of rule."""
