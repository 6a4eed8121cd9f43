"""What a person looks at: pictures, pages and lines, from arrays and words.

Knows no task, no model and no run directory.
"""
