"""From a code to its outcome: by training a child, from a table, or made up.

It must not know agents, workers, runs or a search.
"""
