"""Drawings of blocks: where things stand, how they look, and the formats they are written in."""
