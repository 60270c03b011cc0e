"""The `friends-lines` dataset → an 8-bit LoRA adapter."""
