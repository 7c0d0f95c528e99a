"""Agents against one another, on a table or with real children; the verb compare.

It must not know how a run is shown.
"""
