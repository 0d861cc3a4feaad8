"""Smaller networks: narrowed, masked, with fewer bits; what they cost and what it bought."""
