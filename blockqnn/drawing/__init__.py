"""Drawings of blocks: where things stand, how they look, and the formats they are written in.

It must not know runs: what is to be drawn, and in which colours, is handed to it.
"""
