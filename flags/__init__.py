"""How a search is launched: absl flags, turned into frozen settings."""
