"""A run on disk: its store, its directory, its status; who writes and who reads it.

It must not know how a run is searched or shown.
"""
