"""Loops over whole runs: the compression chain and its budget, born-again training. Each stage is a run of its own."""
