"""A plan compiled and trained: executions, early-stop training, checkpoints.

It must not know agents, workers, runs or a search.
"""
