"""Publish a folder as one commit and one tag on the Hub."""
