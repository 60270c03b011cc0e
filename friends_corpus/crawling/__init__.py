"""An archive of transcripts → a folder of pages, politely."""
