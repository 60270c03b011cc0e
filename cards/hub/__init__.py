"""A folder → one commit and one tag on the Hub."""
