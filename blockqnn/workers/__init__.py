"""Where outcomes are made: worker processes, their devices, Ray.

It must not know agents, runs or a search.
"""
