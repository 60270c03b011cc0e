"""Raw *Friends* transcript pages → clean, speaker-attributed lines."""
