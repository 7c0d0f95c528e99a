"""Cells of NAS-Bench-201: four nodes, an operation on each of the six edges between them.

It must not know other search spaces.
"""
