"""Looking at runs and designs: show, draw, explain, trials, status, the Python interface.

It writes to no run. What a search is made of must not know it; verbs that take a block do.
"""
