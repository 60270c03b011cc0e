"""Blocks → segments → an episode → its lines. Touches no disk."""
