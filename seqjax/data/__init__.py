"""Formats, vocabularies and batches. Knows nothing of models."""
