"""Page files → read pages, in other processes or out of a cache."""
