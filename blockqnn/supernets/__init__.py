"""Weights that designs share: the bank, paths through it, how it is trained and scored with.

It knows plans and images, and must not know who suggests paths, nor what a run is.
"""
