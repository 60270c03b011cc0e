"""Parse blocks into segments, an episode and its lines. No module here touches the disk."""
