"""Chains of choices, which a table of measured designs makes.

It must not know where tables are, nor how they are read.
"""
