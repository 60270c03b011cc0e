"""Bytes → pages of blocks: one module for each form that a transcript comes in."""
