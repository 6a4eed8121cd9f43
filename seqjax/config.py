"""The type of a config in signatures."""

from typing import Any

# An `ml_collections.ConfigDict` as an experiment file returns it. Said as Any,
# because a type checker cannot know the fields.
Config = Any
