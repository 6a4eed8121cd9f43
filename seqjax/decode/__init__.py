"""Choosing output sequences. Jitted."""
