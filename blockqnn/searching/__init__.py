"""Suggest, evaluate, store, learn; the verb search.

It must not know how a run is shown.
"""
