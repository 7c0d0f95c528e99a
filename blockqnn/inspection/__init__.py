"""Looking at runs and designs: show, draw, explain, trials, status, the Python interface.

It writes to no run; only what shows runs in other ways may import it.
"""
