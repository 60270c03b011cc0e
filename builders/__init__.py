"""Lines → the `friends-lines` dataset folder.

`python -m builders` lists the commands. Nothing is to be imported from here: the folder is the interface.
"""
