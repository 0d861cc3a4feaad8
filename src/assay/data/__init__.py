"""Data sets: how they are read, cut, prepared and batched. Imports nothing: preflight reads files before torch."""
