"""Download an archive of transcripts into a folder, politely."""
