"""The process that trains: ranks, signals, memory, what libraries may print."""
