"""The formats of transcripts: each module turns bytes into pages of blocks."""
