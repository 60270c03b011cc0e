"""The `friends-lines` dataset → an 8-bit LoRA adapter.

`python -m train` lists the commands. Nothing is to be imported from here: the adapter's folder is the interface.
"""
