"""Recurrent cells: those of NAS, ENAS and DARTS, and those that people designed.

It must not know other search spaces.
"""
