"""The folder of a sweep: what was planned, which points are one, what became of each. Imports no torch."""
