"""Who designs: Q-learning and its rivals. Imports nothing of the project."""
