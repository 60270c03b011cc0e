"""A conversation with adapters, in a terminal and on a page."""
