"""Weights to and from other frameworks; NumPy arrays, no foreign import."""
