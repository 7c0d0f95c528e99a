"""Whole networks: those of NAS, and those of ENAS, one kind of decisions for both.

It must not know other search spaces.
"""
