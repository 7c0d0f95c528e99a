"""Cells of pairs: NASNet's, ENAS's, PNAS's and DARTS's, one grammar for all of them.

It must not know other search spaces.
"""
